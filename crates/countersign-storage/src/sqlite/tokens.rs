//! Access and refresh tokens of devices.

use async_trait::async_trait;
use countersign_core::{AccessTokenHash, DeviceId, Timestamp, TokenOwner};

use super::{
    SqliteStorage,
    rows::{Columns, find},
};
use crate::{FoundToken, Refresh, Refreshed, StorageError, TokenStore, accounts::parse_localpart};

#[async_trait]
impl TokenStore for SqliteStorage {
    async fn find_token(&self, token: AccessTokenHash) -> Result<Option<FoundToken>, StorageError> {
        self.read(move |tx| {
            let statement = tx.prepare_cached(
                "select localpart, device_id, expires_at, replaces from access_tokens where access_token_hash = ?1",
            )?;
            find(statement, [token.as_bytes()], |row| {
                let mut columns = Columns::of("access_tokens", row);
                Ok(FoundToken {
                    owner: TokenOwner {
                        localpart: columns.parse("localpart", parse_localpart)?,
                        device_id: Some(columns.parse("device_id", |id| DeviceId::parse(id).ok())?),
                    },
                    expires_at: columns.optional_timestamp("expires_at")?,
                    is_unsettled: columns.optional_bytes::<32>("replaces")?.is_some(),
                })
            })
        })
        .await
    }

    async fn refresh(&self, _refresh: Refresh, _now: Timestamp) -> Result<Refreshed, StorageError> {
        Err(StorageError::Closed)
    }

    async fn settle_refresh(&self, _token: AccessTokenHash) -> Result<(), StorageError> {
        Err(StorageError::Closed)
    }
}
