//! Whether the server can do its work.

use std::{sync::Arc, time::Duration};

use countersign_storage::{OutboxCounts, Storage, StorageError};
use thiserror::Error;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

/// How often the database is made to write, at most, however often someone asks.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);

/// How long the database has to answer. Whoever asks, such as a load balancer, does not wait for long either.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether the server can do its work. Cheap to clone.
#[derive(Clone)]
pub struct Health {
    storage: Arc<dyn Storage>,
    /// When the database last wrote because it was made to.
    written_at: Arc<Mutex<Option<Instant>>>,
}

/// That the server can do its work, and how much of it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// What waits in the outbox.
    pub outbox: OutboxCounts,
}

/// Why the server can't do its work.
#[derive(Debug, Error)]
pub enum NotReady {
    /// No answer yet.
    #[error("the database did not answer within {} s", PATIENCE.as_secs())]
    TooSlow,
    /// The database can't work.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Health {
    /// Of this storage.
    pub fn new(storage: Arc<dyn Storage>) -> Self {
        Self { storage, written_at: Arc::default() }
    }

    /// Asks the database, and from time to time makes it write: one that is full, or is no longer the primary, reads as
    /// well as ever.
    ///
    /// # Errors
    /// When it does not do so, or not soon.
    pub async fn ready(&self) -> Result<Readiness, NotReady> {
        let ask = async {
            self.check_writable().await?;
            Ok(Readiness { outbox: self.storage.count_outbox().await? })
        };
        timeout(PATIENCE, ask).await.unwrap_or(Err(NotReady::TooSlow))
    }

    async fn check_writable(&self) -> Result<(), StorageError> {
        let mut written_at = self.written_at.clone().lock_owned().await;
        if written_at.is_some_and(|at| at.elapsed() < CHECK_INTERVAL) {
            return Ok(());
        }
        let storage = self.storage.clone();
        // Whoever stops waiting leaves the lock with it, so that no second check begins beside one that hangs.
        let check = tokio::spawn(async move {
            let checked = storage.check_writable().await;
            *written_at = checked.is_ok().then(Instant::now);
            checked
        });
        check.await.unwrap_or(Err(StorageError::Panicked))
    }
}
