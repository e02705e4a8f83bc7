//! Extractors with the identity API's error codes.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request},
    http::request::Parts,
};
use countersign_api::object::{FromObject, Object};
use countersign_core::UserId;
use zeroize::Zeroizing;

use super::{IdentityError, TokenPlace};
use crate::http::{
    AppState,
    extract::bearer_token,
    read::{read_body, read_query},
};

/// A JSON object as the body, parsed. The content type does not matter.
pub(in crate::http) struct IdentityJson<T>(pub(in crate::http) T);

impl<T: FromObject> FromRequest<AppState> for IdentityJson<T> {
    type Rejection = IdentityError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, IdentityError> {
        let bytes = read_body(request, state, state.settings().max_body_bytes).await?;
        Ok(Self(Object::read(&bytes)?))
    }
}

/// The body of a lookup, which may name thousands of addresses, not yet parsed.
pub(in crate::http) struct LookupBody(pub(in crate::http) Bytes);

impl FromRequest<AppState> for LookupBody {
    type Rejection = IdentityError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, IdentityError> {
        Ok(Self(read_body(request, state, state.settings().identity.max_lookup_body_bytes).await?))
    }
}

/// An optional JSON object as the body: nothing at all counts as `{}`, and what it holds is ignored.
pub(in crate::http) struct IdentityObject;

impl FromRequest<AppState> for IdentityObject {
    type Rejection = IdentityError;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, IdentityError> {
        let bytes = read_body(request, state, state.settings().max_body_bytes).await?;
        if !bytes.is_empty() {
            Object::parse(&bytes)?;
        }
        Ok(Self)
    }
}

/// The query, parsed by the same rules as a body.
pub(in crate::http) struct IdentityQuery<T>(pub(in crate::http) T);

impl<T: FromObject> FromRequestParts<AppState> for IdentityQuery<T> {
    type Rejection = IdentityError;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Self, IdentityError> {
        Ok(Self(T::from_object(read_query(&parts.uri)?)?))
    }
}

/// The user whom the request's access token of the identity API stands for, who has accepted all terms.
pub(in crate::http) struct IdentityAuthenticated(pub(in crate::http) UserId);

impl FromRequestParts<AppState> for IdentityAuthenticated {
    type Rejection = IdentityError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, IdentityError> {
        let IdentityToken(token) = IdentityToken::from_request_parts(parts, state).await?;
        Ok(Self(state.0.identity_accounts.find_caller(&token).await?))
    }
}

/// The user whom the request's access token of the identity API stands for, whatever they accepted.
pub(in crate::http) struct IdentityAuthenticatedBeforeTerms(pub(in crate::http) UserId);

impl FromRequestParts<AppState> for IdentityAuthenticatedBeforeTerms {
    type Rejection = IdentityError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, IdentityError> {
        let IdentityToken(token) = IdentityToken::from_request_parts(parts, state).await?;
        Ok(Self(state.0.identity_accounts.find_caller_before_terms(&token).await?))
    }
}

/// The request's access token of the identity API, not yet looked up.
pub(in crate::http) struct IdentityToken(pub(in crate::http) Zeroizing<String>);

impl FromRequestParts<AppState> for IdentityToken {
    type Rejection = IdentityError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, IdentityError> {
        if let Some(token) = bearer_token(&parts.headers) {
            return Ok(Self(Zeroizing::new(token.to_owned())));
        }
        let in_query = match state.settings().identity.token_place {
            TokenPlace::Header => None,
            TokenPlace::HeaderOrQuery => read_query(&parts.uri)?.ignored_string("access_token"),
        };
        let token = in_query.filter(|token| !token.is_empty()).ok_or_else(IdentityError::missing_token)?;
        Ok(Self(Zeroizing::new(token)))
    }
}
