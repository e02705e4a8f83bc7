//! What handlers take in: who asks, from where, and the parsed body.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::{
    extract::{ConnectInfo, FromRequestParts, Request},
    http::{HeaderMap, header, request::Parts},
};
use countersign_core::{ClientNetwork, Language};
use countersign_service::{Authentication, CallerError, Freshness, RequestContext};

use super::{AppState, HttpSettings, client::ClientError, client_address::client_address};

/// The request's access token, if it has one: `Authorization: Bearer …`, the scheme in any case (RFC 9110, 11.1).
fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

/// The network that a request comes from.
pub(super) fn network(request: &Request, settings: &HttpSettings) -> ClientNetwork {
    network_of(request.extensions().get(), request.headers(), settings)
}

fn network_of(
    peer: Option<&ConnectInfo<SocketAddr>>,
    headers: &HeaderMap,
    settings: &HttpSettings,
) -> ClientNetwork {
    let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(address)| address.ip());
    ClientNetwork::of(client_address(peer, headers, &settings.trusted_proxies))
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
        let network = network_of(parts.extensions.get(), &parts.headers, state.settings());
        let language = language(&parts.headers);
        let caller = match find_caller(parts, state, Freshness::Cached).await {
            Ok(Some(Authentication::Owner(owner))) => Some(owner),
            Ok(Some(Authentication::Expired | Authentication::Unknown) | None) => None,
            // Whoever needs to know the caller asks for one that works.
            Err(CallerError::Unreachable(_) | CallerError::Foreign) => None,
            Err(CallerError::Storage(cause)) => return Err(cause.into()),
        };
        Ok(Self(RequestContext { network, language, caller }))
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
