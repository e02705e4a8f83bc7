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
mod keys;
mod openid;
mod outbox;
pub mod postgres;
mod registration_tokens;
mod retention;
mod sessions;
pub mod sqlite;
mod suppressions;
mod threepids;
mod tokens;
mod uia;

pub use self::{
    accounts::{
        AccountStore, Deactivated, Deactivation, LogOut, PasswordChange, PasswordChanged, Registered,
        RegisteredThreepid, Registration,
    },
    budgets::BudgetStore,
    delegations::DelegationStore,
    error::StorageError,
    keys::{KeyCheck, KeyStore},
    openid::OpenIdStore,
    outbox::{FinishedMessage, LeaseRequest, OutboxCounts, OutboxStore},
    registration_tokens::{HeldRegistrationToken, RegistrationTokenStore},
    retention::{Retention, RetentionStore, Swept},
    sessions::SessionStore,
    suppressions::SuppressionStore,
    threepids::{AddedThreepid, ThreepidStore},
    tokens::{FoundToken, Refresh, Refreshed, TokenStore},
    uia::{TokenReserved, UiaStore},
};

/// Everything that a backend can do.
pub trait Storage:
    AccountStore
    + BudgetStore
    + DelegationStore
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
