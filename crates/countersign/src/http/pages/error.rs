//! What a page answers when something fails: a status and a page for each case.

use std::{error::Error, sync::Arc, time::Duration};

use axum::{
    extract::{
        Request, State,
        rejection::{FormRejection, QueryRejection},
    },
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::Response,
};
use countersign_service::{ConfirmError, StorageError};

use super::reader::Reader;
use crate::pages::{ErrorPage, LinkExpired, LinkInvalid, Pages, Problem};

/// Why a page is not what the reader wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageError {
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
    /// 429: too many requests from the reader's network, or too many wrong tokens; if it is known, with the wait.
    Limited(Option<Duration>),
    /// 503: overloaded or going down.
    Unavailable,
    /// 500: a defect, or a broken database.
    Internal,
}

impl From<ConfirmError> for PageError {
    /// The cause of a failure goes to the log, once, here; that of an outage did when it began.
    fn from(error: ConfirmError) -> Self {
        match &error {
            ConfirmError::Unknown => Self::Unknown,
            ConfirmError::Expired => Self::Expired,
            ConfirmError::Sealed(_) | ConfirmError::Corrupt => {
                tracing::error!(error = &error as &dyn Error, "Answered a page with 500: {error}");
                Self::Internal
            }
            ConfirmError::Storage(cause) => Self::of_storage(cause),
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
    /// A failure of the database. It goes to the log, once, here; an outage did when it began.
    pub(super) fn of_storage(error: &StorageError) -> Self {
        match error {
            StorageError::Overloaded | StorageError::Closed | StorageError::Unavailable(_) => {
                tracing::debug!(error = error as &dyn Error, "Answered a page with 503: {error}");
                Self::Unavailable
            }
            StorageError::Corrupt { .. }
            | StorageError::Schema { .. }
            | StorageError::Unfilled
            | StorageError::Panicked
            | StorageError::Backend(_) => {
                tracing::error!(error = error as &dyn Error, "Answered a page with 500: {error}");
                Self::Internal
            }
        }
    }

    /// What a layer around the pages refused.
    fn of_layer(response: &Response) -> Option<Self> {
        let is_json =
            response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
        match response.status() {
            StatusCode::TOO_MANY_REQUESTS if is_json => Some(Self::Limited(None)),
            StatusCode::SERVICE_UNAVAILABLE if is_json => Some(Self::Unavailable),
            StatusCode::INTERNAL_SERVER_ERROR if is_json => Some(Self::Internal),
            _ => None,
        }
    }

    /// The page for it.
    pub(super) fn answer(self, reader: &Reader) -> Response {
        let problem = |status, problem| reader.answer(status, &ErrorPage { problem });
        match self {
            Self::Malformed => reader.answer(StatusCode::BAD_REQUEST, &LinkInvalid {}),
            Self::Unknown => reader.answer(StatusCode::NOT_FOUND, &LinkInvalid {}),
            Self::Expired => reader.answer(StatusCode::GONE, &LinkExpired {}),
            Self::TooLarge => problem(StatusCode::PAYLOAD_TOO_LARGE, Problem::TooLarge),
            Self::MethodNotAllowed => problem(StatusCode::METHOD_NOT_ALLOWED, Problem::MethodNotAllowed),
            Self::Limited(wait) => {
                let mut response = problem(StatusCode::TOO_MANY_REQUESTS, Problem::Limited);
                if let Some(wait) = wait {
                    let seconds = wait.as_millis().div_ceil(1000).max(1).to_string();
                    let value = HeaderValue::from_str(&seconds).expect("digits are a header value");
                    response.headers_mut().insert(header::RETRY_AFTER, value);
                }
                response
            }
            Self::Unavailable => {
                let mut response = problem(StatusCode::SERVICE_UNAVAILABLE, Problem::Unavailable);
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
                response
            }
            Self::Internal => problem(StatusCode::INTERNAL_SERVER_ERROR, Problem::Internal),
        }
    }
}

/// 405 for a page, asked the wrong way.
pub(super) async fn method_not_allowed(reader: Reader) -> Response {
    PageError::MethodNotAllowed.answer(&reader)
}

/// Puts a page in place of a JSON error that a layer around the pages made, since the APIs share those layers.
pub(in crate::http) async fn errors_as_pages(
    State(pages): State<Arc<Pages>>,
    request: Request,
    next: Next,
) -> Response {
    let reader = Reader::new(pages, request.headers());
    let response = next.run(request).await;
    let Some(error) = PageError::of_layer(&response) else { return response };
    let mut page = error.answer(&reader);
    if let Some(wait) = response.headers().get(header::RETRY_AFTER) {
        page.headers_mut().insert(header::RETRY_AFTER, wait.clone());
    }
    page
}
