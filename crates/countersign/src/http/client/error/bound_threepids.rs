//! Addresses at identity servers: what a client hears when they can't be published or taken back.

use std::time::Duration;

use axum::http::StatusCode;
use countersign_api::error::ErrorCode;
use countersign_core::InvalidIdServer;
use countersign_service::{BindElsewhereError, MatrixError, UnbindElsewhereError};
use serde_json::Value;

use super::ClientError;
use crate::http::{answer::ErrorAnswer, identity::IdentityError};

impl From<InvalidIdServer> for ClientError {
    fn from(error: InvalidIdServer) -> Self {
        Self::invalid_param(error.to_string())
    }
}

impl ClientError {
    /// What an identity server said, as it said it. But a client that hears that a token is unknown forgets its own, so of a
    /// token for the identity server no more is said than that it does not work.
    fn of_identity_server(error: MatrixError) -> Self {
        let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_GATEWAY);
        let Ok(errcode) = error.errcode.parse::<ErrorCode>();
        let errcode = match errcode {
            ErrorCode::UnknownToken | ErrorCode::MissingToken => ErrorCode::Unauthorized,
            errcode => errcode,
        };
        let answer = ErrorAnswer::new(status, errcode, error.error);
        let wait = error.body.get("retry_after_ms").and_then(Value::as_u64).map(Duration::from_millis);
        Self(match wait {
            Some(wait) if status == StatusCode::TOO_MANY_REQUESTS => answer.after(wait),
            Some(_) | None => answer,
        })
    }
}

impl From<BindElsewhereError> for ClientError {
    fn from(error: BindElsewhereError) -> Self {
        use BindElsewhereError as E;
        match error {
            E::Refused(refusal) => Self::of_identity_server(refusal),
            E::Unreachable(_) => Self(ErrorAnswer::bad_gateway(&error)),
            // Our own service says what it would have said to a call.
            E::OwnCaller(refusal) => Self(IdentityError::from(refusal).into()),
            E::Own(refusal) => Self(IdentityError::from(refusal).into()),
            E::AccountEnded => Self::unknown_token(),
            E::Limited(retry_after) => Self(ErrorAnswer::limited(retry_after)),
            E::Storage(cause) => cause.into(),
        }
    }
}

impl From<UnbindElsewhereError> for ClientError {
    fn from(error: UnbindElsewhereError) -> Self {
        use UnbindElsewhereError as E;
        match error {
            E::Refused(refusal) => Self::of_identity_server(refusal),
            E::Unreachable(_) => Self(ErrorAnswer::bad_gateway(&error)),
            E::Recorded(_) => Self(ErrorAnswer::internal(&error)),
            E::Limited(retry_after) => Self(ErrorAnswer::limited(retry_after)),
            E::Storage(cause) => cause.into(),
        }
    }
}
