//! Reading what a request holds. What is wrong with it before it is parsed has one answer in all APIs.

use std::time::Duration;

use axum::{
    body::{Bytes, HttpBody},
    extract::{DefaultBodyLimit, FromRequest, Query, Request},
    http::{StatusCode, Uri},
    response::IntoResponse,
};
use countersign_api::{error::ErrorCode, object::Object};

use super::{AppState, answer::ErrorAnswer};

/// How long a client may take to send its body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The body, of at most `max_bytes`.
pub(super) async fn read_body(
    mut request: Request,
    state: &AppState,
    max_bytes: usize,
) -> Result<Bytes, ErrorAnswer> {
    // What says that it is too large is not waited for.
    let announced = request.body().size_hint().lower();
    if usize::try_from(announced).map_or(true, |announced| max_bytes < announced) {
        return Err(too_large());
    }
    DefaultBodyLimit::max(max_bytes).apply(&mut request);
    match tokio::time::timeout(BODY_TIMEOUT, Bytes::from_request(request, state)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(too_large()),
        Ok(Err(rejection)) => {
            tracing::debug!(status = rejection.into_response().status().as_u16(), "A request body broke off");
            Err(ErrorAnswer::new(StatusCode::BAD_REQUEST, ErrorCode::NotJson, "The request body broke off"))
        }
        Err(_) => Err(ErrorAnswer::new(
            StatusCode::REQUEST_TIMEOUT,
            ErrorCode::Unknown,
            "The request body took too long to arrive",
        )),
    }
}

/// The query, as an object of strings.
pub(super) fn read_query(uri: &Uri) -> Result<Object, ErrorAnswer> {
    let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri).map_err(|_| {
        ErrorAnswer::new(StatusCode::BAD_REQUEST, ErrorCode::InvalidParam, "The query is malformed")
    })?;
    Ok(Object::from_pairs(pairs.0))
}

fn too_large() -> ErrorAnswer {
    ErrorAnswer::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::TooLarge, "The request body is too large")
}
