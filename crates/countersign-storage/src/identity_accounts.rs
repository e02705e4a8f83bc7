//! Who may use the identity service: access tokens of its own, and the terms that users of any server accepted
//! ([spec](https://spec.matrix.org/v1.19/identity-service-api/#authentication)).

use async_trait::async_trait;
use countersign_core::{IdentityTokenHash, TermsVersion, Timestamp, UserId};

use crate::StorageError;

/// Whom an access token of the identity service stands for, and what that user accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityCaller {
    /// A user of any server.
    pub user_id: UserId,
    /// When the token was used last, as far as was noted.
    pub used_at: Timestamp,
    /// The policies that the user accepted, by name and version.
    pub accepted: Vec<TermsVersion>,
}

/// Who may use the identity service.
#[async_trait]
pub trait IdentityAccountStore: Send + Sync {
    /// Keeps a new access token, which counts as used now.
    async fn add_identity_token(
        &self,
        token: IdentityTokenHash,
        user_id: &UserId,
        now: Timestamp,
    ) -> Result<(), StorageError>;

    /// Whom an access token stands for.
    async fn find_identity_caller(
        &self,
        token: IdentityTokenHash,
    ) -> Result<Option<IdentityCaller>, StorageError>;

    /// Notes that an access token was used. One that is gone, or was used later, stays as it is.
    async fn note_identity_token_use(
        &self,
        token: IdentityTokenHash,
        now: Timestamp,
    ) -> Result<(), StorageError>;

    /// Deletes an access token. `false` if there was none.
    async fn delete_identity_token(&self, token: IdentityTokenHash) -> Result<bool, StorageError>;

    /// Adds to the policies that a user accepted. Again changes nothing.
    async fn accept_identity_terms(
        &self,
        user_id: &UserId,
        terms: Vec<TermsVersion>,
        now: Timestamp,
    ) -> Result<(), StorageError>;
}
