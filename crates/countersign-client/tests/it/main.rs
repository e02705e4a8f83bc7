//! The client library against a real HTTP server on loopback that answers from a script.

mod errors;
mod requests;
mod scripted_node;
mod uia;
