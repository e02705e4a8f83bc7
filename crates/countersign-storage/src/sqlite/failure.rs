//! Why an operation failed, before it is told to the caller.

use std::{any::Any, sync::Arc};

use rusqlite::ErrorCode;
use thiserror::Error;

use crate::StorageError;

/// What an operation comes to.
pub(super) type Outcome<T> = Result<T, Failure>;

/// Why an operation failed.
#[derive(Debug, Error)]
pub(super) enum Failure {
    /// SQLite says no.
    #[error("SQLite failed")]
    Sqlite(#[from] rusqlite::Error),
    /// The file system says no.
    #[error("the file could not be made")]
    Io(#[from] std::io::Error),
    /// A statement changed another number of rows than it must.
    #[error("a statement on {table} changed {changed} rows")]
    RowCount {
        /// The table.
        table: &'static str,
        /// How many it changed.
        changed: usize,
    },
    /// A failure that needs no more words.
    #[error(transparent)]
    Storage(StorageError),
}

impl Failure {
    /// What a panic comes to. Its message went to the panic hook already, and may hold anything.
    pub(super) fn panicked(_payload: Box<dyn Any + Send>) -> Self {
        Self::Storage(StorageError::Panicked)
    }

    /// Whether the trouble is the database's as a whole, so that nothing else in the transaction can be trusted either.
    pub(super) fn is_fatal(&self) -> bool {
        let Self::Sqlite(error) = self else { return false };
        error.sqlite_error_code().is_some_and(|code| {
            matches!(
                code,
                ErrorCode::CannotOpen
                    | ErrorCode::DatabaseBusy
                    | ErrorCode::DatabaseCorrupt
                    | ErrorCode::DiskFull
                    | ErrorCode::FileLockingProtocolFailed
                    | ErrorCode::InternalMalfunction
                    | ErrorCode::NotADatabase
                    | ErrorCode::OutOfMemory
                    | ErrorCode::ReadOnly
                    | ErrorCode::SystemIoFailure
            )
        })
    }
}

impl From<Failure> for StorageError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Storage(error) => error,
            Failure::Sqlite(error) => Self::Backend(Box::new(error)),
            Failure::Io(error) => Self::Backend(Box::new(error)),
            Failure::RowCount { .. } => Self::Backend(Box::new(failure)),
        }
    }
}

/// The failure of a whole transaction, as each of its operations is told.
#[derive(Clone, Debug, Error)]
#[error("the transaction that this operation was part of failed")]
pub(super) struct TransactionFailed(#[source] Arc<Failure>);

impl From<Failure> for TransactionFailed {
    fn from(failure: Failure) -> Self {
        Self(Arc::new(failure))
    }
}

impl From<TransactionFailed> for StorageError {
    fn from(failed: TransactionFailed) -> Self {
        Self::Backend(Box::new(failed))
    }
}
