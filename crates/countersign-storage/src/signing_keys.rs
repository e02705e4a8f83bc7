//! The keys that this server signs with, sealed, shared by all nodes.

use async_trait::async_trait;
use countersign_core::{Sealed, Timestamp};

use crate::StorageError;

/// A key that this server signs with, or did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSigningKey {
    /// Its id, `ed25519:…`.
    pub key_id: String,
    /// Its seed.
    pub sealed_seed: Sealed,
    /// Its public half.
    pub public_key: [u8; 32],
    /// When it came.
    pub created_at: Timestamp,
    /// When another took its place; it verifies what it signed for ever.
    pub retired_at: Option<Timestamp>,
}

/// The keys that this server signs with.
#[async_trait]
pub trait SigningKeyStore: Send + Sync {
    /// All keys, the oldest first; at most one of them is not retired.
    async fn list_signing_keys(&self) -> Result<Vec<StoredSigningKey>, StorageError>;

    /// Keeps `key` as the current one unless there is a current one, and answers that. Of two nodes that start at once, one
    /// wins.
    async fn init_signing_key(&self, key: StoredSigningKey) -> Result<StoredSigningKey, StorageError>;

    /// Makes `key` the current one and retires the one before. The same key again changes nothing. `false`, and no change, if
    /// another key has its id, or the same one that was retired: what was retired never comes back.
    async fn replace_signing_key(&self, key: StoredSigningKey, now: Timestamp) -> Result<bool, StorageError>;
}

/// What making a key the current one comes to.
pub(crate) enum Replacement {
    /// It takes the current one's place.
    New,
    /// It has.
    Done,
    /// Another key has its id, or it was retired.
    IdTaken,
}

impl Replacement {
    /// Compares `key` with those that there are.
    pub(crate) fn of(keys: &[StoredSigningKey], key: &StoredSigningKey) -> Self {
        match keys.iter().find(|held| held.key_id == key.key_id) {
            None => Self::New,
            Some(held) if held.public_key == key.public_key && held.retired_at.is_none() => Self::Done,
            Some(_) => Self::IdTaken,
        }
    }
}
