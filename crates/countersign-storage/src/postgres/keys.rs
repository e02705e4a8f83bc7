//! What is kept about keys.

use async_trait::async_trait;
use countersign_core::{MasterKeyId, Sealed};

use super::{
    PostgresStorage,
    connection::Transaction,
    failure::Outcome,
    parameter::Query,
    rows::{Columns, first, list},
};
use crate::{KeyCheck, KeyStore, StorageError};

#[async_trait]
impl KeyStore for PostgresStorage {
    async fn find_index_key(&self) -> Result<Option<Sealed>, StorageError> {
        let [found] = self.connect().await?.run([select_index_key()]).await?;
        Ok(first(&found.rows, read_index_key)?)
    }

    async fn init_index_key(&self, sealed: Sealed) -> Result<Sealed, StorageError> {
        self.write(move |tx| init_index_key(tx, sealed.clone())).await
    }

    async fn rewrap_index_key(&self, former: Sealed, sealed: Sealed) -> Result<bool, StorageError> {
        let update = Query::new("update index_keys set sealed_key = $2 where sealed_key = $1")
            .with(former.as_bytes())
            .with(sealed.as_bytes());
        let [updated] = self.connect().await?.run([update]).await?;
        Ok(updated.changed() == 1)
    }

    async fn list_key_checks(&self) -> Result<Vec<KeyCheck>, StorageError> {
        let select = Query::new("select key_id, check_value from master_key_checks order by key_id");
        let [found] = self.connect().await?.run([select]).await?;
        let checks = list(&found.rows, |row| {
            let mut columns = Columns::of("master_key_checks", row);
            Ok(KeyCheck {
                key_id: columns.parse("key_id", |id| MasterKeyId::parse(id).ok())?,
                check_value: columns.bytes("check_value")?,
            })
        });
        Ok(checks?)
    }

    async fn add_key_check(&self, check: KeyCheck) -> Result<(), StorageError> {
        let insert = Query::new(
            "insert into master_key_checks (key_id, check_value) values ($1, $2) on conflict (key_id) do nothing",
        )
        .with(check.key_id.as_str())
        .with(check.check_value.as_slice());
        self.connect().await?.run([insert]).await?;
        Ok(())
    }
}

async fn init_index_key(mut tx: Transaction, sealed: Sealed) -> Outcome<Sealed> {
    let insert =
        Query::new("insert into index_keys (id, sealed_key) values (1, $1) on conflict (id) do nothing")
            .with(sealed.as_bytes());
    let [_, found] = tx.run([insert, select_index_key()]).await?;
    let kept = first(&found.rows, read_index_key)?;
    tx.commit().await?;
    Ok(kept.unwrap_or(sealed))
}

fn select_index_key() -> Query<'static> {
    Query::new("select sealed_key from index_keys")
}

fn read_index_key(row: &tokio_postgres::Row) -> Outcome<Sealed> {
    Columns::of("index_keys", row).blob("sealed_key").map(Sealed::from_bytes)
}
