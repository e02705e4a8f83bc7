//! Access tokens and passwords of callers: what a client hears when they do not work, or nobody can say.

use axum::http::StatusCode;
use countersign_api::error::ErrorCode;
use countersign_service::{CallerError, CheckPasswordError};

use super::ClientError;
use crate::http::answer::ErrorAnswer;

impl ClientError {
    /// 401 for a request without an access token.
    pub(in crate::http) fn missing_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, ErrorCode::MissingToken, "An access token is required")
    }

    /// 401 for a token that was never given out, or whose device is logged out.
    pub(in crate::http) fn unknown_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, ErrorCode::UnknownToken, "The access token is unknown")
    }

    /// 401 for a token that is too old, while its device still stands.
    pub(in crate::http) fn expired_token() -> Self {
        let error = "The access token has expired";
        let answer = ErrorAnswer::new(StatusCode::UNAUTHORIZED, ErrorCode::UnknownToken, error);
        Self(answer.with_extra("soft_logout", true.into()))
    }
}

impl From<CallerError> for ClientError {
    fn from(error: CallerError) -> Self {
        use CallerError as E;
        match error {
            E::Unreachable(_) => Self(ErrorAnswer::bad_gateway(&error)),
            E::Foreign => Self::forbidden("This access token's user can't have addresses here"),
            E::Storage(cause) => cause.into(),
        }
    }
}

impl From<CheckPasswordError> for ClientError {
    fn from(error: CheckPasswordError) -> Self {
        use CheckPasswordError as E;
        match error {
            E::Forbidden => Self::forbidden("Wrong username or password"),
            E::Limited(retry_after) => Self(ErrorAnswer::limited(retry_after)),
            E::Unreachable(_) => Self(ErrorAnswer::bad_gateway(&error)),
            E::Storage(cause) => cause.into(),
        }
    }
}
