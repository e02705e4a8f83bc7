//! Whether the database can do its work.

use async_trait::async_trait;

use super::{
    PostgresStorage,
    connection::Transaction,
    failure::{Failure, NoConnection, Outcome},
    parameter::Query,
};
use crate::{HealthStore, OutageReason, StorageError};

#[async_trait]
impl HealthStore for PostgresStorage {
    /// A full lane and a recent lack of space count as well: neither would be met on this way.
    async fn check_writable(&self) -> Result<(), StorageError> {
        if self.requests.is_full() || self.results.is_full() {
            return Err(StorageError::Overloaded);
        }
        if self.pool.condition().was_full() {
            return Err(Failure::no_connection(OutageReason::Full, NoConnection::NoSpace).into());
        }
        self.write(write_nothing).await
    }
}

/// Writes to the log, waits for its sync and for synchronous standbys, and leaves no row behind.
async fn write_nothing(tx: Transaction) -> Outcome<()> {
    let key: &[u8] = b"health";
    let insert = Query::new(
        "insert into budgets (subject, kind, full_at) values ($1, 'health', 0) on conflict (subject, kind) do nothing",
    );
    let delete = Query::new("delete from budgets where subject = $1 and kind = 'health'");
    tx.finish(vec![insert.with(key), delete.with(key)]).await?;
    Ok(())
}
