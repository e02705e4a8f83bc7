//! What handlers take in: who asks, from where, and in which language.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use axum::{
    extract::{ConnectInfo, FromRequestParts, Request},
    http::{HeaderMap, header, request::Parts},
};
use countersign_core::{ClientNetwork, Language};
use countersign_service::{Authentication, CallerError, Freshness, RequestContext};

use super::{AppState, HttpSettings, client::ClientError, client_address::client_address};

/// The request's access token, if it has one: `Authorization: Bearer …`, the scheme in any case (RFC 9110, 11.1).
pub(super) fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

/// The network that a request comes from.
pub(super) fn network(request: &Request, settings: &HttpSettings) -> ClientNetwork {
    ClientNetwork::of(address(request, settings))
}

/// The address that a request comes from.
pub(super) fn address(request: &Request, settings: &HttpSettings) -> IpAddr {
    address_of(request.extensions().get(), request.headers(), settings)
}

fn address_of(
    peer: Option<&ConnectInfo<SocketAddr>>,
    headers: &HeaderMap,
    settings: &HttpSettings,
) -> IpAddr {
    let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(address)| address.ip());
    client_address(peer, headers, &settings.trusted_proxies)
}

/// The language that a request asks for.
pub(super) fn language(headers: &HeaderMap) -> Language {
    Language::negotiate(headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()))
}

/// A request's context, with the caller if its access token works. One that does not work is ignored.
///
/// In a handler's arguments it stands after [`Authenticated`](super::client::Authenticated), whose answer it reuses.
pub(super) struct Context(pub(super) RequestContext);

impl FromRequestParts<AppState> for Context {
    type Rejection = ClientError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ClientError> {
        let AnonymousContext(context) = AnonymousContext::of(parts, state);
        let caller = match find_caller(parts, state, Freshness::Cached).await {
            Ok(Some(Authentication::Owner(owner))) => Some(state.0.accounts.user_id(&owner.localpart)),
            Ok(Some(Authentication::Expired | Authentication::Unknown) | None) => None,
            // Whoever needs to know the caller asks for one that works.
            Err(CallerError::Unreachable(_) | CallerError::Foreign) => None,
            Err(CallerError::Storage(cause)) => return Err(cause.into()),
        };
        Ok(Self(RequestContext { caller, ..context }))
    }
}

/// A request's context, whoever sends it: where its access token is none of the client API's.
pub(super) struct AnonymousContext(pub(super) RequestContext);

impl AnonymousContext {
    fn of(parts: &Parts, state: &AppState) -> Self {
        let address = address_of(parts.extensions.get(), &parts.headers, state.settings());
        let network = ClientNetwork::of(address);
        Self(RequestContext { network, language: language(&parts.headers), caller: None })
    }
}

impl FromRequestParts<AppState> for AnonymousContext {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        Ok(Self::of(parts, state))
    }
}

/// What an access token was found to be worth, kept with its request.
#[derive(Clone)]
struct Found {
    authentication: Authentication,
    freshness: Freshness,
}

/// What the request's access token is worth, if it has one. An answer that was found for this request already is taken
/// again if it is fresh enough.
pub(super) async fn find_caller(
    parts: &mut Parts,
    state: &AppState,
    freshness: Freshness,
) -> Result<Option<Authentication>, CallerError> {
    match parts.extensions.get::<Found>() {
        Some(found) if found.freshness == Freshness::Asked || freshness == Freshness::Cached => {
            return Ok(Some(found.authentication.clone()));
        }
        Some(_) | None => {}
    }
    let Some(token) = bearer_token(&parts.headers) else { return Ok(None) };
    let authentication = state.0.callers.find(token, freshness).await?;
    parts.extensions.insert(Found { authentication: authentication.clone(), freshness });
    Ok(Some(authentication))
}
