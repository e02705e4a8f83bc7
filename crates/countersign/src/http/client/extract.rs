//! Extractors with the client API's error codes.

use std::time::Duration;

use axum::{
    body::{Bytes, HttpBody},
    extract::{FromRequest, FromRequestParts, Query, Request},
    http::{Method, StatusCode, request::Parts},
    response::IntoResponse,
};
use countersign_api::{
    error::ErrorCode,
    object::{FromObject, Object},
};
use countersign_core::TokenOwner;
use countersign_service::{Authentication, Freshness};

use super::ClientError;
use crate::http::{AppState, extract::find_caller};

/// How long a client may take to send its body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A JSON object as the body, parsed. The content type does not matter.
pub(in crate::http) struct MatrixJson<T>(pub(in crate::http) T);

impl<T: FromObject> FromRequest<AppState> for MatrixJson<T> {
    type Rejection = ClientError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, ClientError> {
        let bytes = read_body(request, state).await?;
        Ok(Self(Object::read(&bytes)?))
    }
}

/// An optional JSON object as the body: nothing at all counts as `{}`, and what it holds is ignored.
pub(in crate::http) struct MatrixObject;

impl FromRequest<AppState> for MatrixObject {
    type Rejection = ClientError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, ClientError> {
        let bytes = read_body(request, state).await?;
        if !bytes.is_empty() {
            Object::parse(&bytes)?;
        }
        Ok(Self)
    }
}

/// The query, parsed by the same rules as a body.
pub(in crate::http) struct MatrixQuery<T>(pub(in crate::http) T);

impl<T: FromObject> FromRequestParts<AppState> for MatrixQuery<T> {
    type Rejection = ClientError;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, ClientError> {
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri).map_err(|_| {
            ClientError::new(StatusCode::BAD_REQUEST, ErrorCode::InvalidParam, "The query is malformed")
        })?;
        Ok(Self(T::from_object(Object::from_pairs(pairs.0))?))
    }
}

/// The owner of the request's access token. Without a token that works there is no request.
pub(in crate::http) struct Authenticated(pub(in crate::http) TokenOwner);

impl FromRequestParts<AppState> for Authenticated {
    type Rejection = ClientError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ClientError> {
        let MaybeAuthenticated(owner) = MaybeAuthenticated::from_request_parts(parts, state).await?;
        owner.map(Self).ok_or_else(ClientError::missing_token)
    }
}

/// The owner of the request's access token, if it carries one. With a token that does not work there is no request.
pub(in crate::http) struct MaybeAuthenticated(pub(in crate::http) Option<TokenOwner>);

impl FromRequestParts<AppState> for MaybeAuthenticated {
    type Rejection = ClientError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ClientError> {
        let freshness = if parts.method == Method::GET { Freshness::Cached } else { Freshness::Asked };
        match find_caller(parts, state, freshness).await? {
            Some(Authentication::Owner(owner)) => Ok(Self(Some(owner))),
            Some(Authentication::Expired) => Err(ClientError::expired_token()),
            Some(Authentication::Unknown) => Err(ClientError::unknown_token()),
            None => Ok(Self(None)),
        }
    }
}

async fn read_body(request: Request, state: &AppState) -> Result<Bytes, ClientError> {
    // What says that it is too large is not waited for.
    let announced = request.body().size_hint().lower();
    if usize::try_from(announced).map_or(true, |announced| state.settings().max_body_bytes < announced) {
        return Err(too_large());
    }
    match tokio::time::timeout(BODY_TIMEOUT, Bytes::from_request(request, state)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(too_large()),
        Ok(Err(rejection)) => {
            tracing::debug!(status = rejection.into_response().status().as_u16(), "A request body broke off");
            Err(ClientError::new(StatusCode::BAD_REQUEST, ErrorCode::NotJson, "The request body broke off"))
        }
        Err(_) => Err(ClientError::new(
            StatusCode::REQUEST_TIMEOUT,
            ErrorCode::Unknown,
            "The request body took too long to arrive",
        )),
    }
}

fn too_large() -> ClientError {
    ClientError::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::TooLarge, "The request body is too large")
}
