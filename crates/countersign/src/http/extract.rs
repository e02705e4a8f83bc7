//! What handlers take in: who asks, from where, and the parsed body.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::{
    extract::{ConnectInfo, FromRequestParts, Request},
    http::{HeaderMap, header, request::Parts},
};
use countersign_core::{ClientNetwork, Language};
use countersign_service::RequestContext;

use super::{AppState, HttpSettings, client::ClientError, client_address::client_address};

/// The request's access token, if it has one: `Authorization: Bearer …`, the scheme in any case (RFC 9110, 11.1).
pub(super) fn bearer_token(headers: &HeaderMap) -> Option<&str> {
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
pub(super) struct Context(pub(super) RequestContext);

impl FromRequestParts<AppState> for Context {
    type Rejection = ClientError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ClientError> {
        let network = network_of(parts.extensions.get(), &parts.headers, state.settings());
        let caller = match bearer_token(&parts.headers) {
            Some(token) => state.0.accounts.authenticate(token).await?,
            None => None,
        };
        Ok(Self(RequestContext { network, language: language(&parts.headers), caller }))
    }
}
