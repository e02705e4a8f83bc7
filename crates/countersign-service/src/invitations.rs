//! Invitations to the owner of an e-mail address that is bound to nobody yet: keep one, write its mail, sign for who has it.

mod details;
mod mail;

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_core::{
    Carrier, ClientNetwork, Clock, EmailAddress, InvalidSigningKey, Invitation, Keyring, Medium, NoticeDraft,
    PublicKey, Random, SealedColumn, ServerName, SigningKey, SigningKeyId, ThirdPartyIdentifier, UserId,
};
use countersign_storage::{InvitationStored, Storage, StorageError};
use serde_json::{Map, Value};
use thiserror::Error;

pub use self::mail::{InvalidInviteLink, InviteLink};
pub(crate) use self::{
    details::{Details, InvalidDetails},
    mail::invitation_email,
};
use crate::{
    Limits, Links, OutboxWakeup, RequestContext, Signing, drafts::UnaskedMessage, signing::sign_own,
};

/// The name of the keys of invitations, as Sydent has it and clients expect it.
const EPHEMERAL_KEY_VERSION: &str = "0";

/// Invitations. Cheap to clone.
#[derive(Clone)]
pub struct Invitations {
    storage: Arc<dyn Storage>,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    wakeup: OutboxWakeup,
    signing: Signing,
    settings: Arc<InvitationsSettings>,
}

/// What an operator decides about invitations.
#[derive(Clone, Debug)]
pub struct InvitationsSettings {
    /// The part after the colon in user ids.
    pub server_name: ServerName,
    /// Where this server is reached.
    pub links: Links,
    /// Whether mail can be sent: the media that messages can be sent by.
    pub media: Vec<Medium>,
    /// How long a mail may wait to be sent.
    pub lifetime: Duration,
    /// How often things may happen.
    pub limits: Limits,
}

/// A wish to invite the owner of an address.
#[derive(Clone)]
pub struct InvitationWish {
    /// What came along.
    pub context: RequestContext,
    /// The address.
    pub address: EmailAddress,
    /// Who invites.
    pub sender: UserId,
    /// Where to.
    pub room: InvitedRoom,
    /// What the sender is called.
    pub sender_display_name: Option<String>,
    /// The sender's picture.
    pub sender_avatar_url: Option<String>,
}

/// A room, as the sender of an invitation describes it.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct InvitedRoom {
    /// Its id.
    #[serde(rename = "room_id")]
    pub id: String,
    /// Its alias.
    #[serde(rename = "room_alias", default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// Its picture.
    #[serde(rename = "room_avatar_url", default, skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
    /// Who may join it.
    #[serde(rename = "room_join_rules", default, skip_serializing_if = "Option::is_none")]
    pub join_rules: Option<String>,
    /// Its name.
    #[serde(rename = "room_name", default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its type.
    #[serde(rename = "room_type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// An invitation that waits.
#[derive(Clone, Debug)]
pub struct StoredInvitation {
    /// Names it.
    pub token: String,
    /// The key that this server signs with.
    pub long_term_key: PublicKey,
    /// Where to ask whether that is good.
    pub long_term_key_url: String,
    /// The key that was made for the invitation, in the letters that it is asked after by.
    pub ephemeral_key: String,
    /// Where to ask whether that is good.
    pub ephemeral_key_url: String,
    /// The address, so that nobody reads it who doesn't know it.
    pub display_name: String,
}

/// Why nobody is invited.
#[derive(Debug, Error)]
pub enum StoreInviteError {
    /// No mail can be sent.
    #[error("no mail can be sent")]
    MediumNotSupported,
    /// The sender is not the caller.
    #[error("users invite in their own names only")]
    Forbidden,
    /// The address is bound to this user, who can be invited directly.
    #[error("the address is bound")]
    InUse(UserId),
    /// Too much in too short a time.
    #[error("limited for {} ms", .0.as_millis())]
    Limited(Duration),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A wish to have it signed that a user has an invitation.
#[derive(Clone)]
pub struct SignWish {
    /// The user.
    pub user_id: UserId,
    /// The invitation.
    pub token: String,
    /// The key that came with it, in base64.
    pub private_key: String,
}

/// Why nothing is signed.
#[derive(Debug, Error)]
pub enum SignError {
    /// There is no such invitation.
    #[error("there is no such invitation")]
    UnknownToken,
    /// What was sent is no key.
    #[error(transparent)]
    PrivateKey(#[from] InvalidSigningKey),
    /// Too much in too short a time.
    #[error("limited for {} ms", .0.as_millis())]
    Limited(Duration),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Invitations {
    /// Joins what it needs.
    pub fn new(
        storage: Arc<dyn Storage>,
        keyring: Arc<Keyring>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        wakeup: OutboxWakeup,
        signing: Signing,
        settings: InvitationsSettings,
    ) -> Self {
        Self { storage, keyring, clock, random, wakeup, signing, settings: settings.into() }
    }

    /// Keeps an invitation until its address is bound, and queues its mail.
    ///
    /// # Errors
    /// When the sender is not the caller, the address is bound, or there were enough of these; when the database fails.
    pub async fn store_invite(
        &self,
        caller: &UserId,
        wish: InvitationWish,
    ) -> Result<StoredInvitation, StoreInviteError> {
        if !self.settings.media.contains(&Medium::Email) {
            return Err(StoreInviteError::MediumNotSupported);
        }
        if *caller != wish.sender {
            return Err(StoreInviteError::Forbidden);
        }
        let now = self.clock.now();
        let threepid = ThirdPartyIdentifier::from(wish.address.clone());
        let token = URL_SAFE_NO_PAD.encode(self.random.bytes::<32>());
        let key = SigningKey::generate(ephemeral_key_id(), &*self.random);
        let ephemeral_key = key.public_key().to_base64_url_safe();
        let mail = UnaskedMessage {
            threepid: &threepid,
            language: &wish.context.language,
            user_id: &wish.sender,
            lifetime: self.settings.lifetime,
        };
        let mail = mail.draft(&self.keyring, &*self.random, now);
        let charges = self.settings.limits.invitation(&self.keyring, caller, mail.address_hash);
        let display_name = wish.address.redacted();
        let invitation = self.seal(wish, &token, &key, &mail);
        let stored =
            self.storage.store_invitation(invitation, ephemeral_key.clone(), mail, charges, now).await?;
        match stored {
            InvitationStored::Waiting { queued: true } => self.wakeup.ring(Carrier::Email),
            InvitationStored::Waiting { queued: false } => {}
            InvitationStored::InUse(user_id) => return Err(StoreInviteError::InUse(user_id)),
            InvitationStored::Limited(limited) => return Err(StoreInviteError::Limited(limited.retry_after)),
        }
        Ok(StoredInvitation {
            token,
            long_term_key: self.signing.current_key(),
            long_term_key_url: self.settings.links.pubkey_is_valid(),
            ephemeral_key,
            ephemeral_key_url: self.settings.links.ephemeral_pubkey_is_valid(),
            display_name,
        })
    }

    /// Whether this is the public key of an invitation, letter for letter. A blank stands for a `+` that was not escaped.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_ephemeral_key(&self, public_key: &str) -> Result<bool, StorageError> {
        self.storage.has_ephemeral_key(&public_key.replace(' ', "+")).await
    }

    /// As [`sign`](Self::sign), for whoever comes from a network with the link of an invitation's mail.
    ///
    /// # Errors
    /// As those, and when there were enough of these from the network.
    pub async fn sign_by_link(
        &self,
        wish: &SignWish,
        network: ClientNetwork,
    ) -> Result<Map<String, Value>, SignError> {
        let charges = self.settings.limits.signature(&self.keyring, network);
        let charged = self.storage.charge(charges, self.clock.now()).await?;
        charged.map_err(|limited| SignError::Limited(limited.retry_after))?;
        self.sign(wish).await
    }

    /// Signs with the key that came with an invitation that a user has it: the object `{mxid, sender, token}`.
    ///
    /// # Errors
    /// When there is no such invitation, or the key is none; when the database fails.
    pub async fn sign(&self, wish: &SignWish) -> Result<Map<String, Value>, SignError> {
        let hash = self.keyring.invitation_token_hash(&wish.token);
        let invitation = self.storage.find_invitation(hash).await?.ok_or(SignError::UnknownToken)?;
        let key = SigningKey::from_base64_seed(ephemeral_key_id(), &wish.private_key)?;
        let fields: [(&str, Value); 3] = [
            ("mxid", wish.user_id.as_str().into()),
            ("sender", invitation.sender.as_str().into()),
            ("token", wish.token.as_str().into()),
        ];
        let object = fields.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
        Ok(sign_own(object, &self.settings.server_name, &key))
    }

    fn seal(&self, wish: InvitationWish, token: &str, key: &SigningKey, mail: &NoticeDraft) -> Invitation {
        let token_hash = self.keyring.invitation_token_hash(token);
        let sender = wish.sender.clone();
        let details = Details::new(wish, token, key).to_json();
        let (column, row) = (SealedColumn::Invitation, token_hash.as_bytes());
        Invitation {
            token_hash,
            address_hash: mail.address_hash,
            sender,
            sealed_details: self.keyring.sealer().seal(column, row, &details, &*self.random),
            sid: mail.sid,
            created_at: self.clock.now(),
            handed_over_at: None,
        }
    }
}

fn ephemeral_key_id() -> SigningKeyId {
    SigningKeyId::from_version(EPHEMERAL_KEY_VERSION).expect("a digit names a key")
}
