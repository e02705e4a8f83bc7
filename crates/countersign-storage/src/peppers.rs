//! The peppers of lookups, and how one takes another's place: the new one's keys are filled in by batches beside those of the
//! current one, then one small operation makes it current.

use async_trait::async_trait;
use countersign_core::{AddressHash, HeldPepper, LookupKey, LookupPepper, Timestamp};

use crate::StorageError;

/// The peppers of lookups.
#[async_trait]
pub trait PepperStore: Send + Sync {
    /// All peppers, the oldest first.
    async fn list_peppers(&self) -> Result<Vec<HeldPepper>, StorageError>;

    /// Keeps `pepper` as the current one unless there is a current one, and answers that. Of two nodes that start at once,
    /// one wins.
    async fn init_pepper(&self, pepper: LookupPepper, now: Timestamp) -> Result<HeldPepper, StorageError>;

    /// Begins to fill a pepper that is to take the current one's place; from now on each bind needs a key under it. If one is
    /// being filled already, answers that and changes nothing.
    async fn begin_pepper(&self, pepper: LookupPepper, now: Timestamp) -> Result<HeldPepper, StorageError>;

    /// Keeps keys under a pepper for associations that still are there and have none under it yet.
    async fn fill_pepper(&self, number: i64, keys: Vec<(AddressHash, LookupKey)>)
    -> Result<(), StorageError>;

    /// Makes a filled pepper the current one, and retires the one before. `false`, and no change, if it isn't being filled.
    async fn make_pepper_current(&self, number: i64) -> Result<bool, StorageError>;

    /// Deletes up to `limit` keys under retired peppers, and the peppers that have none left. Answers how many keys.
    async fn sweep_peppers(&self, limit: usize) -> Result<usize, StorageError>;
}
