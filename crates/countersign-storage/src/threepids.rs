//! Addresses of accounts.

use async_trait::async_trait;
use countersign_core::{AccountThreepid, AddRefusal, AddThreepid, AddressHash, Localpart, Timestamp};

use crate::StorageError;

/// What adding an address led to.
pub type AddedThreepid = Result<(), AddRefusal>;

/// Addresses of accounts. An address is on one account at most.
#[async_trait]
pub trait ThreepidStore: Send + Sync {
    /// Adds the address of a validated session to an account, and consumes the session. Decided by
    /// `ValidationSession::add_threepid`. Of two accounts that add one address, one wins. On a refusal nothing changes.
    async fn add_threepid(&self, add: AddThreepid, now: Timestamp) -> Result<AddedThreepid, StorageError>;

    /// The addresses of an account, in the order in which they came.
    async fn list_threepids(&self, localpart: &Localpart) -> Result<Vec<AccountThreepid>, StorageError>;

    /// Takes an address from an account. Answers whether it was there. Never touches another account's.
    async fn delete_threepid(
        &self,
        localpart: &Localpart,
        address: AddressHash,
    ) -> Result<bool, StorageError>;

    /// The account that has the address.
    async fn find_threepid_owner(&self, address: AddressHash) -> Result<Option<Localpart>, StorageError>;
}
