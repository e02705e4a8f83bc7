//! `/refresh`: a new access token for a refresh token.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::object::{BodyError, FromObject, Object};

/// `POST`: answers a refresh token with a new access token. No access token is needed.
///
/// [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3refresh)
pub const REFRESH: &str = "/refresh";

/// The body of [`REFRESH`].
#[derive(Clone, Serialize)]
pub struct RefreshRequest {
    /// The refresh token, from a login, a registration or an earlier refresh.
    pub refresh_token: String,
}

impl RefreshRequest {
    /// Makes the body.
    pub fn new(refresh_token: impl Into<String>) -> Self {
        Self { refresh_token: refresh_token.into() }
    }
}

impl fmt::Debug for RefreshRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshRequest").finish_non_exhaustive()
    }
}

impl FromObject for RefreshRequest {
    fn from_object(mut object: Object) -> Result<Self, BodyError> {
        Ok(Self { refresh_token: object.required_string("refresh_token")? })
    }
}

/// The answer of [`REFRESH`].
#[derive(Clone, Serialize, Deserialize)]
pub struct RefreshResponse {
    /// The new access token.
    pub access_token: String,
    /// The new refresh token; absent if the old one stays good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// How many milliseconds the access token lives; absent if it does not expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_ms: Option<u64>,
}

impl fmt::Debug for RefreshResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshResponse").field("expires_in_ms", &self.expires_in_ms).finish_non_exhaustive()
    }
}
