//! The node's own endpoints under `/_countersign/v1`: where a code is submitted, and the pages behind a mail's links.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::object::{BodyError, FromObject, Object};

/// `POST`: the `submit_url`, where a client sends the code that the user typed. A full path, under no prefix.
pub const SUBMIT_TOKEN: &str = "/_countersign/v1/submit_token";

/// `GET`, `POST`: the page behind a mail's link and its button. A full path, under no prefix.
pub const CONFIRM: &str = "/_countersign/v1/confirm";

/// `GET`, `POST`: the "this wasn't me" page and its choices. A full path, under no prefix.
pub const NOT_ME: &str = "/_countersign/v1/not-me";

/// The body of [`SUBMIT_TOKEN`], equal to that of the identity service's submitToken.
///
/// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2validateemailsubmittoken)
#[derive(Clone, Serialize)]
pub struct SubmitTokenRequest {
    /// The session's id, from the answer of requestToken.
    pub sid: String,
    /// The secret that opened the session.
    pub client_secret: String,
    /// The code that the user typed, or the token of a link.
    pub token: String,
}

impl SubmitTokenRequest {
    /// Makes the body.
    pub fn new(sid: impl Into<String>, client_secret: impl Into<String>, token: impl Into<String>) -> Self {
        Self { sid: sid.into(), client_secret: client_secret.into(), token: token.into() }
    }
}

impl fmt::Debug for SubmitTokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubmitTokenRequest").finish_non_exhaustive()
    }
}

impl FromObject for SubmitTokenRequest {
    fn from_object(mut object: Object) -> Result<Self, BodyError> {
        Ok(Self {
            sid: object.required_string("sid")?,
            client_secret: object.required_string("client_secret")?,
            token: object.required_string("token")?,
        })
    }
}

/// The answer of [`SUBMIT_TOKEN`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmitTokenResponse {
    /// Whether the session is validated now. The node says no with an error, never with `false`.
    pub success: bool,
}
