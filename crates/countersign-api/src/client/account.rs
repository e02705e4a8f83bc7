//! `/account/whoami`: who owns an access token.

use serde::{Deserialize, Serialize};

/// `GET`, with an access token.
///
/// [Spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3accountwhoami)
pub const WHOAMI: &str = "/account/whoami";

/// The answer of [`WHOAMI`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhoamiResponse {
    /// The user.
    pub user_id: String,
    /// The device, if the token has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    /// Whether the user is a guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_guest: Option<bool>,
}
