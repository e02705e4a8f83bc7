//! `/account/deactivate`: the end of an account.

use serde::{Deserialize, Serialize};

use super::threepid::UnbindResult;
use crate::{
    object::{BodyError, FromObject, Object},
    uia::AuthData,
};

/// `POST`, with user-interactive authentication: ends an account. Its name stays taken. Without an access token, the
/// account is the one that the authentication names.
///
/// [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountdeactivate)
pub const DEACTIVATE: &str = "/account/deactivate";

/// The body of [`DEACTIVATE`].
#[derive(Clone, Debug, Default, Serialize)]
pub struct DeactivateRequest {
    /// The authentication.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<AuthData>,
    /// The identity server to unbind the account's 3PIDs from, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_server: Option<String>,
    /// Whether to forget what the user wrote, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub erase: Option<bool>,
}

impl FromObject for DeactivateRequest {
    fn from_object(mut object: Object) -> Result<Self, BodyError> {
        Ok(Self {
            auth: AuthData::take_from(&mut object)?,
            id_server: object.optional_string("id_server")?,
            erase: object.optional_bool("erase")?,
        })
    }
}

/// The answer of [`DEACTIVATE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeactivateResponse {
    /// What became of the associations at identity servers; `success` if there were none.
    pub id_server_unbind_result: UnbindResult,
}
