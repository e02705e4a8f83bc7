//! What a page of a stage answers when it can't go on.

use std::{error::Error, time::Duration};

use axum::{http::StatusCode, response::Response};
use countersign_service::{RequestTokenError, StageFailure, StorageError, SubmitTokenError, UiaError};

use super::super::{error::PageError, reader::Reader};
use crate::pages::{FallbackExpired, ThreepidProblem};

/// Why a page of a stage can't go on.
pub(super) enum Failure {
    /// 404: no page completes such a stage.
    NoSuchStage,
    /// 400: the authentication session is over, or does not have this stage now.
    Gone,
    /// The registration token is not valid.
    WrongToken,
    /// An address or a code leads no further.
    Threepid(ThreepidProblem),
    /// 429.
    Limited(Duration),
    /// A page that all pages share.
    Page(PageError),
}

impl Failure {
    /// The page for it, where the stage's own page does not tell it.
    pub(super) fn answer(self, reader: &Reader) -> Response {
        match self {
            Self::NoSuchStage => reader.answer(StatusCode::NOT_FOUND, &FallbackExpired {}),
            Self::Gone | Self::WrongToken | Self::Threepid(_) => {
                reader.answer(StatusCode::BAD_REQUEST, &FallbackExpired {})
            }
            Self::Limited(wait) => PageError::Limited(Some(wait)).answer(reader),
            Self::Page(error) => error.answer(reader),
        }
    }

    /// 503: another server did not do its part. The cause goes to the log, once, here.
    fn unreachable(cause: &(dyn Error + 'static)) -> Self {
        tracing::warn!(error = cause, "Answered a page with 503: {cause}");
        Self::Page(PageError::Unavailable)
    }
}

impl From<StageFailure> for Failure {
    fn from(failure: StageFailure) -> Self {
        match failure {
            StageFailure::TokenInvalid => Self::WrongToken,
            StageFailure::Unproven => Self::Threepid(ThreepidProblem::NotYet),
            StageFailure::NotOffered
            | StageFailure::OutOfOrder
            | StageFailure::Incomplete
            | StageFailure::Forbidden
            | StageFailure::TermsNotShown => Self::Gone,
        }
    }
}

impl From<UiaError> for Failure {
    fn from(error: UiaError) -> Self {
        match error {
            UiaError::Session(_) => Self::Gone,
            UiaError::TokenChanged => Self::WrongToken,
            UiaError::Limited(wait) => Self::Limited(wait),
            UiaError::Sealed(_) | UiaError::Password(_) => {
                tracing::error!(error = &error as &dyn Error, "Answered a page with 500: {error}");
                Self::Page(PageError::Internal)
            }
            UiaError::Unreachable(_) => Self::unreachable(&error),
            UiaError::Storage(cause) => cause.into(),
        }
    }
}

impl From<RequestTokenError> for Failure {
    fn from(error: RequestTokenError) -> Self {
        match error {
            RequestTokenError::MediumNotSupported(_) => Self::Gone,
            RequestTokenError::DestinationDenied => Self::Threepid(ThreepidProblem::Denied),
            RequestTokenError::InUse => Self::Threepid(ThreepidProblem::InUse),
            RequestTokenError::NotFound => Self::Threepid(ThreepidProblem::NotFound),
            RequestTokenError::Limited(wait) => Self::Limited(wait),
            RequestTokenError::Storage(cause) => cause.into(),
        }
    }
}

impl From<SubmitTokenError> for Failure {
    fn from(error: SubmitTokenError) -> Self {
        match error {
            SubmitTokenError::Incorrect => Self::Threepid(ThreepidProblem::WrongCode),
            SubmitTokenError::UnknownSession
            | SubmitTokenError::SessionExpired
            | SubmitTokenError::CodeExpired => Self::Threepid(ThreepidProblem::TooOld),
            SubmitTokenError::Limited(wait) => Self::Limited(wait),
            SubmitTokenError::Unreachable(_) => Self::unreachable(&error),
            SubmitTokenError::Storage(cause) => cause.into(),
        }
    }
}

impl From<StorageError> for Failure {
    fn from(error: StorageError) -> Self {
        Self::Page(PageError::of_storage(&error))
    }
}
