//! `/identity/v2/account`: access tokens of the identity service, and whose they are.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    client::openid::OpenIdTokenResponse,
    object::{BodyError, FromObject, Object},
};

/// `POST`: makes an access token for the user whom an OpenID token stands for.
///
/// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2accountregister)
pub const REGISTER: &str = "/identity/v2/account/register";

/// `GET`, with an access token: whose it is.
///
/// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityv2account)
pub const ACCOUNT: &str = "/identity/v2/account";

/// `POST`, with an access token, which ends. The body may be empty.
///
/// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2accountlogout)
pub const LOGOUT: &str = "/identity/v2/account/logout";

/// The body of [`REGISTER`]: an OpenID token, as the user's own server answered it.
#[derive(Clone, Serialize)]
pub struct RegisterRequest {
    /// The OpenID token.
    pub access_token: String,
    /// The server to ask whom the token stands for.
    pub matrix_server_name: String,
    /// `Bearer`; some services insist on it, ours doesn't read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_type: Option<String>,
    /// How many seconds the token lives; some services insist on it, ours doesn't read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<i64>,
}

impl From<OpenIdTokenResponse> for RegisterRequest {
    fn from(token: OpenIdTokenResponse) -> Self {
        Self {
            access_token: token.access_token,
            matrix_server_name: token.matrix_server_name,
            token_type: Some(token.token_type),
            expires_in: i64::try_from(token.expires_in).ok(),
        }
    }
}

impl fmt::Debug for RegisterRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegisterRequest")
            .field("matrix_server_name", &self.matrix_server_name)
            .finish_non_exhaustive()
    }
}

impl FromObject for RegisterRequest {
    fn from_object(mut object: Object) -> Result<Self, BodyError> {
        Ok(Self {
            access_token: object.required_string("access_token")?,
            matrix_server_name: object.required_string("matrix_server_name")?,
            token_type: object.ignored_string("token_type"),
            expires_in: object.ignored_integer("expires_in"),
        })
    }
}

/// The answer of [`REGISTER`].
#[derive(Clone, Serialize, Deserialize)]
pub struct RegisterResponse {
    /// The access token.
    pub token: String,
}

impl fmt::Debug for RegisterResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegisterResponse").finish_non_exhaustive()
    }
}

/// The answer of [`ACCOUNT`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountResponse {
    /// The user.
    pub user_id: String,
}
