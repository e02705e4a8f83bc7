//! What countersign keeps: operations, and the backends that carry them out.
//!
//! A method of a store is one operation: atomic, durable when it returns, its decision a pure function of
//! `countersign-core`. What each promises is in its doc comment and in the contract suite, which every backend passes.

mod accounts;
mod budgets;
#[cfg(test)]
mod contract;
mod delegations;
mod error;
mod health;
mod keys;
mod migrations;
mod openid;
mod outage;
mod outbox;
pub mod postgres;
mod registration_tokens;
mod retention;
mod sessions;
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
    budgets::BudgetStore,
    delegations::DelegationStore,
    error::StorageError,
    health::HealthStore,
    keys::{KeyCheck, KeyStore},
    openid::OpenIdStore,
    outage::{Outage, OutageReason},
    outbox::{FinishedMessage, LeaseRequest, OutboxCounts, OutboxStore},
    registration_tokens::{HeldRegistrationToken, RegistrationTokenStore},
    retention::{Retention, RetentionStore, Swept},
    sessions::SessionStore,
    suppressions::SuppressionStore,
    threepids::{AddedThreepid, ThreepidStore},
    tokens::{FoundToken, Refresh, Refreshed, TokenStore},
    uia::{StageCompleted, TokenReserved, UiaStore},
};

/// Everything that a backend can do.
pub trait Storage:
    AccountStore
    + BudgetStore
    + DelegationStore
    + HealthStore
    + KeyStore
    + OpenIdStore
    + OutboxStore
    + RegistrationTokenStore
    + RetentionStore
    + SessionStore
    + SuppressionStore
    + ThreepidStore
    + TokenStore
    + UiaStore
{
}

impl<S> Storage for S where
    S: AccountStore
        + BudgetStore
        + DelegationStore
        + HealthStore
        + KeyStore
        + OpenIdStore
        + OutboxStore
        + RegistrationTokenStore
        + RetentionStore
        + SessionStore
        + SuppressionStore
        + ThreepidStore
        + TokenStore
        + UiaStore
{
}
