//! Wire types of the identity service API, one file for each path group.
//!
//! Paths follow `/_matrix` or `/_api` itself. Where an endpoint says "with an access token", it is one of this API, from
//! [`account::REGISTER`]; tokens of the client API don't work here.

pub mod account;
pub mod lookup;
pub mod pubkey;
pub mod sign_ed25519;
pub mod store_invite;
pub mod terms;
pub mod threepid;
pub mod v1;
pub mod validate_email;
pub mod validate_msisdn;
pub mod validated_threepid;
pub mod versions;

use serde::{Deserialize, Serialize};

/// The answer of both requestToken of this API.
///
/// Unlike that of the client API it names no `submit_url`: the code goes to the submitToken beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestValidationResponse {
    /// The session's id.
    pub sid: String,
}
