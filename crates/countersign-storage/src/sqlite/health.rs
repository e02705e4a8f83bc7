//! Whether the database can do its work.

use async_trait::async_trait;

use super::{SqliteStorage, rows::change};
use crate::{HealthStore, StorageError};

#[async_trait]
impl HealthStore for SqliteStorage {
    async fn check_writable(&self) -> Result<(), StorageError> {
        self.write(|tx| {
            let key: &[u8] = b"health";
            let insert = "insert or ignore into budgets (subject, kind, full_at) values (?1, 'health', 0)";
            change(tx, insert, [key])?;
            change(tx, "delete from budgets where subject = ?1 and kind = 'health'", [key])?;
            Ok(())
        })
        .await
    }
}
