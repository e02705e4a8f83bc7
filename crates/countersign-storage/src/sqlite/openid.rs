//! Tokens that prove a user to another service.

use async_trait::async_trait;
use countersign_core::{Localpart, OpenIdTokenHash, Timestamp};
use rusqlite::params;

use super::{
    SqliteStorage,
    rows::{Columns, change_one, find},
};
use crate::{OpenIdStore, StorageError, accounts::parse_localpart};

#[async_trait]
impl OpenIdStore for SqliteStorage {
    async fn add_openid_token(
        &self,
        token: OpenIdTokenHash,
        localpart: &Localpart,
        expires_at: Timestamp,
    ) -> Result<(), StorageError> {
        let localpart = localpart.clone();
        self.write(move |tx| {
            change_one(
                tx,
                "openid_tokens",
                "insert into openid_tokens (token_hash, localpart, expires_at) values (?1, ?2, ?3)",
                params![token.as_bytes(), localpart.as_str(), expires_at.as_millis()],
            )
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
