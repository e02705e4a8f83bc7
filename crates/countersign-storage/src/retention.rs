//! Forgetting in time.

use std::time::Duration;

use async_trait::async_trait;
use countersign_core::Timestamp;

use crate::StorageError;

/// How long things are kept once they are over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Sessions, after they expired.
    pub sessions: Duration,
    /// Messages, after they were finished.
    pub messages: Duration,
    /// Access tokens of the identity service, after they were used last.
    pub identity_tokens: Duration,
    /// How many rows of a table one sweep deletes at most, so that no request waits for it.
    pub rows_per_sweep: usize,
}

/// What a sweep deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Validation sessions.
    pub sessions: u64,
    /// Finished messages.
    pub messages: u64,
    /// Sessions of user-interactive authentication.
    pub uia_sessions: u64,
    /// Tokens that proved users to other services.
    pub openid_tokens: u64,
    /// Access tokens of the identity service that nobody uses any more.
    pub identity_tokens: u64,
    /// Other ends of sessions that another service validated.
    pub delegated_sessions: u64,
    /// Budgets that are full again.
    pub budgets: u64,
}

/// Forgetting in time.
#[async_trait]
pub trait RetentionStore: Send + Sync {
    /// Deletes what is over for longer than `retention` says, up to its number of rows in each table. A session that owes
    /// a message stays until the message is finished.
    async fn sweep(&self, retention: Retention, now: Timestamp) -> Result<Swept, StorageError>;
}
