//! Sessions and requests for tests.
