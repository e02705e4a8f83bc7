//! Addresses of accounts.

use async_trait::async_trait;
use countersign_core::{
    AccountThreepid, AddRefusal, AddThreepid, AddressHash, Localpart, Medium, NoticeDraft, ThreepidOwner,
    Timestamp,
};

use crate::StorageError;

/// What adding an address led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddedThreepid {
    /// The media of the notices that were queued. A repeat queues none.
    pub notified: Vec<Medium>,
}

/// Addresses of accounts. An address is on one account at most.
#[async_trait]
pub trait ThreepidStore: Send + Sync {
    /// Adds the address of a validated session to an account, and consumes the session, together with the one that allowed
    /// it. Decided by `ValidationSession::add_threepid`. Queues notices to the addresses that the account had before. Of two accounts that
    /// add one address, one wins. On a refusal nothing changes.
    async fn add_threepid(
        &self,
        add: AddThreepid,
        now: Timestamp,
    ) -> Result<Result<AddedThreepid, AddRefusal>, StorageError>;

    /// The addresses of an account, in the order in which they came.
    async fn list_threepids(&self, localpart: &Localpart) -> Result<Vec<AccountThreepid>, StorageError>;

    /// Takes an address from an account, and queues notices, also to that address. Answers the media of those; `None`, and
    /// no change, if the address wasn't there. Never touches another account's.
    async fn delete_threepid(
        &self,
        localpart: &Localpart,
        address: AddressHash,
        notices: Vec<NoticeDraft>,
        now: Timestamp,
    ) -> Result<Option<Vec<Medium>>, StorageError>;

    /// The account that has the address, and since when.
    async fn find_threepid_owner(&self, address: AddressHash) -> Result<Option<ThreepidOwner>, StorageError>;
}
