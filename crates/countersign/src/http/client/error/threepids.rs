//! Addresses, and the tokens that prove them: what a client hears when they fail.

use axum::http::StatusCode;
use countersign_api::error::ErrorCode;
use countersign_core::{
    InvalidClientSecret, InvalidEmailAddress, InvalidMsisdn, InvalidNextLink, InvalidToken,
};
use countersign_service::{AddThreepidError, RequestTokenError, SubmitTokenError, ThreepidsError};

use super::ClientError;
use crate::http::answer::ErrorAnswer;

impl From<InvalidClientSecret> for ClientError {
    fn from(error: InvalidClientSecret) -> Self {
        Self::invalid_param(error.to_string())
    }
}

impl From<InvalidEmailAddress> for ClientError {
    fn from(error: InvalidEmailAddress) -> Self {
        Self::invalid_param(error.to_string())
    }
}

impl From<InvalidMsisdn> for ClientError {
    fn from(error: InvalidMsisdn) -> Self {
        Self::invalid_param(error.to_string())
    }
}

impl From<InvalidNextLink> for ClientError {
    fn from(error: InvalidNextLink) -> Self {
        Self::invalid_param(error.to_string())
    }
}

impl From<InvalidToken> for ClientError {
    fn from(error: InvalidToken) -> Self {
        Self::invalid_param(error.to_string())
    }
}

impl From<RequestTokenError> for ClientError {
    fn from(error: RequestTokenError) -> Self {
        use RequestTokenError as E;
        match error {
            E::MediumNotSupported(_) => Self::new(
                StatusCode::BAD_REQUEST,
                ErrorCode::ThreepidMediumNotSupported,
                "This server does not send messages by this medium",
            ),
            E::DestinationDenied => Self::new(
                StatusCode::FORBIDDEN,
                ErrorCode::ThreepidDenied,
                "This server does not send messages to phone numbers of this country",
            ),
            E::InUse => Self::new(
                StatusCode::BAD_REQUEST,
                ErrorCode::ThreepidInUse,
                "This address is on an account already",
            ),
            E::NotFound => Self::new(
                StatusCode::BAD_REQUEST,
                ErrorCode::ThreepidNotFound,
                "This address is on no account",
            ),
            E::Limited(retry_after) => Self(ErrorAnswer::limited(retry_after)),
            E::Storage(cause) => cause.into(),
        }
    }
}

impl From<SubmitTokenError> for ClientError {
    fn from(error: SubmitTokenError) -> Self {
        Self(error.into())
    }
}

impl From<ThreepidsError> for ClientError {
    fn from(error: ThreepidsError) -> Self {
        use ThreepidsError as E;
        match error {
            E::Sealed(_) | E::Corrupt(_) => Self(ErrorAnswer::internal(&error)),
            E::Storage(cause) => cause.into(),
        }
    }
}

impl From<AddThreepidError> for ClientError {
    fn from(error: AddThreepidError) -> Self {
        use AddThreepidError as E;
        match error {
            E::AuthFailed => Self::new(
                StatusCode::BAD_REQUEST,
                ErrorCode::ThreepidAuthFailed,
                "The session is unknown, expired, or its address was not validated",
            ),
            E::InUse => Self::new(
                StatusCode::BAD_REQUEST,
                ErrorCode::ThreepidInUse,
                "This address is on another account",
            ),
            E::Lapsed(lapsed) => lapsed.into(),
            E::Unreachable(_) => Self(ErrorAnswer::bad_gateway(&error)),
            E::Sealed(_) => Self(ErrorAnswer::internal(&error)),
            E::Notices(cause) => cause.into(),
            E::Storage(cause) => cause.into(),
        }
    }
}

impl ClientError {
    /// The same for the deprecated `POST /account/3pid`, which has another status for a session that proves nothing.
    pub(in crate::http::client) fn of_direct_add(error: AddThreepidError) -> Self {
        match error {
            AddThreepidError::AuthFailed => Self::new(
                StatusCode::FORBIDDEN,
                ErrorCode::ThreepidAuthFailed,
                "The session is unknown, expired, or its address was not validated",
            ),
            error @ (AddThreepidError::InUse
            | AddThreepidError::Lapsed(_)
            | AddThreepidError::Sealed(_)
            | AddThreepidError::Unreachable(_)
            | AddThreepidError::Notices(_)
            | AddThreepidError::Storage(_)) => error.into(),
        }
    }
}
