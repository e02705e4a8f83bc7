//! `/federation/v1/3pid/onbind`: an identity server tells a homeserver that a 3PID with invitations was bound.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    object::{BodyError, FromObject, Object},
    signatures::Signatures,
};

/// `PUT`, and `POST` at homeservers that are older than the specification's present text.
///
/// [Spec](https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv13pidonbind)
pub const ONBIND: &str = "/federation/v1/3pid/onbind";

/// The body of [`ONBIND`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnbindRequest {
    /// `email`.
    pub medium: String,
    /// The canonical address.
    pub address: String,
    /// The user that the address is bound to now.
    pub mxid: String,
    /// The invitations that waited for the address.
    pub invites: Vec<BoundInvite>,
}

impl fmt::Debug for OnbindRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnbindRequest")
            .field("medium", &self.medium)
            .field("invites", &self.invites.len())
            .finish_non_exhaustive()
    }
}

/// The body of [`ONBIND`] as far as a server without rooms reads it: whatever the invitations say leads to nothing there.
#[derive(Clone, PartialEq, Eq)]
pub struct OnbindNotice {
    /// `email`.
    pub medium: String,
    /// The canonical address.
    pub address: String,
    /// The user that the address is bound to now.
    pub mxid: String,
}

impl fmt::Debug for OnbindNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnbindNotice").field("medium", &self.medium).finish_non_exhaustive()
    }
}

impl FromObject for OnbindNotice {
    fn from_object(mut object: Object) -> Result<Self, BodyError> {
        Ok(Self {
            medium: object.required_string("medium")?,
            address: object.required_string("address")?,
            mxid: object.required_string("mxid")?,
        })
    }
}

/// An invitation that waited for an address.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundInvite {
    /// `email`.
    pub medium: String,
    /// The canonical address.
    pub address: String,
    /// The user that the address is bound to now.
    pub mxid: String,
    /// The room that the invitation is to.
    pub room_id: String,
    /// The user that invited.
    pub sender: String,
    /// The identity server's word for it.
    pub signed: SignedInvite,
}

impl fmt::Debug for BoundInvite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundInvite").field("room_id", &self.room_id).finish_non_exhaustive()
    }
}

/// That a user is who the invitation with a token was for. Unlike the answer of
/// [`SIGN_ED25519`](crate::identity::sign_ed25519::SIGN_ED25519), it doesn't name the sender.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedInvite {
    /// The user.
    pub mxid: String,
    /// The invitation's token.
    pub token: String,
    /// The identity server's signatures on these two.
    pub signatures: Signatures,
}

impl fmt::Debug for SignedInvite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedInvite").field("mxid", &self.mxid).finish_non_exhaustive()
    }
}
