//! Taking over what another program kept. Each operation takes a batch, all of it or nothing, and answers in the order of the
//! batch what became of each. The same batch again changes nothing.

use async_trait::async_trait;
use countersign_core::{
    AccountHome, AccountThreepid, Association, IdentityTokenHash, Imported, Invitation, LookupPepper,
    PepperedKey, TermsVersion, Timestamp, UserId,
};

use crate::StorageError;

/// An association of another identity server.
#[derive(Clone, Debug)]
pub struct ImportedAssociation {
    /// The association.
    pub association: Association,
    /// A key under each pepper that wants one.
    pub keys: Vec<PepperedKey>,
}

/// An access token of the identity service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityToken {
    /// The token.
    pub token: IdentityTokenHash,
    /// Whom it stands for.
    pub user_id: UserId,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What became of a pepper that was to be taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PepperImported {
    /// It is the current one now.
    Taken,
    /// It was the current one already.
    AlreadyCurrent,
    /// Another one is current, under which addresses can be found already.
    InUse,
}

/// Taking over what another program kept.
#[async_trait]
pub trait ImportStore: Send + Sync {
    /// Makes `pepper` the current one and retires all others, unless there is an association.
    async fn import_pepper(
        &self,
        pepper: LookupPepper,
        now: Timestamp,
    ) -> Result<PepperImported, StorageError>;

    /// Keeps associations with their lookup keys (`wanted_keys`), decided by `Association::import` for one after the other. `None`,
    /// and no change, if another pepper came meanwhile: whoever calls makes the keys anew.
    async fn import_associations(
        &self,
        associations: Vec<ImportedAssociation>,
    ) -> Result<Option<Vec<Imported>>, StorageError>;

    /// Keeps invitations whose tokens are not known yet.
    async fn import_invitations(&self, invitations: Vec<Invitation>) -> Result<Vec<Imported>, StorageError>;

    /// Keeps ephemeral public keys of invitations that are not known yet.
    async fn import_ephemeral_keys(&self, public_keys: Vec<String>) -> Result<Vec<Imported>, StorageError>;

    /// Keeps access tokens of the identity service that are not known yet.
    async fn import_identity_tokens(
        &self,
        tokens: Vec<IdentityToken>,
        now: Timestamp,
    ) -> Result<Vec<Imported>, StorageError>;

    /// Keeps policies that users of the identity service accepted.
    async fn import_identity_terms(
        &self,
        accepted: Vec<(UserId, TermsVersion)>,
        now: Timestamp,
    ) -> Result<Vec<Imported>, StorageError>;

    /// Puts addresses on accounts, decided by `AccountThreepid::import` for one after the other. Nobody is told.
    async fn import_threepids(
        &self,
        threepids: Vec<AccountThreepid>,
        home: AccountHome,
    ) -> Result<Vec<Imported>, StorageError>;
}

/// The token of no invitation: other programs don't tell which of their ephemeral keys is whose.
pub(crate) const NO_INVITATION: [u8; 32] = [0; 32];
