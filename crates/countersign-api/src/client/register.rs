//! `/register`: new accounts, and whether a name is free.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    object::{BodyError, FromObject, Object},
    uia::AuthData,
};

/// `POST`, with user-interactive authentication: makes an account. The query is [`RegisterQuery`].
///
/// [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register)
pub const REGISTER: &str = "/register";

/// `GET`: tells whether a name is free. The query is [`AvailabilityQuery`].
///
/// [Spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3registeravailable)
pub const AVAILABLE: &str = "/register/available";

/// The query of [`REGISTER`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegisterQuery {
    /// `user`, which is the default, or `guest`.
    pub kind: Option<String>,
}

impl FromObject for RegisterQuery {
    fn from_object(mut object: Object) -> Result<Self, BodyError> {
        Ok(Self { kind: object.optional_string("kind")? })
    }
}

/// The body of [`REGISTER`].
///
/// Everything may be absent, because a later round of the authentication may bring nothing but `auth`.
#[derive(Clone, Default, Serialize)]
pub struct RegisterRequest {
    /// The authentication.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<AuthData>,
    /// The localpart; the server makes one up if it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// The id of the first device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    /// A name for the first device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_device_display_name: Option<String>,
    /// Whether to leave out the login, so that the answer holds no access token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inhibit_login: Option<bool>,
    /// Whether the client can deal with refresh tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<bool>,
}

impl RegisterRequest {
    /// A request for an account with this name and password.
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self { username: Some(username.into()), password: Some(password.into()), ..Self::default() }
    }
}

impl fmt::Debug for RegisterRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegisterRequest").field("auth", &self.auth).finish_non_exhaustive()
    }
}

impl FromObject for RegisterRequest {
    fn from_object(mut object: Object) -> Result<Self, BodyError> {
        Ok(Self {
            auth: AuthData::take_from(&mut object)?,
            username: object.optional_string("username")?,
            password: object.optional_string("password")?,
            device_id: object.optional_string("device_id")?,
            initial_device_display_name: object.optional_string("initial_device_display_name")?,
            inhibit_login: object.optional_bool("inhibit_login")?,
            refresh_token: object.optional_bool("refresh_token")?,
        })
    }
}

/// The answer of [`REGISTER`].
#[derive(Clone, Serialize, Deserialize)]
pub struct RegisterResponse {
    /// The user.
    pub user_id: String,
    /// The access token; absent if the login was inhibited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_token: Option<String>,
    /// The device; absent if the login was inhibited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    /// The refresh token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// How many milliseconds the access token lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_ms: Option<u64>,
}

impl fmt::Debug for RegisterResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegisterResponse")
            .field("user_id", &self.user_id)
            .field("device_id", &self.device_id)
            .finish_non_exhaustive()
    }
}

/// The query of [`AVAILABLE`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AvailabilityQuery {
    /// The localpart.
    pub username: String,
}

impl FromObject for AvailabilityQuery {
    fn from_object(mut object: Object) -> Result<Self, BodyError> {
        Ok(Self { username: object.required_string("username")? })
    }
}

/// The answer of [`AVAILABLE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AvailabilityResponse {
    /// Always true: a name that is not free is an error.
    pub available: bool,
}
