//! `/identity/v2/3pid`: publishing whose a 3PID is, and taking it back.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    object::{BodyError, FromObject, Object},
    signatures::Signatures,
};

/// `POST`, with an access token: binds a validated 3PID to a user.
///
/// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv23pidbind)
pub const BIND: &str = "/identity/v2/3pid/bind";

/// `POST`: unbinds a 3PID from a user. A homeserver signs the request; a client sends an access token and the session
/// that proves the address.
///
/// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv23pidunbind)
pub const UNBIND: &str = "/identity/v2/3pid/unbind";

/// The body of [`BIND`].
#[derive(Clone, Serialize)]
pub struct BindRequest {
    /// The session's id.
    pub sid: String,
    /// The secret that opened the session.
    pub client_secret: String,
    /// The user.
    pub mxid: String,
}

impl BindRequest {
    /// Makes a body that binds what the session proves to the user.
    pub fn new(sid: impl Into<String>, client_secret: impl Into<String>, mxid: impl Into<String>) -> Self {
        Self { sid: sid.into(), client_secret: client_secret.into(), mxid: mxid.into() }
    }
}

impl fmt::Debug for BindRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BindRequest").field("mxid", &self.mxid).finish_non_exhaustive()
    }
}

impl FromObject for BindRequest {
    fn from_object(mut object: Object) -> Result<Self, BodyError> {
        Ok(Self {
            sid: object.required_string("sid")?,
            client_secret: object.required_string("client_secret")?,
            mxid: object.required_string("mxid")?,
        })
    }
}

/// The answer of [`BIND`]: the association, signed with the service's long-term key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindResponse {
    /// The canonical address.
    pub address: String,
    /// `email` or `msisdn`.
    pub medium: String,
    /// The user.
    pub mxid: String,
    /// From when on the association is valid, in milliseconds since the Unix epoch.
    pub not_before: i64,
    /// Until when the association is valid, in milliseconds since the Unix epoch.
    pub not_after: i64,
    /// When the association was made, in milliseconds since the Unix epoch.
    pub ts: i64,
    /// The service's signatures on all other fields.
    #[serde(default, skip_serializing_if = "Signatures::is_empty")]
    pub signatures: Signatures,
}

impl fmt::Debug for BindResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BindResponse")
            .field("medium", &self.medium)
            .field("mxid", &self.mxid)
            .finish_non_exhaustive()
    }
}

/// The body of [`UNBIND`].
#[derive(Clone, Serialize)]
pub struct UnbindRequest {
    /// The user.
    pub mxid: String,
    /// What to unbind.
    pub threepid: BoundThreepid,
    /// The id of the session that proves the address; absent if a homeserver asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// The secret that opened the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
}

impl UnbindRequest {
    /// Makes a body without a session, as a homeserver sends it with its signature.
    pub fn new(mxid: impl Into<String>, medium: impl Into<String>, address: impl Into<String>) -> Self {
        let threepid = BoundThreepid { medium: medium.into(), address: address.into() };
        Self { mxid: mxid.into(), threepid, sid: None, client_secret: None }
    }

    /// The same with the session that proves the address, as a client sends it.
    #[must_use]
    pub fn with_session(self, sid: impl Into<String>, client_secret: impl Into<String>) -> Self {
        Self { sid: Some(sid.into()), client_secret: Some(client_secret.into()), ..self }
    }
}

impl fmt::Debug for UnbindRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnbindRequest").field("mxid", &self.mxid).finish_non_exhaustive()
    }
}

impl FromObject for UnbindRequest {
    fn from_object(mut object: Object) -> Result<Self, BodyError> {
        Ok(Self {
            mxid: object.required_string("mxid")?,
            threepid: BoundThreepid::from_object(object.required_object("threepid")?)?,
            sid: object.optional_string("sid")?,
            client_secret: object.optional_string("client_secret")?,
        })
    }
}

/// A 3PID that is, or was, bound to a user.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct BoundThreepid {
    /// `email` or `msisdn`.
    pub medium: String,
    /// The address.
    pub address: String,
}

impl fmt::Debug for BoundThreepid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundThreepid").field("medium", &self.medium).finish_non_exhaustive()
    }
}

impl FromObject for BoundThreepid {
    fn from_object(mut object: Object) -> Result<Self, BodyError> {
        Ok(Self { medium: object.required_string("medium")?, address: object.required_string("address")? })
    }
}
