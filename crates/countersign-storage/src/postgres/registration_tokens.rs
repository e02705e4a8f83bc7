//! Tokens that let people register.

use async_trait::async_trait;
use countersign_core::{RegistrationToken, RegistrationTokenHash, Timestamp};

use super::PostgresStorage;
use crate::{HeldRegistrationToken, RegistrationTokenStore, StorageError};

#[async_trait]
impl RegistrationTokenStore for PostgresStorage {
    async fn add_registration_token(&self, _token: RegistrationToken) -> Result<bool, StorageError> {
        Err(StorageError::Closed)
    }

    async fn find_registration_token(
        &self,
        _token: RegistrationTokenHash,
        _now: Timestamp,
    ) -> Result<Option<HeldRegistrationToken>, StorageError> {
        Err(StorageError::Closed)
    }

    async fn list_registration_tokens(
        &self,
        _now: Timestamp,
    ) -> Result<Vec<HeldRegistrationToken>, StorageError> {
        Err(StorageError::Closed)
    }

    async fn delete_registration_token(&self, _token: RegistrationTokenHash) -> Result<bool, StorageError> {
        Err(StorageError::Closed)
    }
}
