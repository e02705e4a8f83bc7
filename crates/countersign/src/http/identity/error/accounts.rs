//! Access tokens of the identity API: what a client hears when one does not work, or there is none to have.

use axum::http::StatusCode;
use countersign_api::error::ErrorCode;
use countersign_core::InvalidServerName;
use countersign_service::{IdentityCallerError, IdentityRegisterError};

use super::IdentityError;
use crate::http::answer::ErrorAnswer;

impl IdentityError {
    /// 401 for a request without an access token.
    pub(in crate::http) fn missing_token() -> Self {
        Self::unauthorized("An access token of the identity service is required")
    }

    fn unauthorized(error: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized, error)
    }

    /// The same for logging out, which alone says of a token that it is unknown
    /// ([spec](https://spec.matrix.org/v1.19/identity-service-api/#post_matrixidentityv2accountlogout)).
    pub(in crate::http::identity) fn of_log_out(error: IdentityCallerError) -> Self {
        match error {
            IdentityCallerError::Unknown => {
                let error = "The access token is unknown";
                Self::new(StatusCode::UNAUTHORIZED, ErrorCode::UnknownToken, error)
            }
            error @ (IdentityCallerError::TermsNotAccepted | IdentityCallerError::Storage(_)) => error.into(),
        }
    }
}

impl From<IdentityCallerError> for IdentityError {
    fn from(error: IdentityCallerError) -> Self {
        use IdentityCallerError as E;
        match error {
            E::Unknown => Self::unauthorized("The access token is unknown"),
            E::TermsNotAccepted => Self::new(
                StatusCode::FORBIDDEN,
                ErrorCode::TermsNotSigned,
                "The terms of this identity service must be accepted first",
            ),
            E::Storage(cause) => cause.into(),
        }
    }
}

impl From<InvalidServerName> for IdentityError {
    fn from(error: InvalidServerName) -> Self {
        Self::invalid_param(error.to_string())
    }
}

impl From<IdentityRegisterError> for IdentityError {
    fn from(error: IdentityRegisterError) -> Self {
        use IdentityRegisterError as E;
        match error {
            E::ServerNotAllowed => Self::forbidden("Users of this server may not use this identity service"),
            E::Unproven => {
                Self::unauthorized("The OpenID token is unknown, has expired, or is another server's")
            }
            E::Unreachable(_) => Self(ErrorAnswer::bad_gateway(&error)),
            E::Limited(retry_after) => Self(ErrorAnswer::limited(retry_after)),
            E::Storage(cause) => cause.into(),
        }
    }
}
