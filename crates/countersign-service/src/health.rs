//! Whether the server can do its work.

use std::sync::Arc;

use countersign_storage::{OutboxCounts, Storage, StorageError};

/// Whether the server can do its work. Cheap to clone.
#[derive(Clone)]
pub struct Health {
    storage: Arc<dyn Storage>,
}

/// That the server can do its work, and how much of it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// What waits in the outbox.
    pub outbox: OutboxCounts,
}

impl Health {
    /// Of this storage.
    pub fn new(storage: Arc<dyn Storage>) -> Self {
        Self { storage }
    }

    /// Asks the database.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn ready(&self) -> Result<Readiness, StorageError> {
        Ok(Readiness { outbox: self.storage.count_outbox().await? })
    }
}
