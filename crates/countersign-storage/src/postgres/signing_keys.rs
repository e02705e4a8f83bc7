//! The keys that this server signs with, sealed.

use std::sync::Arc;

use async_trait::async_trait;
use countersign_core::{Sealed, Timestamp};

use super::{
    PostgresStorage,
    connection::{Reply, Transaction},
    failure::Outcome,
    locks::lock_signing_keys,
    parameter::Query,
    rows::{Columns, list},
};
use crate::{SigningKeyStore, StorageError, StoredSigningKey, signing_keys::Replacement};

#[async_trait]
impl SigningKeyStore for PostgresStorage {
    async fn list_signing_keys(&self) -> Result<Vec<StoredSigningKey>, StorageError> {
        let [found] = self.connect().await?.run([select()]).await?;
        Ok(read(&found)?)
    }

    async fn init_signing_key(&self, key: StoredSigningKey) -> Result<StoredSigningKey, StorageError> {
        let key = Arc::new(key);
        self.write(move |tx| init(tx, Arc::clone(&key))).await
    }

    async fn replace_signing_key(&self, key: StoredSigningKey, now: Timestamp) -> Result<bool, StorageError> {
        let key = Arc::new(key);
        self.write(move |tx| replace(tx, Arc::clone(&key), now)).await
    }
}

async fn init(mut tx: Transaction, key: Arc<StoredSigningKey>) -> Outcome<StoredSigningKey> {
    let [_, found] = tx.run([lock_signing_keys(), select()]).await?;
    if let Some(current) = read(&found)?.into_iter().find(|key| key.retired_at.is_none()) {
        tx.roll_back().await?;
        return Ok(current);
    }
    tx.finish(vec![insert(&key)]).await?[0].must_change("signing_keys", 1)?;
    Ok(StoredSigningKey::clone(&key))
}

async fn replace(mut tx: Transaction, key: Arc<StoredSigningKey>, now: Timestamp) -> Outcome<bool> {
    let [_, found] = tx.run([lock_signing_keys(), select()]).await?;
    match Replacement::of(&read(&found)?, &key) {
        Replacement::Done => {
            tx.roll_back().await?;
            Ok(true)
        }
        Replacement::IdTaken => {
            tx.roll_back().await?;
            Ok(false)
        }
        Replacement::New => {
            let retire = Query::new("update signing_keys set retired_at = $1 where retired_at is null")
                .with(now.as_millis());
            tx.finish(vec![retire, insert(&key)]).await?[1].must_change("signing_keys", 1)?;
            Ok(true)
        }
    }
}

fn select() -> Query<'static> {
    Query::new(
        "select key_id, sealed_seed, public_key, created_at, retired_at from signing_keys
         order by created_at, came_at, key_id",
    )
}

fn read(reply: &Reply) -> Outcome<Vec<StoredSigningKey>> {
    list(&reply.rows, |row| {
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

fn insert(key: &StoredSigningKey) -> Query<'_> {
    Query::new(
        "insert into signing_keys (key_id, sealed_seed, public_key, created_at, retired_at)
         values ($1, $2, $3, $4, null)",
    )
    .with(key.key_id.as_str())
    .with(key.sealed_seed.as_bytes())
    .with(key.public_key.as_slice())
    .with(key.created_at.as_millis())
}
