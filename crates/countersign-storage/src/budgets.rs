//! Limits that belong to no other operation.

use async_trait::async_trait;
use countersign_core::{Charge, Limited, Timestamp};

use crate::StorageError;

/// Limits that belong to no other operation.
#[async_trait]
pub trait BudgetStore: Send + Sync {
    /// Takes one unit from each budget, or from none if one is spent. Decided by `countersign_core::charge`. Concurrent
    /// calls never take more than there is.
    async fn charge(&self, charges: Vec<Charge>, now: Timestamp)
    -> Result<Result<(), Limited>, StorageError>;

    /// Gives one unit back to each budget. Decided by `countersign_core::refund`.
    async fn refund(&self, charges: Vec<Charge>, now: Timestamp) -> Result<(), StorageError>;
}
