//! `/capabilities`: what a server lets its users do.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// `GET`, with an access token.
///
/// [Spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3capabilities)
pub const CAPABILITIES: &str = "/capabilities";

/// The answer of [`CAPABILITIES`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CapabilitiesResponse {
    /// The capabilities.
    pub capabilities: Capabilities,
}

/// The capabilities. For most of them, absent means enabled.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Capabilities {
    /// Whether users can change their passwords.
    #[serde(rename = "m.change_password", default, skip_serializing_if = "Option::is_none")]
    pub change_password: Option<Capability>,
    /// Whether users can add 3PIDs to their accounts and delete them.
    #[serde(rename = "m.3pid_changes", default, skip_serializing_if = "Option::is_none")]
    pub threepid_changes: Option<Capability>,
    /// Whether users can get a token to log in another device. Absent means disabled.
    #[serde(rename = "m.get_login_token", default, skip_serializing_if = "Option::is_none")]
    pub get_login_token: Option<Capability>,
    /// Whether users can change their display names.
    #[serde(rename = "m.set_displayname", default, skip_serializing_if = "Option::is_none")]
    pub set_displayname: Option<Capability>,
    /// Whether users can change their avatars.
    #[serde(rename = "m.set_avatar_url", default, skip_serializing_if = "Option::is_none")]
    pub set_avatar_url: Option<Capability>,
    /// Whether users can change their profiles.
    #[serde(rename = "m.profile_fields", default, skip_serializing_if = "Option::is_none")]
    pub profile_fields: Option<Capability>,
    /// Other capabilities; each value is an object.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A capability that is on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capability {
    /// Whether it is on.
    pub enabled: bool,
}
