//! `/identity/v2/store-invite`: inviting somebody to a room by their address.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::object::{BodyError, FromObject, Object};

/// `POST`, with an access token: keeps an invitation until somebody binds the address, and mails it there.
///
/// [Spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2store-invite)
pub const STORE_INVITE: &str = "/identity/v2/store-invite";

/// The body of [`STORE_INVITE`]. The specification allows any other keys, too; they are not read.
#[derive(Clone, Serialize)]
pub struct StoreInviteRequest {
    /// `email`.
    pub medium: String,
    /// The address to invite.
    pub address: String,
    /// The room.
    pub room_id: String,
    /// The user who invites.
    pub sender: String,
    /// The room's alias.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room_alias: Option<String>,
    /// The room's picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room_avatar_url: Option<String>,
    /// Who may join the room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room_join_rules: Option<String>,
    /// The room's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room_name: Option<String>,
    /// The room's type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room_type: Option<String>,
    /// The name of the user who invites.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_display_name: Option<String>,
    /// The picture of the user who invites.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_avatar_url: Option<String>,
}

impl StoreInviteRequest {
    /// Makes a body of what is required, for an e-mail address.
    pub fn email(address: impl Into<String>, room_id: impl Into<String>, sender: impl Into<String>) -> Self {
        Self {
            medium: "email".to_owned(),
            address: address.into(),
            room_id: room_id.into(),
            sender: sender.into(),
            room_alias: None,
            room_avatar_url: None,
            room_join_rules: None,
            room_name: None,
            room_type: None,
            sender_display_name: None,
            sender_avatar_url: None,
        }
    }
}

impl fmt::Debug for StoreInviteRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreInviteRequest")
            .field("medium", &self.medium)
            .field("room_id", &self.room_id)
            .field("sender", &self.sender)
            .finish_non_exhaustive()
    }
}

impl FromObject for StoreInviteRequest {
    fn from_object(mut object: Object) -> Result<Self, BodyError> {
        Ok(Self {
            medium: object.required_string("medium")?,
            address: object.required_string("address")?,
            room_id: object.required_string("room_id")?,
            sender: object.required_string("sender")?,
            room_alias: object.optional_string("room_alias")?,
            room_avatar_url: object.optional_string("room_avatar_url")?,
            room_join_rules: object.optional_string("room_join_rules")?,
            room_name: object.optional_string("room_name")?,
            room_type: object.optional_string("room_type")?,
            sender_display_name: object.optional_string("sender_display_name")?,
            sender_avatar_url: object.optional_string("sender_avatar_url")?,
        })
    }
}

/// The answer of [`STORE_INVITE`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreInviteResponse {
    /// The invitation's token, for the room's event `m.room.third_party_invite`.
    pub token: String,
    /// The service's long-term key, then the one that was made for the invitation.
    pub public_keys: Vec<InvitePublicKey>,
    /// The address with most of it hidden.
    pub display_name: String,
    /// The first of [`StoreInviteResponse::public_keys`] once more, as version 1 of the API had it: some homeservers
    /// read nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<String>,
}

impl fmt::Debug for StoreInviteResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreInviteResponse").field("public_keys", &self.public_keys).finish_non_exhaustive()
    }
}

/// A key with which an invitation may be signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitePublicKey {
    /// The key in base64.
    pub public_key: String,
    /// Where to ask whether it is still good.
    pub key_validity_url: String,
}
