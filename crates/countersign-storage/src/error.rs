//! Why an operation failed.

use thiserror::Error;

use crate::Outage;

/// Why an operation failed. Nothing was changed, unless it says otherwise.
#[derive(Debug, Error)]
pub enum StorageError {
    /// Too many operations wait already.
    #[error("the storage queue is full")]
    Overloaded,
    /// The backend is shutting down.
    #[error("the storage is closed")]
    Closed,
    /// The database can't work at the moment. Whether the operation had its effect is not known.
    #[error(transparent)]
    Unavailable(#[from] Outage),
    /// A row does not parse.
    #[error("{table}.{column} holds a value that makes no sense")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
    },
    /// The database was made by a newer version, or migrating it failed half-way.
    #[error("the database has schema {found}, this version knows {known}")]
    Schema {
        /// The number of the last migration in the database.
        found: i64,
        /// The number of the last migration that this version has.
        known: i64,
    },
    /// Another database was being moved into this one, and that has not come to its end.
    #[error(
        "an SQLite database was being moved here, not all of it has come: run `countersign migrate-storage` again"
    )]
    Unfilled,
    /// An operation panicked. A defect of ours.
    #[error("a storage operation panicked")]
    Panicked,
    /// The database says no.
    #[error("the database failed")]
    Backend(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl StorageError {
    /// Whether waiting may help: nothing is wrong with the operation itself, and the storage told the log already.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Overloaded | Self::Unavailable(_) => true,
            Self::Closed
            | Self::Corrupt { .. }
            | Self::Schema { .. }
            | Self::Unfilled
            | Self::Panicked
            | Self::Backend(_) => false,
        }
    }
}
