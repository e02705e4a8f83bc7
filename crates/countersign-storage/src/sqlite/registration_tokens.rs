//! Tokens that let people register.

use async_trait::async_trait;
use countersign_core::{RegistrationToken, RegistrationTokenHash, Sealed, Timestamp};
use rusqlite::{Connection, Row, params};

use super::{
    SqliteStorage,
    failure::Outcome,
    rows::{Columns, change, find, list},
};
use crate::{HeldRegistrationToken, RegistrationTokenStore, StorageError};

#[async_trait]
impl RegistrationTokenStore for SqliteStorage {
    async fn add_registration_token(&self, token: RegistrationToken) -> Result<bool, StorageError> {
        self.write(move |tx| add(tx, &token)).await
    }

    async fn find_registration_token(
        &self,
        token: RegistrationTokenHash,
        now: Timestamp,
    ) -> Result<Option<HeldRegistrationToken>, StorageError> {
        self.read_many(move |tx| load(tx, token, now)).await
    }

    async fn list_registration_tokens(
        &self,
        now: Timestamp,
    ) -> Result<Vec<HeldRegistrationToken>, StorageError> {
        self.read_many(move |tx| {
            let statement = tx.prepare_cached(
                "select token_hash, sealed_token, uses_allowed, completed, expires_at, created_at,
                    (select count(*) from uia_sessions
                     where registration_token_hash = token_hash and finished_at is null
                        and ?1 <= uia_sessions.expires_at)
                 from registration_tokens order by created_at, rowid",
            )?;
            list(statement, [now.as_millis()], read)
        })
        .await
    }

    async fn delete_registration_token(&self, token: RegistrationTokenHash) -> Result<bool, StorageError> {
        self.write(move |tx| {
            let delete = "delete from registration_tokens where token_hash = ?1";
            Ok(change(tx, delete, [token.as_bytes()])? == 1)
        })
        .await
    }
}

/// The token with that hash, with the number of sessions that hold a use of it.
pub(super) fn load(
    tx: &Connection,
    token: RegistrationTokenHash,
    now: Timestamp,
) -> Outcome<Option<HeldRegistrationToken>> {
    let statement = tx.prepare_cached(
        "select token_hash, sealed_token, uses_allowed, completed, expires_at, created_at,
            (select count(*) from uia_sessions
             where registration_token_hash = ?1 and finished_at is null and ?2 <= uia_sessions.expires_at)
         from registration_tokens where token_hash = ?1",
    )?;
    find(statement, params![token.as_bytes(), now.as_millis()], read)
}

/// Counts a use that had its effect. `false` if the token is gone.
pub(super) fn book(tx: &Connection, token: RegistrationTokenHash) -> Outcome<bool> {
    let update = "update registration_tokens set completed = completed + 1 where token_hash = ?1";
    Ok(change(tx, update, [token.as_bytes()])? == 1)
}

fn add(tx: &Connection, token: &RegistrationToken) -> Outcome<bool> {
    let inserted = change(
        tx,
        "insert into registration_tokens
            (token_hash, sealed_token, uses_allowed, completed, expires_at, created_at)
         values (?1, ?2, ?3, ?4, ?5, ?6) on conflict (token_hash) do nothing",
        params![
            token.token_hash.as_bytes(),
            token.sealed_token.as_bytes(),
            token.uses_allowed,
            token.completed,
            token.expires_at.map(Timestamp::as_millis),
            token.created_at.as_millis(),
        ],
    )?;
    Ok(inserted == 1)
}

fn read(row: &Row<'_>) -> Outcome<HeldRegistrationToken> {
    let mut columns = Columns::of("registration_tokens", row);
    let token = RegistrationToken {
        token_hash: RegistrationTokenHash::from_bytes(columns.bytes("token_hash")?),
        sealed_token: Sealed::from_bytes(columns.blob("sealed_token")?),
        uses_allowed: columns.optional_integer("uses_allowed")?,
        completed: columns.integer("completed")?,
        expires_at: columns.optional_timestamp("expires_at")?,
        created_at: columns.timestamp("created_at")?,
    };
    Ok(HeldRegistrationToken { token, pending: columns.integer("registration_token_hash")? })
}
