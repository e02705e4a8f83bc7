//! Tokens that prove a user to another service
//! ([spec](https://spec.matrix.org/v1.19/client-server-api/#openid)).

use async_trait::async_trait;
use countersign_core::{DeviceId, Localpart, OpenIdTokenHash, Timestamp};

use crate::StorageError;

/// Tokens that prove a user to another service.
#[async_trait]
pub trait OpenIdStore: Send + Sync {
    /// Keeps a new token until its last moment, or until the device that asked for it loses its other tokens. `false`, and
    /// no change, if the device is gone.
    async fn add_openid_token(
        &self,
        token: OpenIdTokenHash,
        localpart: &Localpart,
        device_id: &DeviceId,
        expires_at: Timestamp,
    ) -> Result<bool, StorageError>;

    /// Whom a token proves; `None` once it expired.
    async fn find_openid_owner(
        &self,
        token: OpenIdTokenHash,
        now: Timestamp,
    ) -> Result<Option<Localpart>, StorageError>;
}
