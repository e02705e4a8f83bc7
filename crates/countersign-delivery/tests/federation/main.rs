//! Calls of servers that somebody else named, against real TLS servers on loopback.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/certificate.rs"]
mod certificate;
mod discovery;
mod guard;
mod homeservers;
mod identity_servers;
#[path = "../support/request.rs"]
mod request;
mod world;
