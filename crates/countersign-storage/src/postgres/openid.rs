//! Tokens that prove a user to another service.

use async_trait::async_trait;
use countersign_core::{DeviceId, Localpart, OpenIdTokenHash, Timestamp};

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
        device_id: &DeviceId,
        expires_at: Timestamp,
    ) -> Result<bool, StorageError> {
        // Whoever logs the device out waits for this, and finds the token then.
        let insert = Query::new(
            "insert into openid_tokens (token_hash, localpart, device_id, expires_at)
             select $1, localpart, device_id, $4 from devices where localpart = $2 and device_id = $3 for share",
        )
        .with(token.as_bytes().as_slice())
        .with(localpart.as_str())
        .with(device_id.as_str())
        .with(expires_at.as_millis());
        let [inserted] = self.connect().await?.run([insert]).await?;
        Ok(inserted.changed() == 1)
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
