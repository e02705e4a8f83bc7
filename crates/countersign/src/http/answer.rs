//! JSON answers, and the errors that both APIs share.

use std::{error::Error, time::Duration};

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use countersign_api::{
    error::{ErrorBody, ErrorCode},
    uia::UiaInfo,
};
use countersign_service::StorageError;

/// What a client is told to wait when the server can't do its work.
const UNAVAILABLE_FOR: Duration = Duration::from_secs(1);

/// A JSON error answer: a status, a code and a fixed sentence.
#[derive(Debug)]
pub(super) struct ErrorAnswer {
    status: StatusCode,
    body: Body,
    retry_after: Option<Duration>,
}

#[derive(Debug)]
enum Body {
    Error(Box<ErrorBody>),
    Uia(Box<UiaInfo>),
}

impl ErrorAnswer {
    pub(super) fn new(status: StatusCode, errcode: ErrorCode, error: impl Into<String>) -> Self {
        Self { status, body: Body::Error(Box::new(ErrorBody::new(errcode, error))), retry_after: None }
    }

    /// 429, with the wait.
    pub(super) fn limited(retry_after: Duration) -> Self {
        let error = "Too many requests: wait a while and try again";
        Self::new(StatusCode::TOO_MANY_REQUESTS, ErrorCode::LimitExceeded, error).after(retry_after)
    }

    /// With a wait: a header in whole seconds, and in the body in milliseconds.
    pub(super) fn after(mut self, wait: Duration) -> Self {
        if let Body::Error(body) = &mut self.body {
            body.retry_after_ms = Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        }
        Self { retry_after: Some(wait), ..self }
    }

    /// 401 with the flows of user-interactive authentication.
    pub(super) fn uia(info: UiaInfo) -> Self {
        Self { status: StatusCode::UNAUTHORIZED, body: Body::Uia(Box::new(info)), retry_after: None }
    }

    /// 503 with the wait until it may work.
    pub(super) fn unavailable(error: &'static str) -> Self {
        let answer = Self::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unknown, error);
        Self { retry_after: Some(UNAVAILABLE_FOR), ..answer }
    }

    /// 500, its cause logged here; or, where waiting helps, 503: the storage logs when that begins and ends, rather than
    /// once for each request.
    pub(super) fn storage(cause: &StorageError) -> Self {
        match cause {
            StorageError::Overloaded | StorageError::Closed | StorageError::Unavailable(_) => {
                tracing::debug!(error = cause as &dyn Error, "Answered 503: {cause}");
                Self::unavailable("The server is overloaded or restarting: try again in a moment")
            }
            StorageError::Corrupt { .. }
            | StorageError::Schema { .. }
            | StorageError::Unfilled
            | StorageError::Panicked
            | StorageError::Backend(_) => Self::internal(cause),
        }
    }

    /// 500. The cause goes to the log, once, here.
    pub(super) fn internal(cause: &(dyn Error + 'static)) -> Self {
        tracing::error!(error = cause, "Answered 500: {cause}");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Unknown, "Internal server error")
    }

    /// 502: another server did not do its part. The cause goes to the log, once, here.
    pub(super) fn bad_gateway(cause: &(dyn Error + 'static)) -> Self {
        tracing::warn!(error = cause, "Answered 502: {cause}");
        let error = "Another server did not answer as it should: try again in a moment";
        Self::new(StatusCode::BAD_GATEWAY, ErrorCode::Unknown, error)
    }

    /// Adds a key to the body of an error.
    pub(super) fn with_extra(mut self, key: &str, value: serde_json::Value) -> Self {
        if let Body::Error(body) = &mut self.body {
            body.extra.insert(key.to_owned(), value);
        }
        self
    }
}

impl IntoResponse for ErrorAnswer {
    fn into_response(self) -> Response {
        let mut response = match self.body {
            Body::Error(body) => (self.status, Json(body)).into_response(),
            Body::Uia(info) => (self.status, Json(info)).into_response(),
        };
        if let Some(retry_after) = self.retry_after {
            let seconds = retry_after.as_millis().div_ceil(1000).max(1);
            let value = HeaderValue::from_str(&seconds.to_string()).expect("digits are a header value");
            response.headers_mut().insert(header::RETRY_AFTER, value);
        }
        response
    }
}

/// 404 for a path that is none of ours.
pub(super) async fn not_found() -> ErrorAnswer {
    ErrorAnswer::new(StatusCode::NOT_FOUND, ErrorCode::Unrecognized, "There is no such endpoint")
}

/// 405 for a path of ours, asked the wrong way.
pub(super) async fn method_not_allowed() -> ErrorAnswer {
    let error = "This endpoint does not know this method";
    ErrorAnswer::new(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::Unrecognized, error)
}

/// 500 for a defect of ours. Never for what a client sent.
pub(super) fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!("A handler panicked; please report this");
    ErrorAnswer::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Unknown, "Internal server error")
        .into_response()
}
