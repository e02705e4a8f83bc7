//! Tokens that prove a user to another service.

use async_trait::async_trait;
use countersign_core::{Localpart, OpenIdTokenHash, Timestamp};

use super::{
    PostgresStorage,
    parameter::Query,
    rows::{Columns, first},
};
use crate::{OpenIdStore, StorageError, accounts::parse_localpart};

#[async_trait]
impl OpenIdStore for PostgresStorage {
    async fn add_openid_token(
        &self,
        token: OpenIdTokenHash,
        localpart: &Localpart,
        expires_at: Timestamp,
    ) -> Result<(), StorageError> {
        let insert =
            Query::new("insert into openid_tokens (token_hash, localpart, expires_at) values ($1, $2, $3)")
                .with(token.as_bytes().as_slice())
                .with(localpart.as_str())
                .with(expires_at.as_millis());
        let [inserted] = self.connect().await?.run([insert]).await?;
        Ok(inserted.must_change("openid_tokens", 1)?)
    }

    async fn find_openid_owner(
        &self,
        token: OpenIdTokenHash,
        now: Timestamp,
    ) -> Result<Option<Localpart>, StorageError> {
        let select =
            Query::new("select localpart from openid_tokens where token_hash = $1 and $2 <= expires_at")
                .with(token.as_bytes().as_slice())
                .with(now.as_millis());
        let [found] = self.connect().await?.run([select]).await?;
        let owner =
            first(&found.rows, |row| Columns::of("openid_tokens", row).parse("localpart", parse_localpart));
        Ok(owner?)
    }
}
