//! Tokens that prove a user to another service.

use async_trait::async_trait;
use countersign_core::{DeviceId, Localpart, OpenIdTokenHash, Timestamp};
use rusqlite::params;

use super::{
    SqliteStorage,
    rows::{Columns, change, find},
};
use crate::{OpenIdStore, StorageError, accounts::parse_localpart};

#[async_trait]
impl OpenIdStore for SqliteStorage {
    async fn add_openid_token(
        &self,
        token: OpenIdTokenHash,
        localpart: &Localpart,
        device_id: &DeviceId,
        expires_at: Timestamp,
    ) -> Result<bool, StorageError> {
        let (localpart, device_id) = (localpart.clone(), device_id.clone());
        self.write(move |tx| {
            let inserted = change(
                tx,
                "insert into openid_tokens (token_hash, localpart, device_id, expires_at)
                 select ?1, localpart, device_id, ?4 from devices where localpart = ?2 and device_id = ?3",
                params![token.as_bytes(), localpart.as_str(), device_id.as_str(), expires_at.as_millis()],
            )?;
            Ok(inserted == 1)
        })
        .await
    }

    async fn find_openid_owner(
        &self,
        token: OpenIdTokenHash,
        now: Timestamp,
    ) -> Result<Option<Localpart>, StorageError> {
        self.read(move |tx| {
            let statement = tx.prepare_cached(
                "select localpart from openid_tokens where token_hash = ?1 and ?2 <= expires_at",
            )?;
            find(statement, params![token.as_bytes(), now.as_millis()], |row| {
                Columns::of("openid_tokens", row).parse("localpart", parse_localpart)
            })
        })
        .await
    }
}
