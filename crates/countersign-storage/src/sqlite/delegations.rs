//! The other end of sessions whose address another service validates.

use async_trait::async_trait;
use countersign_core::{Sealed, SessionId, Timestamp};

use super::SqliteStorage;
use crate::{DelegationStore, StorageError};

#[async_trait]
impl DelegationStore for SqliteStorage {
    async fn keep_delegation(
        &self,
        _sid: SessionId,
        _sealed_remote: Sealed,
        _expires_at: Timestamp,
    ) -> Result<(), StorageError> {
        Err(StorageError::Closed)
    }

    async fn find_delegation(&self, _sid: SessionId) -> Result<Option<Sealed>, StorageError> {
        Err(StorageError::Closed)
    }
}
