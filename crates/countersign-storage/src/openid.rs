//! Tokens that prove a user to another service
//! ([spec](https://spec.matrix.org/v1.19/client-server-api/#openid)).

use async_trait::async_trait;
use countersign_core::{Localpart, OpenIdTokenHash, Timestamp};

use crate::StorageError;

/// Tokens that prove a user to another service.
#[async_trait]
pub trait OpenIdStore: Send + Sync {
    /// Keeps a new token until its last moment.
    async fn add_openid_token(
        &self,
        token: OpenIdTokenHash,
        localpart: &Localpart,
        expires_at: Timestamp,
    ) -> Result<(), StorageError>;

    /// Whom a token proves; `None` once it expired.
    async fn find_openid_owner(
        &self,
        token: OpenIdTokenHash,
        now: Timestamp,
    ) -> Result<Option<Localpart>, StorageError>;
}
