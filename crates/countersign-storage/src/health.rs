//! Whether the database can do its work.

use async_trait::async_trait;

use crate::StorageError;

/// Whether the database can do its work.
#[async_trait]
pub trait HealthStore: Send + Sync {
    /// Commits a change that leaves nothing behind, as durably as any other: fails where requests fail.
    async fn check_writable(&self) -> Result<(), StorageError>;
}
