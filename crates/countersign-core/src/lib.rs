//! The domain of countersign: its types and its decisions.
//!
//! Nothing here does I/O, is async, or reads a clock or the system's randomness: both are handed in.
//! Storage loads state, asks this crate what follows from it, and saves the answer.

mod account;
mod authorization;
mod budget;
mod client_secret;
mod clock;
mod email_address;
mod hash;
mod keyring;
mod language;
mod lookup_hash;
mod msisdn;
mod network;
mod next_link;
mod outbox;
mod password;
mod random;
mod registration_token;
mod sealed;
mod send_attempt;
mod session_id;
mod session_purpose;
mod terms;
mod threepid;
mod tokens;
mod uia;
mod user_id;
mod validation_session;

pub use self::{
    account::*, authorization::*, budget::*, client_secret::*, clock::*, email_address::*, hash::*,
    keyring::*, language::*, lookup_hash::*, msisdn::*, network::*, next_link::*, outbox::*, password::*,
    random::*, registration_token::*, sealed::*, send_attempt::*, session_id::*, session_purpose::*,
    terms::*, threepid::*, tokens::*, uia::*, user_id::*, validation_session::*,
};
