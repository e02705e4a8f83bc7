//! `/account/3pid`: the 3PIDs of an account.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    object::{BodyError, FromObject, Object},
    uia::{AuthData, ThreepidCreds},
};

/// `GET`, with an access token: the 3PIDs of the account. `POST`, with an access token, deprecated: adds a validated 3PID
/// without user-interactive authentication.
///
/// [Spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3account3pid)
pub const THREEPIDS: &str = "/account/3pid";

/// `POST`, with an access token and user-interactive authentication: adds a validated 3PID to the account.
///
/// [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidadd)
pub const ADD: &str = "/account/3pid/add";

/// `POST`, with an access token: deletes a 3PID from the account.
///
/// [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3piddelete)
pub const DELETE: &str = "/account/3pid/delete";

/// `POST`, with an access token: publishes, at an identity server, that a 3PID validated there is the caller's.
///
/// [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidbind)
pub const BIND: &str = "/account/3pid/bind";

/// `POST`, with an access token: takes back what [`BIND`] published; the account keeps the 3PID.
///
/// [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidunbind)
pub const UNBIND: &str = "/account/3pid/unbind";

/// The answer of [`THREEPIDS`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreepidsResponse {
    /// The 3PIDs, maybe none.
    #[serde(default)]
    pub threepids: Vec<Threepid>,
}

/// A 3PID of an account.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Threepid {
    /// `email` or `msisdn`.
    pub medium: String,
    /// The canonical address.
    pub address: String,
    /// When it was validated, in milliseconds since the Unix epoch.
    pub validated_at: i64,
    /// When it was added to the account, in milliseconds since the Unix epoch.
    pub added_at: i64,
}

impl fmt::Debug for Threepid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Threepid").field("medium", &self.medium).finish_non_exhaustive()
    }
}

/// The body of [`ADD`].
///
/// Everything may be absent, because a later round of the authentication may bring nothing but `auth`;
/// [`AddThreepidRequest::session`] asks for the rest.
#[derive(Clone, Default, Serialize)]
pub struct AddThreepidRequest {
    /// The authentication.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<AuthData>,
    /// The secret that opened the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
    /// The session's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
}

impl AddThreepidRequest {
    /// Makes a body that names the session, without authentication.
    pub fn new(sid: impl Into<String>, client_secret: impl Into<String>) -> Self {
        Self { auth: None, client_secret: Some(client_secret.into()), sid: Some(sid.into()) }
    }

    /// The session's id and client secret, both of which the first round must give.
    pub fn session(&self) -> Result<(&str, &str), BodyError> {
        let client_secret = self.client_secret.as_deref();
        let client_secret = client_secret.ok_or(BodyError::Missing { key: "client_secret" })?;
        let sid = self.sid.as_deref().ok_or(BodyError::Missing { key: "sid" })?;
        Ok((sid, client_secret))
    }
}

impl fmt::Debug for AddThreepidRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddThreepidRequest").field("auth", &self.auth).finish_non_exhaustive()
    }
}

impl FromObject for AddThreepidRequest {
    fn from_object(mut object: Object) -> Result<Self, BodyError> {
        Ok(Self {
            auth: AuthData::take_from(&mut object)?,
            client_secret: object.optional_string("client_secret")?,
            sid: object.optional_string("sid")?,
        })
    }
}

/// The body of `POST` [`THREEPIDS`].
#[derive(Clone, Serialize)]
pub struct AddThreepidDirectlyRequest {
    /// The validation session. Some clients name it `threePidCreds`.
    pub three_pid_creds: ThreepidCreds,
}

impl AddThreepidDirectlyRequest {
    /// Makes a body that names the session.
    pub fn new(sid: impl Into<String>, client_secret: impl Into<String>) -> Self {
        Self { three_pid_creds: ThreepidCreds::new(sid, client_secret) }
    }
}

impl fmt::Debug for AddThreepidDirectlyRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddThreepidDirectlyRequest").finish_non_exhaustive()
    }
}

impl FromObject for AddThreepidDirectlyRequest {
    fn from_object(mut object: Object) -> Result<Self, BodyError> {
        let creds = match object.optional_object("three_pid_creds")? {
            Some(creds) => Some(creds),
            None => object.optional_object("threePidCreds")?,
        };
        let creds = creds.ok_or(BodyError::Missing { key: "three_pid_creds" })?;
        Ok(Self { three_pid_creds: ThreepidCreds::from_object(creds)? })
    }
}

/// The body of [`BIND`].
#[derive(Clone, Serialize)]
pub struct BindThreepidRequest {
    /// The secret that opened the session.
    pub client_secret: String,
    /// The id of the session, which is one of the identity server.
    pub sid: String,
    /// The identity server: a host, maybe with a port.
    pub id_server: String,
    /// An access token for the identity server.
    pub id_access_token: String,
}

impl fmt::Debug for BindThreepidRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BindThreepidRequest").field("id_server", &self.id_server).finish_non_exhaustive()
    }
}

impl FromObject for BindThreepidRequest {
    fn from_object(mut object: Object) -> Result<Self, BodyError> {
        Ok(Self {
            client_secret: object.required_string("client_secret")?,
            sid: object.required_string("sid")?,
            id_server: object.required_string("id_server")?,
            id_access_token: object.required_string("id_access_token")?,
        })
    }
}

/// The body of [`DELETE`].
#[derive(Clone, Serialize)]
pub struct DeleteThreepidRequest {
    /// `email` or `msisdn`.
    pub medium: String,
    /// The address.
    pub address: String,
    /// The identity server to unbind it from, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_server: Option<String>,
}

impl DeleteThreepidRequest {
    /// Makes a body of what is required.
    pub fn new(medium: impl Into<String>, address: impl Into<String>) -> Self {
        Self { medium: medium.into(), address: address.into(), id_server: None }
    }
}

impl fmt::Debug for DeleteThreepidRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeleteThreepidRequest").field("medium", &self.medium).finish_non_exhaustive()
    }
}

impl FromObject for DeleteThreepidRequest {
    fn from_object(mut object: Object) -> Result<Self, BodyError> {
        Ok(Self {
            medium: object.required_string("medium")?,
            address: object.required_string("address")?,
            id_server: object.optional_string("id_server")?,
        })
    }
}

/// The answer of [`DELETE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteThreepidResponse {
    /// What became of the association at the identity server.
    pub id_server_unbind_result: UnbindResult,
}

/// The body of [`UNBIND`], equal to that of [`DELETE`].
pub type UnbindThreepidRequest = DeleteThreepidRequest;

/// The answer of [`UNBIND`], equal to that of [`DELETE`].
pub type UnbindThreepidResponse = DeleteThreepidResponse;

/// What became of an association at an identity server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnbindResult {
    /// It was removed.
    Success,
    /// The server can't say, or knows of no identity server.
    NoSupport,
}
