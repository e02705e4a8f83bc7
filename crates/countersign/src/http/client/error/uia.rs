//! User-interactive authentication: what a client hears when it fails otherwise than by a stage.

use axum::http::StatusCode;
use countersign_api::error::ErrorCode;
use countersign_core::{Lapsed, UiaMismatch};
use countersign_service::UiaError;

use super::ClientError;
use crate::http::answer::ErrorAnswer;

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

impl From<Lapsed> for ClientError {
    /// What allowed a request was good when it was looked at, and was gone a moment later.
    fn from(lapsed: Lapsed) -> Self {
        match lapsed {
            // The client begins anew, and is told then what is asked for by now.
            Lapsed::Session | Lapsed::AccessToken => UiaMismatch::Unknown.into(),
            Lapsed::Password => Self::forbidden("Wrong username or password"),
            Lapsed::Proof => Self::new(
                StatusCode::BAD_REQUEST,
                ErrorCode::ThreepidAuthFailed,
                "The address of the authentication is not proven any more",
            ),
        }
    }
}

impl From<UiaError> for ClientError {
    fn from(error: UiaError) -> Self {
        use UiaError as E;
        match error {
            E::Session(mismatch) => mismatch.into(),
            E::Limited(retry_after) => Self(ErrorAnswer::limited(retry_after)),
            E::Password(cause) => cause.into(),
            E::TokenChanged => {
                Self::invalid_param("The authentication session holds another registration token")
            }
            E::Unreachable(_) => Self(ErrorAnswer::bad_gateway(&error)),
            E::Sealed(_) => Self(ErrorAnswer::internal(&error)),
            E::Storage(cause) => cause.into(),
        }
    }
}
