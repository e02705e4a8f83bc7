//! Why an operation failed, before it is told to the caller.

use std::{any::Any, sync::Arc};

use rusqlite::ErrorCode;
use thiserror::Error;

use crate::{Outage, OutageReason, StorageError};

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
        self.outage().is_some()
            || self.code().is_some_and(|code| {
                matches!(
                    code,
                    ErrorCode::DatabaseCorrupt | ErrorCode::InternalMalfunction | ErrorCode::NotADatabase
                )
            })
    }

    /// Why the database as a whole is in trouble, where waiting may help.
    pub(super) fn outage(&self) -> Option<OutageReason> {
        match self.code()? {
            ErrorCode::DiskFull => Some(OutageReason::Full),
            ErrorCode::ReadOnly => Some(OutageReason::ReadOnly),
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => {
                Some(OutageReason::Busy)
            }
            ErrorCode::CannotOpen | ErrorCode::SystemIoFailure | ErrorCode::OutOfMemory => {
                Some(OutageReason::Broken)
            }
            _ => None,
        }
    }

    fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Sqlite(error) => error.sqlite_error_code(),
            Self::Io(_) | Self::RowCount { .. } | Self::Storage(_) => None,
        }
    }
}

impl From<Failure> for StorageError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Storage(error) => error,
            Failure::Sqlite(_) => match failure.outage() {
                Some(reason) => Self::Unavailable(Outage { reason, cause: Box::new(failure) }),
                None => Self::Backend(Box::new(failure)),
            },
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
        match failed.0.outage() {
            Some(reason) => Self::Unavailable(Outage { reason, cause: Box::new(failed) }),
            None => Self::Backend(Box::new(failed)),
        }
    }
}
