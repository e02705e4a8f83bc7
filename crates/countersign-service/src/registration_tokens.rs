//! Registration tokens: whether one lets its holder register, and what an operator does with them.

use std::{sync::Arc, time::Duration};

use countersign_core::{
    ClientNetwork, Clock, Keyring, OpenError, Random, RegistrationToken, RegistrationTokenText, SealedColumn,
    Timestamp,
};
use countersign_storage::{HeldRegistrationToken, Storage, StorageError};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::Limits;

/// Registration tokens. Cheap to clone.
#[derive(Clone)]
pub struct RegistrationTokens {
    storage: Arc<dyn Storage>,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    limits: Arc<Limits>,
}

/// A wish for a new token.
#[derive(Clone, Debug, Default)]
pub struct CreateToken {
    /// The token; `None`: we make one up.
    pub token: Option<RegistrationTokenText>,
    /// How many accounts may be made with it; `None`: any number.
    pub uses_allowed: Option<u32>,
    /// How long it is good; `None`: for ever.
    pub lifetime: Option<Duration>,
}

/// A token, readable.
pub struct ListedToken {
    /// The token.
    pub token: Zeroizing<String>,
    /// How many accounts may be made with it; `None`: any number.
    pub uses_allowed: Option<u32>,
    /// How many registrations hold a use and are not finished.
    pub pending: u32,
    /// How many accounts were made with it.
    pub completed: u32,
    /// The last moment at which it is good; `None`: it is good for ever.
    pub expires_at: Option<Timestamp>,
}

/// Why nothing can be said of a token, or done with it.
#[derive(Debug, Error)]
pub enum RegistrationTokensError {
    /// There is such a token already.
    #[error("there is such a token already")]
    Exists,
    /// Too many questions in too short a time.
    #[error("limited for {} ms", .0.as_millis())]
    Limited(Duration),
    /// A token does not open: a key is gone from the master key file, or the row is damaged.
    #[error("a sealed registration token does not open")]
    Sealed(#[source] OpenError),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl RegistrationTokens {
    /// Joins what it needs.
    pub fn new(
        storage: Arc<dyn Storage>,
        keyring: Arc<Keyring>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        limits: Limits,
    ) -> Self {
        Self { storage, keyring, clock, random, limits: Arc::new(limits) }
    }

    /// Whether a token lets someone begin to register with it now. What can't be a token doesn't.
    ///
    /// # Errors
    /// When the network asked too often, or the database fails.
    pub async fn is_valid(
        &self,
        text: &str,
        network: ClientNetwork,
    ) -> Result<bool, RegistrationTokensError> {
        let now = self.clock.now();
        let charged = self.storage.charge(self.limits.token_check(&self.keyring, network), now).await?;
        charged.map_err(|limited| RegistrationTokensError::Limited(limited.retry_after))?;
        let hash = self.keyring.registration_token_hash(text);
        let found = self.storage.find_registration_token(hash, now).await?;
        Ok(found.is_some_and(|held| held.token.has_use_left(held.pending, now)))
    }

    /// Makes a token.
    ///
    /// # Errors
    /// When there is such a token already, or the database fails.
    pub async fn create(&self, create: CreateToken) -> Result<ListedToken, RegistrationTokensError> {
        let now = self.clock.now();
        let text = create.token.unwrap_or_else(|| RegistrationTokenText::generate(&*self.random));
        let token_hash = self.keyring.registration_token_hash(text.expose());
        let sealed_token = self.keyring.sealer().seal(
            SealedColumn::RegistrationToken,
            token_hash.as_bytes(),
            text.expose().as_bytes(),
            &*self.random,
        );
        let token = RegistrationToken {
            token_hash,
            sealed_token,
            uses_allowed: create.uses_allowed,
            completed: 0,
            expires_at: create.lifetime.map(|lifetime| now.after(lifetime)),
            created_at: now,
        };
        if !self.storage.add_registration_token(token.clone()).await? {
            return Err(RegistrationTokensError::Exists);
        }
        self.open(HeldRegistrationToken { token, pending: 0 })
    }

    /// All tokens, oldest first.
    ///
    /// # Errors
    /// When one can't be read, or the database fails.
    pub async fn list(&self) -> Result<Vec<ListedToken>, RegistrationTokensError> {
        let listed = self.storage.list_registration_tokens(self.clock.now()).await?;
        listed.into_iter().map(|held| self.open(held)).collect()
    }

    /// Deletes a token. Who holds a use of it can't register with it any more. Answers whether it was there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete(&self, token: &RegistrationTokenText) -> Result<bool, RegistrationTokensError> {
        let hash = self.keyring.registration_token_hash(token.expose());
        Ok(self.storage.delete_registration_token(hash).await?)
    }

    fn open(&self, held: HeldRegistrationToken) -> Result<ListedToken, RegistrationTokensError> {
        let HeldRegistrationToken { token, pending } = held;
        let row = token.token_hash.as_bytes();
        let opened = self.keyring.sealer().open(SealedColumn::RegistrationToken, row, &token.sealed_token);
        let text = opened.map_err(RegistrationTokensError::Sealed)?;
        Ok(ListedToken {
            token: Zeroizing::new(String::from_utf8_lossy(&text).into_owned()),
            uses_allowed: token.uses_allowed,
            pending,
            completed: token.completed,
            expires_at: token.expires_at,
        })
    }
}
