//! What countersign keeps: operations, and the backends that carry them out.
//!
//! A method of a store is one operation: atomic, durable when it returns, its decision a pure function of
//! `countersign-core`. What each promises is in its doc comment and in the contract suite, which every backend passes.

mod accounts;
mod budgets;
#[cfg(test)]
mod contract;
mod error;
mod health;
mod keys;
mod migrations;
mod outage;
mod outbox;
pub mod postgres;
mod retention;
mod sessions;
pub mod sqlite;
mod suppressions;
#[cfg(any(test, feature = "test-database"))]
pub mod test_database;
mod threepids;
pub mod transfer;
mod uia;

pub use self::{
    accounts::{AccountStore, Registered, Registration},
    budgets::BudgetStore,
    error::StorageError,
    health::HealthStore,
    keys::{KeyCheck, KeyStore},
    outage::{Outage, OutageReason},
    outbox::{FinishedMessage, LeaseRequest, OutboxCounts, OutboxStore},
    retention::{Retention, RetentionStore, Swept},
    sessions::SessionStore,
    suppressions::SuppressionStore,
    threepids::{AddedThreepid, ThreepidStore},
    uia::UiaStore,
};

/// Everything that a backend can do.
pub trait Storage:
    AccountStore
    + BudgetStore
    + HealthStore
    + KeyStore
    + OutboxStore
    + RetentionStore
    + SessionStore
    + SuppressionStore
    + ThreepidStore
    + UiaStore
{
}

impl<S> Storage for S where
    S: AccountStore
        + BudgetStore
        + HealthStore
        + KeyStore
        + OutboxStore
        + RetentionStore
        + SessionStore
        + SuppressionStore
        + ThreepidStore
        + UiaStore
{
}
