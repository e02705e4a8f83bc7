//! What is kept about keys. No key in clear.

use async_trait::async_trait;
use countersign_core::{MasterKeyId, Sealed};

use crate::StorageError;

/// A master key that was used with this database, and its check value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyCheck {
    /// The key's id in the key file.
    pub key_id: MasterKeyId,
    /// What the key must answer to.
    pub check_value: [u8; 32],
}

/// What is kept about keys.
#[async_trait]
pub trait KeyStore: Send + Sync {
    /// The sealed index key, once there is one.
    async fn find_index_key(&self) -> Result<Option<Sealed>, StorageError>;

    /// Keeps `sealed` as the index key unless there is one, and answers the one that is kept. Of two nodes that start at
    /// once, one wins.
    async fn init_index_key(&self, sealed: Sealed) -> Result<Sealed, StorageError>;

    /// Replaces the sealed index key by the same key sealed anew. Changes nothing and answers `false` if `former` is not
    /// what is kept.
    async fn rewrap_index_key(&self, former: Sealed, sealed: Sealed) -> Result<bool, StorageError>;

    /// The check values of all master keys that were ever used.
    async fn list_key_checks(&self) -> Result<Vec<KeyCheck>, StorageError>;

    /// Keeps a check value for a key that has none yet.
    async fn add_key_check(&self, check: KeyCheck) -> Result<(), StorageError>;
}
