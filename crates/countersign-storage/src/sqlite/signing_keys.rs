//! The keys that this server signs with, sealed.

use async_trait::async_trait;
use countersign_core::{Sealed, Timestamp};
use rusqlite::{Connection, params};

use super::{
    SqliteStorage,
    failure::Outcome,
    rows::{Columns, change, change_one, list},
};
use crate::{SigningKeyStore, StorageError, StoredSigningKey, signing_keys::Replacement};

#[async_trait]
impl SigningKeyStore for SqliteStorage {
    async fn list_signing_keys(&self) -> Result<Vec<StoredSigningKey>, StorageError> {
        self.read(load).await
    }

    async fn init_signing_key(&self, key: StoredSigningKey) -> Result<StoredSigningKey, StorageError> {
        self.write(move |tx| {
            if let Some(current) = load(tx)?.into_iter().find(|key| key.retired_at.is_none()) {
                return Ok(current);
            }
            insert(tx, &key)?;
            Ok(key.clone())
        })
        .await
    }

    async fn replace_signing_key(&self, key: StoredSigningKey, now: Timestamp) -> Result<bool, StorageError> {
        self.write(move |tx| match Replacement::of(&load(tx)?, &key) {
            Replacement::Done => Ok(true),
            Replacement::IdTaken => Ok(false),
            Replacement::New => {
                let retire = "update signing_keys set retired_at = ?1 where retired_at is null";
                change(tx, retire, [now.as_millis()])?;
                insert(tx, &key)?;
                Ok(true)
            }
        })
        .await
    }
}

fn load(tx: &Connection) -> Outcome<Vec<StoredSigningKey>> {
    let statement = tx.prepare_cached(
        "select key_id, sealed_seed, public_key, created_at, retired_at from signing_keys
         order by created_at, rowid",
    )?;
    list(statement, [], |row| {
        let mut columns = Columns::of("signing_keys", row);
        Ok(StoredSigningKey {
            key_id: columns.parse("key_id", |id| Some(id.to_owned()))?,
            sealed_seed: Sealed::from_bytes(columns.blob("sealed_seed")?),
            public_key: columns.bytes("public_key")?,
            created_at: columns.timestamp("created_at")?,
            retired_at: columns.optional_timestamp("retired_at")?,
        })
    })
}

fn insert(tx: &Connection, key: &StoredSigningKey) -> Outcome<()> {
    change_one(
        tx,
        "signing_keys",
        "insert into signing_keys (key_id, sealed_seed, public_key, created_at, retired_at)
         values (?1, ?2, ?3, ?4, null)",
        params![key.key_id, key.sealed_seed.as_bytes(), key.public_key, key.created_at.as_millis()],
    )
}
