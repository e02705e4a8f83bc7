//! What countersign keeps: operations, and the backends that carry them out.
//!
//! A method of a store is one operation: atomic, durable when it returns, its decision a pure function of
//! `countersign-core`. What each promises is in its doc comment and in the contract suite, which every backend passes.

mod accounts;
mod associations;
mod budgets;
#[cfg(test)]
mod contract;
mod delegations;
mod error;
mod export;
pub mod foreign;
mod health;
mod identity_accounts;
mod import;
mod invitations;
mod keys;
mod migrations;
mod openid;
mod outage;
mod outbox;
mod peppers;
pub mod postgres;
mod recorded_binds;
mod registration_tokens;
mod retention;
mod sessions;
mod signing_keys;
pub mod sqlite;
mod suppressions;
#[cfg(any(test, feature = "test-database"))]
pub mod test_database;
mod threepids;
mod tokens;
pub mod transfer;
mod uia;

pub use self::{
    accounts::{
        AccountStore, Deactivated, Deactivation, LogOut, PasswordChange, PasswordChanged, Registered,
        RegisteredThreepid, Registration,
    },
    associations::{AssociationStore, Bound, LookedUp, NumberedKeys},
    budgets::BudgetStore,
    delegations::DelegationStore,
    error::StorageError,
    export::{AcceptedTerms, ExportStore},
    health::HealthStore,
    identity_accounts::{IdentityAccountStore, IdentityCaller},
    import::{IdentityToken, ImportStore, ImportedAssociation, PepperImported},
    invitations::{InvitationStore, InvitationStored},
    keys::{KeyCheck, KeyStore},
    openid::OpenIdStore,
    outage::{Outage, OutageReason},
    outbox::{FinishedMessage, LeaseRequest, OutboxCounts, OutboxStore},
    peppers::PepperStore,
    recorded_binds::{BindToTakeBack, Recorded, RecordedBindStore},
    registration_tokens::{HeldRegistrationToken, RegistrationTokenStore},
    retention::{Retention, RetentionStore, Swept},
    sessions::SessionStore,
    signing_keys::{SigningKeyStore, StoredSigningKey},
    suppressions::SuppressionStore,
    threepids::{AddedThreepid, ThreepidStore},
    tokens::{FoundToken, Refresh, Refreshed, TokenStore},
    uia::{StageCompleted, TokenReserved, UiaStore},
};

/// Everything that a backend can do.
pub trait Storage:
    AccountStore
    + AssociationStore
    + BudgetStore
    + DelegationStore
    + ExportStore
    + HealthStore
    + IdentityAccountStore
    + ImportStore
    + InvitationStore
    + KeyStore
    + OpenIdStore
    + OutboxStore
    + PepperStore
    + RecordedBindStore
    + RegistrationTokenStore
    + RetentionStore
    + SessionStore
    + SigningKeyStore
    + SuppressionStore
    + ThreepidStore
    + TokenStore
    + UiaStore
{
}

impl<S> Storage for S where
    S: AccountStore
        + AssociationStore
        + BudgetStore
        + DelegationStore
        + ExportStore
        + HealthStore
        + IdentityAccountStore
        + ImportStore
        + InvitationStore
        + KeyStore
        + OpenIdStore
        + OutboxStore
        + PepperStore
        + RecordedBindStore
        + RegistrationTokenStore
        + RetentionStore
        + SessionStore
        + SigningKeyStore
        + SuppressionStore
        + ThreepidStore
        + TokenStore
        + UiaStore
{
}
