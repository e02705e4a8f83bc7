//! Tokens that let people register.

use async_trait::async_trait;
use countersign_core::{RegistrationToken, RegistrationTokenHash, Timestamp};

use crate::StorageError;

/// A registration token, and how many hold a use of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldRegistrationToken {
    /// The token.
    pub token: RegistrationToken,
    /// How many authentication sessions hold a use: they completed the stage, and are neither finished nor expired.
    pub pending: u32,
}

/// Tokens that let people register. [`UiaStore::reserve_registration_token`](crate::UiaStore::reserve_registration_token)
/// takes a use of one, [`AccountStore::register`](crate::AccountStore::register) books it.
#[async_trait]
pub trait RegistrationTokenStore: Send + Sync {
    /// Keeps a new token. `false`, and no change, if there is such a token already.
    async fn add_registration_token(&self, token: RegistrationToken) -> Result<bool, StorageError>;

    /// The token with that hash.
    async fn find_registration_token(
        &self,
        token: RegistrationTokenHash,
        now: Timestamp,
    ) -> Result<Option<HeldRegistrationToken>, StorageError>;

    /// All tokens, oldest first.
    async fn list_registration_tokens(
        &self,
        now: Timestamp,
    ) -> Result<Vec<HeldRegistrationToken>, StorageError>;

    /// Deletes a token: who holds a use of it can't register with it any more. Answers whether it was there.
    async fn delete_registration_token(&self, token: RegistrationTokenHash) -> Result<bool, StorageError>;
}
