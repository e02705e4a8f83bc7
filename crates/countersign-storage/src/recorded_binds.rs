//! Where users of this node bound their addresses.

use async_trait::async_trait;
use countersign_core::{AccountHome, AddressHash, Localpart, RecordedBind, Timestamp};

use crate::StorageError;

/// What became of a bind that was to be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It is remembered.
    Kept,
    /// The account has ended meanwhile, so it is remembered as one to take back.
    AccountEnded,
}

/// A bind of an account that ended, which is to be taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindToTakeBack {
    /// The bind.
    pub bind: RecordedBind,
    /// How often that was tried.
    pub tries: u32,
}

/// Where users of this node bound their addresses.
#[async_trait]
pub trait RecordedBindStore: Send + Sync {
    /// Remembers a bind. Again changes nothing but its time, which is a later one then. What an account bound that ended is to be taken back at once.
    async fn record_bind(&self, bind: RecordedBind, home: AccountHome) -> Result<Recorded, StorageError>;

    /// What an account bound, oldest first: of one address, or all.
    async fn list_recorded_binds(
        &self,
        localpart: &Localpart,
        address: Option<AddressHash>,
    ) -> Result<Vec<RecordedBind>, StorageError>;

    /// Forgets a bind, unless the address was bound there again since. Forgetting what isn't there changes nothing.
    async fn delete_recorded_bind(&self, bind: &RecordedBind) -> Result<(), StorageError>;

    /// Up to `limit` binds of accounts that ended whose time to be taken back has come, the longest due first.
    async fn list_binds_to_take_back(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<BindToTakeBack>, StorageError>;

    /// Counts a try to take a bind back that failed, and says when to try again. Changes nothing if another node has counted
    /// one since.
    async fn postpone_taking_back(&self, owed: &BindToTakeBack, until: Timestamp)
    -> Result<(), StorageError>;
}
