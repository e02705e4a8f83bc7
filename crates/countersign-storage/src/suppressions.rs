//! Addresses whose owners want no messages.

use async_trait::async_trait;
use countersign_core::{NotMe, Timestamp};

use crate::StorageError;

/// Addresses whose owners want no messages.
#[async_trait]
pub trait SuppressionStore: Send + Sync {
    /// Keeps further messages from the address of a session, if the token is right (`ValidationSession::suppression`).
    /// Messages to it that wait without a lease are dropped as ended. Answers whether the token was right. Doing it twice
    /// changes nothing.
    async fn suppress(&self, not_me: NotMe, now: Timestamp) -> Result<bool, StorageError>;
}
