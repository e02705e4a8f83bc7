//! Extractors with the client API's error codes.

use axum::{
    extract::{FromRequest, FromRequestParts, Request},
    http::{Method, request::Parts},
};
use countersign_api::object::{FromObject, Object};
use countersign_core::TokenOwner;
use countersign_service::{Authentication, Freshness};

use super::ClientError;
use crate::http::{
    AppState,
    extract::find_caller,
    read::{read_body, read_query},
};

/// A JSON object as the body, parsed. The content type does not matter.
pub(in crate::http) struct MatrixJson<T>(pub(in crate::http) T);

impl<T: FromObject> FromRequest<AppState> for MatrixJson<T> {
    type Rejection = ClientError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, ClientError> {
        let bytes = read_body(request, state, state.settings().max_body_bytes).await?;
        Ok(Self(Object::read(&bytes)?))
    }
}

/// An optional JSON object as the body: nothing at all counts as `{}`, and what it holds is ignored.
pub(in crate::http) struct MatrixObject;

impl FromRequest<AppState> for MatrixObject {
    type Rejection = ClientError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, ClientError> {
        let bytes = read_body(request, state, state.settings().max_body_bytes).await?;
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
        Ok(Self(T::from_object(read_query(&parts.uri)?)?))
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
