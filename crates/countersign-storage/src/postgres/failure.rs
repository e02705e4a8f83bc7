//! Why an operation failed, before it is told to the caller.

use std::{any::Any, error::Error, sync::Arc};

use deadpool_postgres::{PoolError, TimeoutType};
use thiserror::Error;
use tokio_postgres::error::SqlState;

use crate::{Outage, OutageReason, StorageError};

/// What an operation comes to.
pub(super) type Outcome<T> = Result<T, Failure>;

/// Why an operation failed.
#[derive(Debug, Error)]
pub(super) enum Failure {
    /// PostgreSQL says no, or the connection to it broke.
    #[error("PostgreSQL failed")]
    Postgres(#[from] tokio_postgres::Error),
    /// No connection, or no answer in time.
    #[error(transparent)]
    Outage(Outage),
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
    /// A write failed a moment ago for lack of space.
    #[error("a write found no space a moment ago")]
    NoSpace,
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

    /// Why the database as a whole, or the way to it, is in trouble, if it is: then waiting may help.
    pub(super) fn outage(&self) -> Option<OutageReason> {
        match self {
            Self::Outage(outage) => Some(outage.reason),
            Self::Postgres(error) => Self::reason_of(error),
            Self::RowCount { .. } | Self::Storage(_) => None,
        }
    }

    /// There is no connection, or no answer came.
    pub(super) fn no_connection(reason: OutageReason, why: NoConnection) -> Self {
        Self::Outage(Outage { reason, cause: Box::new(why) })
    }

    /// What keeps a connection from being made.
    pub(super) fn unreachable(cause: impl Error + Send + Sync + 'static) -> Self {
        Self::Outage(Outage { reason: OutageReason::Unreachable, cause: Box::new(cause) })
    }

    /// Why making a connection failed. Whatever it is, it is not the operation's fault.
    pub(super) fn connecting(error: tokio_postgres::Error) -> Self {
        let reason = Self::reason_of(&error).unwrap_or(OutageReason::Unreachable);
        Self::Outage(Outage { reason, cause: Box::new(error) })
    }

    /// What an error of the driver tells about the database as a whole.
    pub(super) fn reason_of(error: &tokio_postgres::Error) -> Option<OutageReason> {
        if let Some(code) = error.code() {
            return reason_by_code(code);
        }
        let cause = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
        match cause {
            // The driver's words for a server that is no primary, where a primary was asked for.
            Some(cause) if is_permission_denied_by_driver(cause) => Some(OutageReason::ReadOnly),
            Some(_) => Some(OutageReason::Unreachable),
            None => error.is_closed().then_some(OutageReason::Unreachable),
        }
    }
}

fn is_permission_denied_by_driver(cause: &std::io::Error) -> bool {
    cause.kind() == std::io::ErrorKind::PermissionDenied && cause.raw_os_error().is_none()
}

/// By the codes themselves, else by their classes: connection, operator intervention, login, transaction, resources,
/// system.
fn reason_by_code(code: &SqlState) -> Option<OutageReason> {
    use OutageReason as R;
    let code = code.code();
    match (code, code.get(..2).unwrap_or_default()) {
        ("25006", _) => Some(R::ReadOnly),
        ("3D000", _) | (_, "28") => Some(R::Refused),
        ("53100", _) => Some(R::Full),
        ("53300", _) => Some(R::Crowded),
        ("57014", _) => Some(R::Slow),
        ("55P03", _) | (_, "40") => Some(R::Busy),
        (_, "08" | "57") => Some(R::Unreachable),
        (_, "53" | "58") => Some(R::Broken),
        (_, _) => None,
    }
}

impl From<PoolError> for Failure {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Timeout(TimeoutType::Wait) => Self::Storage(StorageError::Overloaded),
            PoolError::Timeout(TimeoutType::Create | TimeoutType::Recycle) => {
                Self::unreachable(NoConnection::ConnectTimeout)
            }
            PoolError::Closed => Self::Storage(StorageError::Closed),
            PoolError::Backend(error) => Self::connecting(error),
            PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => Self::unreachable(error),
        }
    }
}

impl From<Failure> for StorageError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Storage(error) => error,
            Failure::Outage(outage) => Self::Unavailable(outage),
            Failure::Postgres(_) | Failure::RowCount { .. } => match failure.outage() {
                Some(reason) => Self::Unavailable(Outage { reason, cause: Box::new(failure) }),
                None => Self::Backend(Box::new(failure)),
            },
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
        match failed.0.outage() {
            Some(reason) => Self::Unavailable(Outage { reason, cause: Box::new(failed) }),
            None => Self::Backend(Box::new(failed)),
        }
    }
}
