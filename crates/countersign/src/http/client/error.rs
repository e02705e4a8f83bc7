//! The table of the client API: each failure of a use case, and what a client hears.

mod accounts;
mod bound_threepids;
mod callers;
mod registration_token;
mod threepids;
mod uia;

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use countersign_api::{error::ErrorCode, object::BodyError};
use countersign_service::StorageError;

use crate::http::{HttpSettings, Offer, answer::ErrorAnswer};

/// An error answer of the client API.
#[derive(Debug)]
pub(in crate::http) struct ClientError(ErrorAnswer);

impl ClientError {
    pub(in crate::http) fn new(status: StatusCode, errcode: ErrorCode, error: impl Into<String>) -> Self {
        Self(ErrorAnswer::new(status, errcode, error))
    }

    pub(in crate::http) fn invalid_param(error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::InvalidParam, error)
    }

    pub(in crate::http) fn missing_param(key: &'static str) -> Self {
        BodyError::Missing { key }.into()
    }

    /// The refusal of what the operator has switched off.
    pub(in crate::http) fn unless_offered(settings: &HttpSettings, offer: Offer) -> Result<(), Self> {
        if settings.offers.includes(offer) { Ok(()) } else { Err(Self::switched_off()) }
    }

    pub(in crate::http) fn switched_off() -> Self {
        Self::forbidden("This is switched off on this server")
    }

    pub(in crate::http) fn forbidden(error: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, ErrorCode::Forbidden, error)
    }
}

impl From<ErrorAnswer> for ClientError {
    fn from(answer: ErrorAnswer) -> Self {
        Self(answer)
    }
}

impl IntoResponse for ClientError {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

impl From<BodyError> for ClientError {
    fn from(error: BodyError) -> Self {
        let errcode = match error {
            BodyError::NotJson => ErrorCode::NotJson,
            BodyError::NotAnObject { .. } => ErrorCode::BadJson,
            BodyError::Missing { .. } => ErrorCode::MissingParam,
            BodyError::Invalid { .. } => ErrorCode::InvalidParam,
        };
        Self::new(StatusCode::BAD_REQUEST, errcode, error.to_string())
    }
}

impl From<StorageError> for ClientError {
    fn from(error: StorageError) -> Self {
        Self(ErrorAnswer::storage(&error))
    }
}
