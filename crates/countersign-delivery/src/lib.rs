//! All that leaves the machine: mail over SMTP, SMS over HTTP, the words of both, and calls of other servers.
//!
//! A transport makes one attempt and answers accepted, try later, or never; keeping messages and
//! trying again is the outbox worker's part. Nothing here touches storage.

mod cache;
pub mod dns;
pub mod email;
pub mod federation;
mod guard;
pub mod homeserver;
pub mod identity_server;
pub mod inbox;
mod markup;
mod outcome;
mod peer;
mod secret;
pub mod sms;
pub mod templates;
mod tls;

pub use self::{
    dns::{Dns, SystemDns},
    email::{EmailMessage, EmailTransport},
    federation::Federation,
    guard::{GuardSettings, GuardSettingsError},
    inbox::Inbox,
    outcome::{Accepted, SendError},
    peer::{PeerError, PeerSettings, PeerSettingsError},
    secret::Secret,
    sms::{SmsGateway, SmsMessage},
    templates::Templates,
};
