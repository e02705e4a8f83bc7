//! The domain of countersign: its types and its decisions.
//!
//! Nothing here does I/O, is async, or reads a clock or the system's randomness: both are handed in.
//! Storage loads state, asks this crate what follows from it, and saves the answer.

mod account;
mod association;
mod authorization;
mod budget;
mod canonical_json;
mod carrier;
mod client_secret;
mod clock;
mod email_address;
mod hash;
mod id_server;
mod import;
mod invitation;
mod invitation_name;
mod keyring;
mod language;
mod lookup_filter;
mod lookup_hash;
mod msisdn;
mod network;
mod next_link;
mod outbox;
mod password;
mod random;
mod recorded_bind;
mod registration_token;
mod sealed;
mod send_attempt;
mod server_keys;
mod session_id;
mod session_purpose;
mod signed_json;
mod signing;
mod special_address;
mod terms;
mod threepid;
mod tokens;
mod uia;
mod unpadded_base64;
mod user_id;
mod validation_session;
mod x_matrix;

pub use self::{
    account::*, association::*, authorization::*, budget::*, canonical_json::*, carrier::*, client_secret::*,
    clock::*, email_address::*, hash::*, id_server::*, import::*, invitation::*, invitation_name::*,
    keyring::*, language::*, lookup_filter::*, lookup_hash::*, msisdn::*, network::*, next_link::*,
    outbox::*, password::*, random::*, recorded_bind::*, registration_token::*, sealed::*, send_attempt::*,
    server_keys::*, session_id::*, session_purpose::*, signed_json::*, signing::*, special_address::*,
    terms::*, threepid::*, tokens::*, uia::*, unpadded_base64::*, user_id::*, validation_session::*,
    x_matrix::*,
};
