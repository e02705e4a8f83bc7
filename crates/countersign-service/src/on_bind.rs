//! Tells the homeserver of a user who bound an address which invitations waited for it
//! ([spec](https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv13pidonbind)).

use std::sync::Arc;

use countersign_core::{
    AccountHome, Clock, Invitation, Keyring, LeasedMessage, ThirdPartyIdentifier, UserId,
};
use countersign_delivery::{Federation, SendError};
use countersign_storage::{Storage, StorageError};
use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::{
    SessionAddressError, Signing,
    invitations::{Details, InvalidDetails},
    session_address::open_session_address,
};

/// Tells homeservers of invitations that waited. Cheap to clone.
#[derive(Clone)]
pub struct OnBind {
    storage: Arc<dyn Storage>,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    federation: Arc<Federation>,
    signing: Signing,
    home: AccountHome,
}

/// Why a homeserver can't be told.
#[derive(Debug, Error)]
enum OnBindError {
    #[error(transparent)]
    Address(#[from] SessionAddressError),
    #[error(transparent)]
    Details(#[from] InvalidDetails),
    #[error("the message names no user")]
    NoUser,
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// What a homeserver is to be told.
struct Word {
    user_id: UserId,
    body: Value,
    invitations: Vec<Invitation>,
}

impl From<OnBindError> for SendError {
    fn from(error: OnBindError) -> Self {
        match error {
            OnBindError::Storage(cause) => Self::Transient {
                reason: format!("the invitations could not be read: {cause}"),
                retry_after: None,
            },
            error @ (OnBindError::Address(_) | OnBindError::Details(_) | OnBindError::NoUser) => {
                Self::Permanent { reason: error.to_string() }
            }
        }
    }
}

impl OnBind {
    /// Joins what it needs. `home` is where the accounts are whose ids have this server's name.
    pub fn new(
        storage: Arc<dyn Storage>,
        keyring: Arc<Keyring>,
        clock: Arc<dyn Clock>,
        federation: Arc<Federation>,
        signing: Signing,
        home: AccountHome,
    ) -> Self {
        Self { storage, keyring, clock, federation, signing, home }
    }

    /// Makes one try. Telling again what was told changes nothing here, and there a user is invited who is already.
    pub(crate) async fn send(&self, leased: &LeasedMessage) -> Result<String, SendError> {
        let Some(word) = self.find(leased).await? else {
            return Ok("nothing waits for this user any more".to_owned());
        };
        let server = word.user_id.server_name();
        let reply = if server == *self.signing.server_name() && self.home == AccountHome::Here {
            // This node has accounts, but no rooms to invite them to.
            "no homeserver to tell"
        } else {
            let told = self.federation.onbind(&server, &word.body).await;
            told.map_err(|error| SendError::Transient { reason: error.to_string(), retry_after: None })?;
            "200"
        };
        let tokens = word.invitations.iter().map(|invitation| invitation.token_hash).collect();
        let marked = self.storage.mark_handed_over(tokens, self.clock.now()).await;
        marked.map_err(OnBindError::Storage)?;
        Ok(reply.to_owned())
    }

    /// What a homeserver is to be told. `None`: the address is not bound to that user any more, or nothing waits.
    async fn find(&self, leased: &LeasedMessage) -> Result<Option<Word>, OnBindError> {
        let session = &leased.session;
        let user_id = session.requested_by.clone().ok_or(OnBindError::NoUser)?;
        let association = self.storage.find_association(session.address_hash).await?;
        if association.is_none_or(|association| association.user_id != user_id) {
            return Ok(None);
        }
        let invitations = self.storage.list_waiting_invitations(session.address_hash).await?;
        if invitations.is_empty() {
            return Ok(None);
        }
        let threepid = open_session_address(&self.keyring, session)?;
        let (mut invites, mut readable, mut unreadable) = (Vec::new(), Vec::new(), None);
        for invitation in invitations {
            match self.invite(&invitation, &threepid, &user_id) {
                Ok(invite) => {
                    invites.push(invite);
                    readable.push(invitation);
                }
                Err(error) => {
                    // Must not keep the others back.
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        outbox.id = %leased.message.id,
                        "An invitation that waited can't be read, and is not handed over"
                    );
                    unreadable = Some(error);
                }
            }
        }
        if let Some(error) = unreadable.filter(|_| readable.is_empty()) {
            return Err(error.into());
        }
        let fields: [(&str, Value); 4] = [
            ("medium", threepid.medium().as_str().into()),
            ("address", threepid.address().into()),
            ("mxid", user_id.as_str().into()),
            ("invites", invites.into()),
        ];
        let body = self.signing.sign(object(fields)).into();
        Ok(Some(Word { user_id, body, invitations: readable }))
    }

    fn invite(
        &self,
        invitation: &Invitation,
        threepid: &ThirdPartyIdentifier,
        user_id: &UserId,
    ) -> Result<Value, InvalidDetails> {
        let details = Details::open(&self.keyring, invitation)?;
        let signed = [("mxid", user_id.as_str().into()), ("token", details.token.as_str().into())];
        Ok(json!({
            "medium": threepid.medium().as_str(),
            "address": threepid.address(),
            "mxid": user_id.as_str(),
            "room_id": details.room.id,
            "sender": invitation.sender.as_str(),
            "signed": self.signing.sign(object(signed)),
        }))
    }
}

fn object<const N: usize>(fields: [(&str, Value); N]) -> Map<String, Value> {
    fields.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
}
