//! `/identity/v2/3pid/getValidated3pid`: what a session has proven.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::object::{BodyError, FromObject, Object};

/// `GET`, with an access token: the 3PID that a session has validated. The query is [`ValidatedThreepidQuery`].
///
/// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityv23pidgetvalidated3pid)
pub const GET_VALIDATED_3PID: &str = "/identity/v2/3pid/getValidated3pid";

/// The query of [`GET_VALIDATED_3PID`].
#[derive(Clone, PartialEq, Eq)]
pub struct ValidatedThreepidQuery {
    /// The session's id.
    pub sid: String,
    /// The secret that opened the session.
    pub client_secret: String,
}

impl fmt::Debug for ValidatedThreepidQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValidatedThreepidQuery").finish_non_exhaustive()
    }
}

impl FromObject for ValidatedThreepidQuery {
    fn from_object(mut object: Object) -> Result<Self, BodyError> {
        Ok(Self {
            sid: object.required_string("sid")?,
            client_secret: object.required_string("client_secret")?,
        })
    }
}

/// The answer of [`GET_VALIDATED_3PID`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidatedThreepidResponse {
    /// `email` or `msisdn`.
    pub medium: String,
    /// The canonical address.
    pub address: String,
    /// When it was validated, in milliseconds since the Unix epoch.
    pub validated_at: i64,
}

impl fmt::Debug for ValidatedThreepidResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValidatedThreepidResponse").field("medium", &self.medium).finish_non_exhaustive()
    }
}
