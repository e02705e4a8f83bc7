//! `/account/password`: changes a password, or sets a new one for a forgotten one.

use std::fmt;

use serde::Serialize;

use crate::{
    object::{BodyError, FromObject, Object},
    uia::AuthData,
};

/// `POST`, with user-interactive authentication: sets a new password. Without an access token, the account is the one
/// whose address the authentication proves.
///
/// [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3accountpassword)
pub const PASSWORD: &str = "/account/password";

/// The body of [`PASSWORD`]. The answer is `{}`.
///
/// Everything may be absent, because a later round of the authentication may bring nothing but `auth`.
#[derive(Clone, Default, Serialize)]
pub struct ChangePasswordRequest {
    /// The authentication.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<AuthData>,
    /// The new password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_password: Option<String>,
    /// Whether to log out the account's other devices, which is the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logout_devices: Option<bool>,
}

impl ChangePasswordRequest {
    /// Makes a body with a new password, without authentication.
    pub fn new(new_password: impl Into<String>) -> Self {
        Self { new_password: Some(new_password.into()), ..Self::default() }
    }
}

impl fmt::Debug for ChangePasswordRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangePasswordRequest").field("auth", &self.auth).finish_non_exhaustive()
    }
}

impl FromObject for ChangePasswordRequest {
    fn from_object(mut object: Object) -> Result<Self, BodyError> {
        Ok(Self {
            auth: AuthData::take_from(&mut object)?,
            new_password: object.optional_string("new_password")?,
            logout_devices: object.optional_bool("logout_devices")?,
        })
    }
}
