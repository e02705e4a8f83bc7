//! Access and refresh tokens of devices.

use async_trait::async_trait;
use countersign_core::{AccessTokenHash, DeviceId, Timestamp, TokenOwner};

use super::{
    PostgresStorage,
    parameter::Query,
    rows::{Columns, first},
};
use crate::{FoundToken, Refresh, Refreshed, StorageError, TokenStore, accounts::parse_localpart};

#[async_trait]
impl TokenStore for PostgresStorage {
    async fn find_token(&self, token: AccessTokenHash) -> Result<Option<FoundToken>, StorageError> {
        let select = Query::new(
            "select localpart, device_id, expires_at, replaces from access_tokens where access_token_hash = $1",
        )
        .with(token.as_bytes().as_slice());
        let [found] = self.connect().await?.run([select]).await?;
        let token = first(&found.rows, |row| {
            let mut columns = Columns::of("access_tokens", row);
            Ok(FoundToken {
                owner: TokenOwner {
                    localpart: columns.parse("localpart", parse_localpart)?,
                    device_id: Some(columns.parse("device_id", |id| DeviceId::parse(id).ok())?),
                },
                expires_at: columns.optional_timestamp("expires_at")?,
                is_unsettled: columns.optional_bytes::<32>("replaces")?.is_some(),
            })
        });
        Ok(token?)
    }

    async fn refresh(&self, _refresh: Refresh, _now: Timestamp) -> Result<Refreshed, StorageError> {
        Err(StorageError::Closed)
    }

    async fn settle_refresh(&self, _token: AccessTokenHash) -> Result<(), StorageError> {
        Err(StorageError::Closed)
    }
}
