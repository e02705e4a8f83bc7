//! `/identity/v2/pubkey`: the keys with which the identity service signs, and those of invitations.

use serde::{Deserialize, Serialize};

use crate::object::{BodyError, FromObject, Object};

/// `GET`: the public key with an id, such as `ed25519:0`.
///
/// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityv2pubkeykeyid)
pub const PUBKEY: &str = "/identity/v2/pubkey/{key_id}";

/// `GET`: whether a key is one that the service signs with. The query is [`IsValidQuery`].
///
/// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityv2pubkeyisvalid)
pub const IS_VALID: &str = "/identity/v2/pubkey/isvalid";

/// `GET`: whether a key is one that was made for an invitation. The query is [`IsValidQuery`].
///
/// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#get_matrixidentityv2pubkeyephemeralisvalid)
pub const EPHEMERAL_IS_VALID: &str = "/identity/v2/pubkey/ephemeral/isvalid";

/// The answer of [`PUBKEY`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PubkeyResponse {
    /// The key in unpadded base64.
    pub public_key: String,
}

/// The query of [`IS_VALID`] and [`EPHEMERAL_IS_VALID`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IsValidQuery {
    /// The key in base64. A blank stands where a client has left a `+` unescaped.
    pub public_key: String,
}

impl FromObject for IsValidQuery {
    fn from_object(mut object: Object) -> Result<Self, BodyError> {
        Ok(Self { public_key: object.required_string("public_key")? })
    }
}

/// The answer of [`IS_VALID`] and [`EPHEMERAL_IS_VALID`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IsValidResponse {
    /// False for a key that is unknown or ill-formed, too.
    pub valid: bool,
}
