//! What is kept of an invitation, sealed.

use countersign_core::{Invitation, Keyring, OpenError, SealedColumn, SigningKey, encode_base64_url_safe};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

use super::{InvitationWish, InvitedRoom};

/// What is kept of an invitation, as JSON.
#[derive(Serialize, Deserialize)]
pub(crate) struct Details {
    /// Names it.
    pub(crate) token: String,
    /// The address.
    pub(crate) address: String,
    /// Where to.
    #[serde(flatten)]
    pub(crate) room: InvitedRoom,
    /// What the sender is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sender_display_name: Option<String>,
    /// The sender's picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sender_avatar_url: Option<String>,
    /// The seed of the key that was made for it, in URL-safe base64.
    pub(crate) private_key: String,
}

/// Why an invitation can't be read. It never will be.
#[derive(Debug, Error)]
pub(crate) enum InvalidDetails {
    /// It does not open: a key is gone from the master key file, or the row is damaged.
    #[error("the invitation does not open")]
    Sealed(#[source] OpenError),
    /// What is sealed is no invitation.
    #[error("the invitation makes no sense")]
    Corrupt,
}

impl Details {
    pub(super) fn new(wish: InvitationWish, token: &str, key: &SigningKey) -> Self {
        Self {
            token: token.to_owned(),
            address: wish.address.as_str().to_owned(),
            room: wish.room,
            sender_display_name: wish.sender_display_name,
            sender_avatar_url: wish.sender_avatar_url,
            private_key: encode_base64_url_safe(&*key.expose_seed()),
        }
    }

    /// Opens what is kept of an invitation.
    pub(crate) fn open(keyring: &Keyring, invitation: &Invitation) -> Result<Self, InvalidDetails> {
        let (row, sealed) = (invitation.token_hash.as_bytes(), &invitation.sealed_details);
        let opened = keyring.sealer().open(SealedColumn::Invitation, row, sealed);
        let json = opened.map_err(InvalidDetails::Sealed)?;
        serde_json::from_slice(&json).map_err(|_| InvalidDetails::Corrupt)
    }

    /// As it is sealed.
    pub(crate) fn to_json(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(serde_json::to_vec(self).expect("text can be written as JSON"))
    }
}

impl Drop for Details {
    fn drop(&mut self) {
        self.token.zeroize();
        self.private_key.zeroize();
    }
}
