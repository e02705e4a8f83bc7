//! Tokens that let people register.

use async_trait::async_trait;
use countersign_core::{RegistrationToken, RegistrationTokenHash, Sealed, Timestamp};
use tokio_postgres::Row;

use super::{
    PostgresStorage,
    connection::Reply,
    failure::Outcome,
    parameter::Query,
    rows::{Columns, first, list},
};
use crate::{HeldRegistrationToken, RegistrationTokenStore, StorageError};

#[async_trait]
impl RegistrationTokenStore for PostgresStorage {
    async fn add_registration_token(&self, token: RegistrationToken) -> Result<bool, StorageError> {
        let insert = Query::new(
            "insert into registration_tokens
                (token_hash, sealed_token, uses_allowed, completed, expires_at, created_at)
             values ($1, $2, $3, $4, $5, $6) on conflict (token_hash) do nothing",
        )
        .with(token.token_hash.as_bytes().as_slice())
        .with(token.sealed_token.as_bytes())
        .with(token.uses_allowed.map(i64::from))
        .with(i64::from(token.completed))
        .with(token.expires_at.map(Timestamp::as_millis))
        .with(token.created_at.as_millis());
        let [inserted] = self.connect().await?.run([insert]).await?;
        Ok(inserted.changed() == 1)
    }

    async fn find_registration_token(
        &self,
        token: RegistrationTokenHash,
        now: Timestamp,
    ) -> Result<Option<HeldRegistrationToken>, StorageError> {
        let [found] = self.connect().await?.run([find(&token, now)]).await?;
        Ok(read_found(&found)?)
    }

    async fn list_registration_tokens(
        &self,
        now: Timestamp,
    ) -> Result<Vec<HeldRegistrationToken>, StorageError> {
        let select = Query::new(
            "select token_hash, sealed_token, uses_allowed, completed, expires_at, created_at,
                (select count(*) from uia_sessions s
                 where s.registration_token_hash = t.token_hash and s.finished_at is null and $1 <= s.expires_at)
             from registration_tokens t order by created_at, came_at, token_hash",
        )
        .with(now.as_millis());
        let [found] = self.connect().await?.run([select]).await?;
        Ok(list(&found.rows, read)?)
    }

    async fn delete_registration_token(&self, token: RegistrationTokenHash) -> Result<bool, StorageError> {
        let delete = Query::new("delete from registration_tokens where token_hash = $1")
            .with(token.as_bytes().as_slice());
        let [deleted] = self.connect().await?.run([delete]).await?;
        Ok(deleted.changed() == 1)
    }
}

/// The token with that hash, with the number of sessions that hold a use of it.
pub(super) fn find(token: &RegistrationTokenHash, now: Timestamp) -> Query<'_> {
    Query::new(
        "select token_hash, sealed_token, uses_allowed, completed, expires_at, created_at,
            (select count(*) from uia_sessions s
             where s.registration_token_hash = $1 and s.finished_at is null and $2 <= s.expires_at)
         from registration_tokens where token_hash = $1",
    )
    .with(token.as_bytes().as_slice())
    .with(now.as_millis())
}

/// Whoever takes or books a use of a token waits for its row.
pub(super) fn lock(token: &RegistrationTokenHash) -> Query<'_> {
    Query::new("select 1 from registration_tokens where token_hash = $1 for update")
        .with(token.as_bytes().as_slice())
}

/// Counts a use that had its effect. Changes no row if the token is gone.
pub(super) fn book(token: &RegistrationTokenHash) -> Query<'_> {
    Query::new("update registration_tokens set completed = completed + 1 where token_hash = $1")
        .with(token.as_bytes().as_slice())
}

/// What [`find`] found.
pub(super) fn read_found(reply: &Reply) -> Outcome<Option<HeldRegistrationToken>> {
    first(&reply.rows, read)
}

fn read(row: &Row) -> Outcome<HeldRegistrationToken> {
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
