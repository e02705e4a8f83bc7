//! `/key/v2/server`: the keys with which a server signs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::signatures::Signatures;

/// `GET`: the server's keys, signed with each of them.
///
/// [Spec](https://spec.matrix.org/v1.19/server-server-api/#get_matrixkeyv2server)
pub const SERVER_KEYS: &str = "/key/v2/server";

/// The answer of [`SERVER_KEYS`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerKeysResponse {
    /// The server whose keys they are.
    pub server_name: String,
    /// The keys that it signs with, by id such as `ed25519:0`.
    pub verify_keys: BTreeMap<String, VerifyKey>,
    /// The keys that it has signed with, by id.
    #[serde(default)]
    pub old_verify_keys: BTreeMap<String, OldVerifyKey>,
    /// Until when the keys are to be trusted without asking again, in milliseconds since the Unix epoch.
    pub valid_until_ts: i64,
    /// The server's signatures on all this.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub signatures: Signatures,
}

/// A public key that is in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyKey {
    /// The key in unpadded base64.
    pub key: String,
}

/// A public key that is no longer in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OldVerifyKey {
    /// When it went out of use, in milliseconds since the Unix epoch.
    pub expired_ts: i64,
    /// The key in unpadded base64.
    pub key: String,
}
