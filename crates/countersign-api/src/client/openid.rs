//! `/user/{user_id}/openid/request_token`: tokens that prove a user to another service.

use std::fmt;

use serde::{Deserialize, Serialize};

/// `POST`, with an access token of that user; the body is `{}`.
///
/// [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3useruseridopenidrequest_token)
pub const REQUEST_TOKEN: &str = "/user/{user_id}/openid/request_token";

/// The only [`OpenIdTokenResponse::token_type`].
pub const BEARER: &str = "Bearer";

/// The answer of [`REQUEST_TOKEN`].
#[derive(Clone, Serialize, Deserialize)]
pub struct OpenIdTokenResponse {
    /// The token. It works at [`USERINFO`](crate::federation::openid::USERINFO) alone.
    pub access_token: String,
    /// [`BEARER`].
    pub token_type: String,
    /// The server to ask whom the token stands for.
    pub matrix_server_name: String,
    /// How many seconds the token lives.
    pub expires_in: u64,
}

impl fmt::Debug for OpenIdTokenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenIdTokenResponse")
            .field("matrix_server_name", &self.matrix_server_name)
            .field("expires_in", &self.expires_in)
            .finish_non_exhaustive()
    }
}
