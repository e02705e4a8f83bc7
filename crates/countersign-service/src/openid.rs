//! Tokens that prove a user to another service.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_core::{Clock, Keyring, Localpart, Random, ServerName, UserId};
use countersign_storage::{Storage, StorageError};
use zeroize::Zeroizing;

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
    ) -> Self {
        Self { storage, keyring, clock, random, server_name: server_name.into() }
    }

    /// Makes a token that proves a user.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn issue(&self, localpart: &Localpart) -> Result<IssuedOpenId, StorageError> {
        let token = Zeroizing::new(format!("oid_{}", URL_SAFE_NO_PAD.encode(self.random.bytes::<32>())));
        let expires_at = self.clock.now().after(LIFETIME);
        self.storage.add_openid_token(self.keyring.openid_token_hash(&token), localpart, expires_at).await?;
        Ok(IssuedOpenId { token, server_name: self.server_name.as_ref().clone(), expires_in: LIFETIME })
    }

    /// Whom a token proves; `None`: it was never given out, or its time or its account is over.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find_user(&self, token: &str) -> Result<Option<UserId>, StorageError> {
        let hash = self.keyring.openid_token_hash(token);
        let owner = self.storage.find_openid_owner(hash, self.clock.now()).await?;
        Ok(owner.map(|localpart| UserId::new(&localpart, &self.server_name)))
    }
}
