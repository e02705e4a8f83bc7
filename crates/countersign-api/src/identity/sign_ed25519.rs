//! `/identity/v2/sign-ed25519`: signing an invitation with the key that came with it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    object::{BodyError, FromObject, Object},
    signatures::Signatures,
};

/// `POST`, with an access token: signs, with the key in the body, that a user has an invitation.
///
/// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2sign-ed25519)
pub const SIGN_ED25519: &str = "/identity/v2/sign-ed25519";

/// The body of [`SIGN_ED25519`].
#[derive(Clone, Serialize)]
pub struct SignRequest {
    /// The user who accepts the invitation.
    pub mxid: String,
    /// The invitation's token.
    pub token: String,
    /// The seed of the private key that came with the invitation, in base64.
    pub private_key: String,
}

impl fmt::Debug for SignRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignRequest").field("mxid", &self.mxid).finish_non_exhaustive()
    }
}

impl FromObject for SignRequest {
    fn from_object(mut object: Object) -> Result<Self, BodyError> {
        Ok(Self {
            mxid: object.required_string("mxid")?,
            token: object.required_string("token")?,
            private_key: object.required_string("private_key")?,
        })
    }
}

/// The answer of [`SIGN_ED25519`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignResponse {
    /// The user who accepts the invitation.
    pub mxid: String,
    /// The user who invited.
    pub sender: String,
    /// The invitation's token.
    pub token: String,
    /// The signature on the three fields above.
    pub signatures: Signatures,
}

impl fmt::Debug for SignResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignResponse")
            .field("mxid", &self.mxid)
            .field("sender", &self.sender)
            .finish_non_exhaustive()
    }
}
