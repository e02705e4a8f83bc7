//! What a page answers when something fails: a status and a page for each case.

use std::{error::Error, time::Duration};

use axum::{
    extract::rejection::{FormRejection, QueryRejection},
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use countersign_service::{ConfirmError, StorageError};

use super::reader::Reader;
use crate::pages::{ErrorPage, LinkExpired, LinkInvalid, Problem};

/// Why a page is not what the reader wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum PageError {
    /// 400: a field is missing or badly encoded, as when a mail program cut the link.
    Malformed,
    /// 404: there is no such session, or the token is not its.
    Unknown,
    /// 410: the link's time is over, or its session was ended.
    Expired,
    /// 413: no form of ours is so large.
    TooLarge,
    /// 405: neither GET nor POST.
    MethodNotAllowed,
    /// 429: too many requests from the reader's network.
    Limited(Duration),
    /// 503: overloaded or going down.
    Unavailable,
    /// 500: a defect, or a broken database.
    Internal,
}

impl From<ConfirmError> for PageError {
    /// The cause of a failure goes to the log, once, here.
    fn from(error: ConfirmError) -> Self {
        match &error {
            ConfirmError::Unknown => Self::Unknown,
            ConfirmError::Expired => Self::Expired,
            ConfirmError::Storage(StorageError::Overloaded | StorageError::Closed) => {
                tracing::warn!(error = &error as &dyn Error, "Answered a page with 503: {error}");
                Self::Unavailable
            }
            ConfirmError::Sealed(_)
            | ConfirmError::Corrupt
            | ConfirmError::Storage(
                StorageError::Corrupt { .. }
                | StorageError::Schema { .. }
                | StorageError::Panicked
                | StorageError::Backend(_),
            ) => {
                tracing::error!(error = &error as &dyn Error, "Answered a page with 500: {error}");
                Self::Internal
            }
        }
    }
}

impl From<QueryRejection> for PageError {
    fn from(_: QueryRejection) -> Self {
        Self::Malformed
    }
}

impl From<FormRejection> for PageError {
    fn from(rejection: FormRejection) -> Self {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE { Self::TooLarge } else { Self::Malformed }
    }
}

impl PageError {
    /// The page for it.
    pub(in crate::http) fn answer(self, reader: &Reader) -> Response {
        let problem = |status, problem| reader.answer(status, &ErrorPage { problem });
        match self {
            Self::Malformed => reader.answer(StatusCode::BAD_REQUEST, &LinkInvalid {}),
            Self::Unknown => reader.answer(StatusCode::NOT_FOUND, &LinkInvalid {}),
            Self::Expired => reader.answer(StatusCode::GONE, &LinkExpired {}),
            Self::TooLarge => problem(StatusCode::PAYLOAD_TOO_LARGE, Problem::TooLarge),
            Self::MethodNotAllowed => problem(StatusCode::METHOD_NOT_ALLOWED, Problem::MethodNotAllowed),
            Self::Limited(wait) => {
                let response = problem(StatusCode::TOO_MANY_REQUESTS, Problem::Limited);
                retry_after(response, wait)
            }
            Self::Unavailable => {
                let response = problem(StatusCode::SERVICE_UNAVAILABLE, Problem::Unavailable);
                retry_after(response, Duration::from_secs(1))
            }
            Self::Internal => problem(StatusCode::INTERNAL_SERVER_ERROR, Problem::Internal),
        }
    }
}

/// 405 for a page, asked the wrong way.
pub(super) async fn method_not_allowed(reader: Reader) -> Response {
    PageError::MethodNotAllowed.answer(&reader)
}

fn retry_after(mut response: Response, wait: Duration) -> Response {
    let seconds = wait.as_millis().div_ceil(1000).max(1);
    let value = HeaderValue::from_str(&seconds.to_string()).expect("digits are a header value");
    response.headers_mut().insert(header::RETRY_AFTER, value);
    response
}
