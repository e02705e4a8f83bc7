//! The node: configuration, handlers, pages, command line, and the wiring that makes them one process.
//!
//! A library, so that whole-node tests can start a node in their own process; `main.rs` is a thin shell around it.

pub mod cli;
pub mod config;
pub mod http;
pub mod logging;
pub mod pages;
pub mod server;
pub mod wiring;
