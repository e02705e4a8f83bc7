//! Tokens that prove a user to another service.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_core::{Clock, Keyring, Random, ServerName, TokenOwner, UserId};
use countersign_storage::{Storage, StorageError};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::Limits;

/// How long a token is good.
const LIFETIME: Duration = Duration::from_secs(60 * 60);

/// Tokens that prove a user to another service. Cheap to clone.
#[derive(Clone)]
pub struct OpenIds {
    storage: Arc<dyn Storage>,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    server_name: Arc<ServerName>,
    limits: Arc<Limits>,
}

/// Why there is no token.
#[derive(Debug, Error)]
pub enum OpenIdError {
    /// The device that asks was logged out meanwhile.
    #[error("the device is logged out")]
    LoggedOut,
    /// Too many in too short a time.
    #[error("limited for {} ms", .0.as_millis())]
    Limited(Duration),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A new token, told once.
pub struct IssuedOpenId {
    /// The token.
    pub token: Zeroizing<String>,
    /// The server to ask whom it proves.
    pub server_name: ServerName,
    /// How long it is good.
    pub expires_in: Duration,
}

impl OpenIds {
    /// Joins what it needs.
    pub fn new(
        storage: Arc<dyn Storage>,
        keyring: Arc<Keyring>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        server_name: ServerName,
        limits: Limits,
    ) -> Self {
        Self { storage, keyring, clock, random, server_name: server_name.into(), limits: limits.into() }
    }

    /// Makes a token that proves a user, until it expires or the device that asked for it is logged out.
    ///
    /// # Errors
    /// When the device is logged out by now, or its account asked for too many; when the database fails.
    pub async fn issue(&self, owner: &TokenOwner) -> Result<IssuedOpenId, OpenIdError> {
        // Where another server keeps the devices, it gives these tokens out, too.
        let TokenOwner { localpart, device_id: Some(device_id) } = owner else {
            return Err(OpenIdError::LoggedOut);
        };
        let now = self.clock.now();
        let charged = self.storage.charge(self.limits.openid_token(&self.keyring, localpart), now).await?;
        charged.map_err(|limited| OpenIdError::Limited(limited.retry_after))?;
        let token = Zeroizing::new(format!("oid_{}", URL_SAFE_NO_PAD.encode(self.random.bytes::<32>())));
        let hash = self.keyring.openid_token_hash(&token);
        if !self.storage.add_openid_token(hash, localpart, device_id, now.after(LIFETIME)).await? {
            return Err(OpenIdError::LoggedOut);
        }
        Ok(IssuedOpenId { token, server_name: self.server_name.as_ref().clone(), expires_in: LIFETIME })
    }

    /// Whom a token proves; `None`: it was never given out, or its time, its device or its account is over.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find_user(&self, token: &str) -> Result<Option<UserId>, StorageError> {
        let hash = self.keyring.openid_token_hash(token);
        let owner = self.storage.find_openid_owner(hash, self.clock.now()).await?;
        Ok(owner.map(|localpart| UserId::new(&localpart, &self.server_name)))
    }
}
