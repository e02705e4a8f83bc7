//! `/login`: ways to log in, and logging in.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    object::{BodyError, FromObject, Object},
    uia::{self, UserIdentifier},
};

/// `GET`: the ways to log in. `POST`: logs in.
///
/// [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3login)
pub const LOGIN: &str = "/login";

/// The answer of `GET` [`LOGIN`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginFlowsResponse {
    /// The ways to log in.
    pub flows: Vec<LoginFlow>,
}

/// A way to log in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginFlow {
    /// The type, such as `m.login.password`.
    #[serde(rename = "type")]
    pub login_type: String,
}

/// The body of `POST` [`LOGIN`].
///
/// Fields that only some login types need may be absent, because the type is judged before them.
#[derive(Clone, Default, Serialize)]
pub struct LoginRequest {
    /// The way to log in.
    #[serde(rename = "type")]
    pub login_type: String,
    /// Who logs in. The legacy fields `user` or `medium` and `address` are read into it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identifier: Option<UserIdentifier>,
    /// The password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// The device to log in again, or to make under this id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    /// A name for a new device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_device_display_name: Option<String>,
    /// Whether the client can deal with refresh tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<bool>,
}

impl LoginRequest {
    /// A login with a password.
    pub fn password(identifier: UserIdentifier, password: impl Into<String>) -> Self {
        Self {
            login_type: uia::PASSWORD.to_owned(),
            identifier: Some(identifier),
            password: Some(password.into()),
            ..Self::default()
        }
    }
}

impl fmt::Debug for LoginRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginRequest").field("login_type", &self.login_type).finish_non_exhaustive()
    }
}

impl FromObject for LoginRequest {
    fn from_object(mut object: Object) -> Result<Self, BodyError> {
        Ok(Self {
            login_type: object.required_string("type")?,
            identifier: UserIdentifier::take_from(&mut object)?,
            password: object.optional_string("password")?,
            device_id: object.optional_string("device_id")?,
            initial_device_display_name: object.optional_string("initial_device_display_name")?,
            refresh_token: object.optional_bool("refresh_token")?,
        })
    }
}

/// The answer of `POST` [`LOGIN`].
///
/// It has no `well_known`: clients of the two prefixes expect different keys inside it.
#[derive(Clone, Serialize, Deserialize)]
pub struct LoginResponse {
    /// The user.
    pub user_id: String,
    /// The access token.
    pub access_token: String,
    /// The device.
    pub device_id: String,
    /// The refresh token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// How many milliseconds the access token lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_ms: Option<u64>,
}

impl fmt::Debug for LoginResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginResponse")
            .field("user_id", &self.user_id)
            .field("device_id", &self.device_id)
            .finish_non_exhaustive()
    }
}
