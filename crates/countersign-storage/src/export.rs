//! Reading everything, batch by batch. Each operation answers up to `limit` rows in the order of their keys, beginning behind
//! `after`; what comes or goes meanwhile may be in it or not.

use async_trait::async_trait;
use countersign_core::{
    Account, AccountThreepid, AddressHash, Device, DeviceId, IdentityTokenHash, Invitation,
    InvitationTokenHash, Localpart, RecordedBind, TermsVersion, Timestamp, UserId,
};

use crate::{IdentityToken, StorageError};

/// A version of a policy that someone accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedTerms<U> {
    /// Who accepted.
    pub user: U,
    /// What.
    pub version: TermsVersion,
    /// When.
    pub accepted_at: Timestamp,
}

/// Reading everything, batch by batch.
#[async_trait]
pub trait ExportStore: Send + Sync {
    /// Accounts of the node.
    async fn export_accounts(
        &self,
        after: Option<Localpart>,
        limit: usize,
    ) -> Result<Vec<Account>, StorageError>;

    /// Devices of all accounts.
    async fn export_devices(
        &self,
        after: Option<(Localpart, DeviceId)>,
        limit: usize,
    ) -> Result<Vec<Device>, StorageError>;

    /// Addresses of all accounts.
    async fn export_threepids(
        &self,
        after: Option<AddressHash>,
        limit: usize,
    ) -> Result<Vec<AccountThreepid>, StorageError>;

    /// What the owners of accounts accepted.
    async fn export_terms(
        &self,
        after: Option<(Localpart, TermsVersion)>,
        limit: usize,
    ) -> Result<Vec<AcceptedTerms<Localpart>>, StorageError>;

    /// Access tokens of the identity service.
    async fn export_identity_tokens(
        &self,
        after: Option<IdentityTokenHash>,
        limit: usize,
    ) -> Result<Vec<IdentityToken>, StorageError>;

    /// What users of the identity service accepted.
    async fn export_identity_terms(
        &self,
        after: Option<(UserId, TermsVersion)>,
        limit: usize,
    ) -> Result<Vec<AcceptedTerms<UserId>>, StorageError>;

    /// Invitations.
    async fn export_invitations(
        &self,
        after: Option<InvitationTokenHash>,
        limit: usize,
    ) -> Result<Vec<Invitation>, StorageError>;

    /// Where users of this node bound their addresses.
    async fn export_recorded_binds(
        &self,
        after: Option<(Localpart, AddressHash, String)>,
        limit: usize,
    ) -> Result<Vec<RecordedBind>, StorageError>;
}

/// A number of rows, as both databases take it.
pub(crate) fn limit_of(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// The key of accepted terms behind which reading begins; the empty one stands before all.
pub(crate) fn behind_terms<'a>(after: Option<(&'a str, &'a TermsVersion)>) -> (&'a str, &'a str, &'a str) {
    after.map_or(("", "", ""), |(user, terms)| (user, terms.policy(), terms.version()))
}
