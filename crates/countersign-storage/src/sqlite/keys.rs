//! What is kept about keys.

use async_trait::async_trait;
use countersign_core::{MasterKeyId, Sealed};
use rusqlite::{Connection, params};

use super::{
    SqliteStorage,
    failure::Outcome,
    rows::{Columns, change, find, list},
};
use crate::{KeyCheck, KeyStore, StorageError};

#[async_trait]
impl KeyStore for SqliteStorage {
    async fn find_index_key(&self) -> Result<Option<Sealed>, StorageError> {
        self.read(find_index_key).await
    }

    async fn init_index_key(&self, sealed: Sealed) -> Result<Sealed, StorageError> {
        self.write(move |tx| {
            let insert = "insert or ignore into index_keys (id, sealed_key) values (1, ?1)";
            change(tx, insert, [sealed.as_bytes()])?;
            Ok(find_index_key(tx)?.unwrap_or_else(|| sealed.clone()))
        })
        .await
    }

    async fn rewrap_index_key(&self, former: Sealed, sealed: Sealed) -> Result<bool, StorageError> {
        self.write(move |tx| {
            let update = "update index_keys set sealed_key = ?2 where sealed_key = ?1";
            Ok(change(tx, update, [former.as_bytes(), sealed.as_bytes()])? == 1)
        })
        .await
    }

    async fn list_key_checks(&self) -> Result<Vec<KeyCheck>, StorageError> {
        self.read(|tx| {
            let statement =
                tx.prepare_cached("select key_id, check_value from master_key_checks order by key_id")?;
            list(statement, [], |row| {
                let mut columns = Columns::of("master_key_checks", row);
                Ok(KeyCheck {
                    key_id: columns.parse("key_id", |id| MasterKeyId::parse(id).ok())?,
                    check_value: columns.bytes("check_value")?,
                })
            })
        })
        .await
    }

    async fn add_key_check(&self, check: KeyCheck) -> Result<(), StorageError> {
        self.write(move |tx| {
            let insert = "insert or ignore into master_key_checks (key_id, check_value) values (?1, ?2)";
            change(tx, insert, params![check.key_id.as_str(), check.check_value])?;
            Ok(())
        })
        .await
    }
}

fn find_index_key(tx: &Connection) -> Outcome<Option<Sealed>> {
    let statement = tx.prepare_cached("select sealed_key from index_keys")?;
    find(statement, [], |row| Columns::of("index_keys", row).blob("sealed_key").map(Sealed::from_bytes))
}
