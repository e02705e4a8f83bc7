//! Invitations that wait until an address is bound.

use async_trait::async_trait;
use countersign_core::{
    AddressHash, Charge, Invitation, InvitationTokenHash, Limited, NoticeDraft, SessionId, Timestamp, UserId,
};

use crate::StorageError;

/// What keeping an invitation led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvitationStored {
    /// It waits.
    Waiting {
        /// Whether its mail was queued: not to an address whose owner wants none.
        queued: bool,
    },
    /// The address is bound to this user.
    InUse(UserId),
    /// Too much in too short a time.
    Limited(Limited),
}

/// Invitations that wait until an address is bound.
#[async_trait]
pub trait InvitationStore: Send + Sync {
    /// Keeps an invitation with its ephemeral public key, takes one unit from each budget, and queues its mail. All of it or
    /// nothing. An address that is bound is charged too.
    async fn store_invitation(
        &self,
        invitation: Invitation,
        ephemeral_key: String,
        mail: NoticeDraft,
        charges: Vec<Charge>,
        now: Timestamp,
    ) -> Result<InvitationStored, StorageError>;

    /// The invitation that a token names.
    async fn find_invitation(&self, token: InvitationTokenHash) -> Result<Option<Invitation>, StorageError>;

    /// The invitation whose mail a session owes.
    async fn find_invitation_of_session(&self, sid: SessionId) -> Result<Option<Invitation>, StorageError>;

    /// The invitations for an address that were not handed over yet, oldest first.
    async fn list_waiting_invitations(&self, address: AddressHash) -> Result<Vec<Invitation>, StorageError>;

    /// Keeps that invitations were handed over. Again changes nothing.
    async fn mark_handed_over(
        &self,
        tokens: Vec<InvitationTokenHash>,
        now: Timestamp,
    ) -> Result<(), StorageError>;

    /// Whether this is an ephemeral public key of an invitation, letter for letter.
    async fn has_ephemeral_key(&self, public_key: &str) -> Result<bool, StorageError>;
}
