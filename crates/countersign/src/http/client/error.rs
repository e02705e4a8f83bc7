//! The table of the client API: each failure of a use case, and what a client hears.

mod callers;

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use countersign_api::{error::ErrorCode, object::BodyError};
use countersign_core::{
    InvalidClientSecret, InvalidEmailAddress, InvalidMsisdn, InvalidNextLink, InvalidToken, UiaMismatch,
};
use countersign_service::{
    AccountsError, AddThreepidError, InvalidDevice, RegisterError, RequestTokenError, StorageError,
    SubmitTokenError, ThreepidsError, UiaError,
};

use crate::http::answer::ErrorAnswer;

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

impl From<InvalidDevice> for ClientError {
    fn from(error: InvalidDevice) -> Self {
        Self::invalid_param(error.to_string())
    }
}

impl From<StorageError> for ClientError {
    fn from(error: StorageError) -> Self {
        Self(ErrorAnswer::storage(&error))
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
        use SubmitTokenError as E;
        let bad_request = |errcode, error: &str| ErrorAnswer::new(StatusCode::BAD_REQUEST, errcode, error);
        Self(match error {
            E::UnknownSession => bad_request(
                ErrorCode::InvalidParam,
                "There is no such session, or the client secret is wrong",
            ),
            E::Incorrect => bad_request(ErrorCode::TokenIncorrect, "The token is wrong"),
            E::SessionExpired => bad_request(
                ErrorCode::SessionExpired,
                "The validation session has expired or was ended: ask for a new token",
            ),
            E::CodeExpired => {
                let error = "The code is right but too old: ask for a new message with a higher send_attempt";
                bad_request(ErrorCode::SessionExpired, error).with_extra("resend", true.into())
            }
            E::Limited(retry_after) => ErrorAnswer::limited(retry_after),
            E::Storage(cause) => ErrorAnswer::storage(&cause),
        })
    }
}

impl From<RegisterError> for ClientError {
    fn from(error: RegisterError) -> Self {
        use RegisterError as E;
        match error {
            E::InvalidUsername(cause) => {
                Self::new(StatusCode::BAD_REQUEST, ErrorCode::InvalidUsername, cause.to_string())
            }
            E::UserInUse => {
                Self::new(StatusCode::BAD_REQUEST, ErrorCode::UserInUse, "This username is taken")
            }
            E::WeakPassword => {
                Self::new(StatusCode::BAD_REQUEST, ErrorCode::WeakPassword, "The password must not be empty")
            }
            E::Session(mismatch) => mismatch.into(),
            E::Limited(retry_after) => Self(ErrorAnswer::limited(retry_after)),
            E::Storage(cause) => cause.into(),
        }
    }
}

impl From<AccountsError> for ClientError {
    fn from(error: AccountsError) -> Self {
        use AccountsError as E;
        match error {
            E::Forbidden => Self::forbidden("Wrong username or password"),
            E::Limited(retry_after) => Self(ErrorAnswer::limited(retry_after)),
            E::Storage(cause) => cause.into(),
        }
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
            E::Sealed(_) => Self(ErrorAnswer::internal(&error)),
            E::Storage(cause) => cause.into(),
        }
    }
}

impl From<UiaMismatch> for ClientError {
    fn from(mismatch: UiaMismatch) -> Self {
        match mismatch {
            UiaMismatch::Unknown => Self::invalid_param(mismatch.to_string()),
            UiaMismatch::Foreign => {
                Self::new(StatusCode::FORBIDDEN, ErrorCode::Forbidden, mismatch.to_string())
            }
        }
    }
}

impl From<UiaError> for ClientError {
    fn from(error: UiaError) -> Self {
        use UiaError as E;
        match error {
            E::Session(mismatch) => mismatch.into(),
            E::Limited(retry_after) => Self(ErrorAnswer::limited(retry_after)),
            E::Accounts(cause) => cause.into(),
            E::Storage(cause) => cause.into(),
        }
    }
}
