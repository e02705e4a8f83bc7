//! The table of the identity API: each failure of a use case, and what a client hears.

mod accounts;
mod people;
mod validate;

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use countersign_api::{error::ErrorCode, object::BodyError};
use countersign_service::StorageError;

use crate::http::answer::ErrorAnswer;

/// An error answer of the identity API.
#[derive(Debug)]
pub(in crate::http) struct IdentityError(ErrorAnswer);

impl IdentityError {
    pub(in crate::http) fn new(status: StatusCode, errcode: ErrorCode, error: impl Into<String>) -> Self {
        Self(ErrorAnswer::new(status, errcode, error))
    }

    pub(in crate::http) fn bad_request(errcode: ErrorCode, error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, errcode, error)
    }

    pub(in crate::http) fn invalid_param(error: impl Into<String>) -> Self {
        Self::bad_request(ErrorCode::InvalidParam, error)
    }

    pub(in crate::http) fn forbidden(error: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, ErrorCode::Forbidden, error)
    }
}

impl From<ErrorAnswer> for IdentityError {
    fn from(answer: ErrorAnswer) -> Self {
        Self(answer)
    }
}

impl From<IdentityError> for ErrorAnswer {
    fn from(error: IdentityError) -> Self {
        error.0
    }
}

impl IntoResponse for IdentityError {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

impl From<BodyError> for IdentityError {
    fn from(error: BodyError) -> Self {
        let errcode = match error {
            BodyError::NotJson => ErrorCode::NotJson,
            BodyError::NotAnObject { .. } => ErrorCode::BadJson,
            BodyError::Missing { .. } => ErrorCode::MissingParams,
            BodyError::Invalid { .. } => ErrorCode::InvalidParam,
        };
        Self::bad_request(errcode, error.to_string())
    }
}

impl From<StorageError> for IdentityError {
    fn from(error: StorageError) -> Self {
        Self(ErrorAnswer::storage(&error))
    }
}
