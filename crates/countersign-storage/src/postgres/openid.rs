//! Tokens that prove a user to another service.

use async_trait::async_trait;
use countersign_core::{Localpart, OpenIdTokenHash, Timestamp};

use super::PostgresStorage;
use crate::{OpenIdStore, StorageError};

#[async_trait]
impl OpenIdStore for PostgresStorage {
    async fn add_openid_token(
        &self,
        _token: OpenIdTokenHash,
        _localpart: &Localpart,
        _expires_at: Timestamp,
    ) -> Result<(), StorageError> {
        Err(StorageError::Closed)
    }

    async fn find_openid_owner(
        &self,
        _token: OpenIdTokenHash,
        _now: Timestamp,
    ) -> Result<Option<Localpart>, StorageError> {
        Err(StorageError::Closed)
    }
}
