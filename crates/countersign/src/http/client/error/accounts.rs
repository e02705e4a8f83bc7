//! Accounts, devices and tokens: what a client hears when they fail.

use axum::http::StatusCode;
use countersign_api::error::ErrorCode;
use countersign_core::WeakPassword;
use countersign_service::{
    AccountsError, ChangePasswordError, DeactivateError, InvalidDevice, OpenIdError, RefreshError,
    RegisterError,
};

use super::ClientError;
use crate::http::answer::ErrorAnswer;

impl From<InvalidDevice> for ClientError {
    fn from(error: InvalidDevice) -> Self {
        Self::invalid_param(error.to_string())
    }
}

impl From<WeakPassword> for ClientError {
    fn from(error: WeakPassword) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::WeakPassword, error.to_string())
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
            E::WeakPassword(cause) => cause.into(),
            E::ThreepidInUse => Self::new(
                StatusCode::BAD_REQUEST,
                ErrorCode::ThreepidInUse,
                "This address is on another account meanwhile",
            ),
            E::ThreepidDenied => Self::new(
                StatusCode::FORBIDDEN,
                ErrorCode::ThreepidDenied,
                "This server takes no phone numbers of this country",
            ),
            E::ThreepidUnproven => Self::new(
                StatusCode::BAD_REQUEST,
                ErrorCode::ThreepidAuthFailed,
                "An address of the authentication is not proven any more",
            ),
            E::Sealed(_) => Self(ErrorAnswer::internal(&error)),
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

impl From<RefreshError> for ClientError {
    fn from(error: RefreshError) -> Self {
        use RefreshError as E;
        match error {
            E::NotOffered => {
                Self::new(StatusCode::NOT_FOUND, ErrorCode::Unrecognized, "This server has no refresh tokens")
            }
            E::Unknown => {
                Self::new(StatusCode::UNAUTHORIZED, ErrorCode::UnknownToken, "The refresh token is unknown")
            }
            E::Expired => {
                let error = "The refresh token has expired";
                let answer = ErrorAnswer::new(StatusCode::UNAUTHORIZED, ErrorCode::UnknownToken, error);
                Self(answer.with_extra("soft_logout", true.into()))
            }
            E::Limited(retry_after) => Self(ErrorAnswer::limited(retry_after)),
            E::Storage(cause) => cause.into(),
        }
    }
}

impl From<OpenIdError> for ClientError {
    fn from(error: OpenIdError) -> Self {
        use OpenIdError as E;
        match error {
            E::LoggedOut => Self::unknown_token(),
            E::Limited(retry_after) => Self(ErrorAnswer::limited(retry_after)),
            E::Storage(cause) => cause.into(),
        }
    }
}

impl From<ChangePasswordError> for ClientError {
    fn from(error: ChangePasswordError) -> Self {
        use ChangePasswordError as E;
        match error {
            E::Missing => Self::missing_param("new_password"),
            E::Weak(cause) => cause.into(),
            E::NoOwner => Self::new(
                StatusCode::BAD_REQUEST,
                ErrorCode::ThreepidNotFound,
                "This address is on no account any more",
            ),
            E::Lapsed(lapsed) => lapsed.into(),
            E::Session(mismatch) => mismatch.into(),
            E::Limited(retry_after) => Self(ErrorAnswer::limited(retry_after)),
            E::Notices(cause) => cause.into(),
            E::Storage(cause) => cause.into(),
        }
    }
}

impl From<DeactivateError> for ClientError {
    fn from(error: DeactivateError) -> Self {
        use DeactivateError as E;
        match error {
            E::Lapsed(lapsed) => lapsed.into(),
            E::Notices(cause) => cause.into(),
            E::Storage(cause) => cause.into(),
        }
    }
}
