//! Why an operation failed, before it is told to the caller.

use std::{any::Any, error::Error, sync::Arc};

use deadpool_postgres::{PoolError, TimeoutType};
use thiserror::Error;
use tokio_postgres::error::SqlState;

use crate::StorageError;

/// What an operation comes to.
pub(super) type Outcome<T> = Result<T, Failure>;

/// Why an operation failed.
#[derive(Debug, Error)]
pub(super) enum Failure {
    /// PostgreSQL says no, or the connection to it broke.
    #[error("PostgreSQL failed")]
    Postgres(#[from] tokio_postgres::Error),
    /// No connection, or no answer in time.
    #[error("PostgreSQL can't be reached")]
    Unreachable(#[source] Box<dyn Error + Send + Sync>),
    /// A statement changed another number of rows than it must.
    #[error("a statement on {table} changed {changed} rows where it must change {expected}")]
    RowCount {
        /// The table.
        table: &'static str,
        /// How many it changed.
        changed: u64,
        /// How many it must change.
        expected: usize,
    },
    /// A failure that needs no more words.
    #[error(transparent)]
    Storage(StorageError),
}

/// Why a connection was not even tried, or not waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum NoConnection {
    /// It failed a moment ago.
    #[error("connecting failed a moment ago, and is tried again in a moment")]
    BackingOff,
    /// Making or checking a connection took too long.
    #[error("making a connection took too long")]
    ConnectTimeout,
    /// A statement took too long.
    #[error("no answer came in time")]
    AnswerTimeout,
}

impl Failure {
    /// What a panic comes to. Its message went to the panic hook already, and may hold anything.
    pub(super) fn panicked(_payload: Box<dyn Any + Send>) -> Self {
        Self::Storage(StorageError::Panicked)
    }

    /// Whether the same may well work when it is tried again at once: another transaction was in the way.
    pub(super) fn is_transient(&self) -> bool {
        let Self::Postgres(error) = self else { return false };
        error.code().is_some_and(|code| {
            [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED].contains(code)
        })
    }

    /// Whether the trouble is the database's as a whole, or the way to it, so that waiting may help.
    pub(super) fn is_outage(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Postgres(error) => match error.code() {
                Some(code) => is_outage(code),
                None => {
                    error.is_closed() || error.source().is_some_and(|source| source.is::<std::io::Error>())
                }
            },
            Self::RowCount { .. } | Self::Storage(_) => false,
        }
    }
}

/// By the classes of error codes: connection, transaction, resources, operator intervention, system.
fn is_outage(code: &SqlState) -> bool {
    let class = code.code().get(..2).unwrap_or_default();
    ["08", "40", "53", "57", "58"].contains(&class)
        || [SqlState::READ_ONLY_SQL_TRANSACTION, SqlState::LOCK_NOT_AVAILABLE].contains(code)
}

impl From<PoolError> for Failure {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Timeout(TimeoutType::Wait) => Self::Storage(StorageError::Overloaded),
            PoolError::Timeout(TimeoutType::Create | TimeoutType::Recycle) => {
                Self::Unreachable(Box::new(NoConnection::ConnectTimeout))
            }
            PoolError::Closed => Self::Storage(StorageError::Closed),
            PoolError::Backend(error) => Self::Unreachable(Box::new(error)),
            PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
                Self::Unreachable(Box::new(error))
            }
        }
    }
}

impl From<Failure> for StorageError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Storage(error) => error,
            failure if failure.is_outage() => Self::Unavailable(Box::new(failure)),
            failure => Self::Backend(Box::new(failure)),
        }
    }
}

/// The failure of a round, as each of its operations is told.
#[derive(Clone, Debug, Error)]
#[error("the round that this operation was part of failed")]
pub(super) struct RoundFailed(#[source] Arc<Failure>);

impl From<Failure> for RoundFailed {
    fn from(failure: Failure) -> Self {
        Self(Arc::new(failure))
    }
}

impl From<RoundFailed> for StorageError {
    fn from(failed: RoundFailed) -> Self {
        if failed.0.is_outage() {
            Self::Unavailable(Box::new(failed))
        } else {
            Self::Backend(Box::new(failed))
        }
    }
}
