//! The other end of sessions whose address another service validates.

use async_trait::async_trait;
use countersign_core::{Sealed, SessionId, Timestamp};

use crate::StorageError;

/// The other end of sessions whose address another service validates.
#[async_trait]
pub trait DelegationStore: Send + Sync {
    /// Keeps what the other service calls a session, until that moment. The first stays: a later one changes nothing.
    async fn keep_delegation(
        &self,
        sid: SessionId,
        sealed_remote: Sealed,
        expires_at: Timestamp,
    ) -> Result<(), StorageError>;

    /// What the other service calls a session.
    async fn find_delegation(&self, sid: SessionId) -> Result<Option<Sealed>, StorageError>;
}
