//! Forgets what is over.

use std::{sync::Arc, time::Duration};

use countersign_core::Clock;
use countersign_storage::{Retention, Storage, StorageError, Swept};
use tokio_util::sync::CancellationToken;

/// Sweeps the database from time to time.
pub struct Janitor {
    storage: Arc<dyn Storage>,
    clock: Arc<dyn Clock>,
    retention: Retention,
    interval: Duration,
}

impl Janitor {
    /// A janitor that sweeps each `interval`.
    pub fn new(
        storage: Arc<dyn Storage>,
        clock: Arc<dyn Clock>,
        retention: Retention,
        interval: Duration,
    ) -> Self {
        Self { storage, clock, retention, interval }
    }

    /// Sweeps until `shutdown`. A failed sweep is tried again at the next interval.
    pub async fn run(self, shutdown: CancellationToken) {
        loop {
            if self.sweep_all(&shutdown).await.is_none() {
                return;
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(self.interval) => {}
            }
        }
    }

    /// Sweeps until nothing is left to delete; `None` on shutdown.
    async fn sweep_all(&self, shutdown: &CancellationToken) -> Option<()> {
        loop {
            let swept = tokio::select! {
                () = shutdown.cancelled() => return None,
                swept = self.sweep() => swept,
            };
            match swept {
                Ok(Left::Nothing) => return Some(()),
                Ok(Left::MaybeMore) => {}
                Err(error) => {
                    let cause = &error as &dyn std::error::Error;
                    if error.is_outage() {
                        tracing::debug!(error = cause, "Sweeping the database has to wait");
                    } else {
                        tracing::error!(error = cause, "Sweeping the database failed");
                    }
                    return Some(());
                }
            }
        }
    }

    /// Deletes some of what is over. Keys of retired peppers are left where a rotation broke off before its last step.
    async fn sweep(&self) -> Result<Left, StorageError> {
        let swept = self.storage.sweep(self.retention, self.clock.now()).await?;
        let lookup_keys = self.storage.sweep_peppers(self.retention.rows_per_sweep).await?;
        if swept == Swept::default() && lookup_keys == 0 {
            return Ok(Left::Nothing);
        }
        tracing::debug!(
            swept.sessions = swept.sessions,
            swept.messages = swept.messages,
            swept.uia_sessions = swept.uia_sessions,
            swept.openid_tokens = swept.openid_tokens,
            swept.identity_tokens = swept.identity_tokens,
            swept.delegated_sessions = swept.delegated_sessions,
            swept.budgets = swept.budgets,
            swept.lookup_keys = lookup_keys,
            "Deleted rows that were over"
        );
        Ok(Left::MaybeMore)
    }
}

/// Whether there may be more to delete.
enum Left {
    Nothing,
    MaybeMore,
}
