//! The client library against a real HTTP server on loopback that answers from a script.

#![expect(clippy::unwrap_used, reason = "outside of test functions too, a test fails by panicking")]

mod accounts;
mod errors;
mod flows;
mod identity;
mod requests;
mod scripted_node;
mod uia;
