//! From a homeserver's name to where it is ([spec](https://spec.matrix.org/v1.19/server-server-api/#resolving-server-names)).

use std::{cmp::Reverse, net::Ipv4Addr, time::Duration};

use countersign_core::ServerName;
use hyper::header::CACHE_CONTROL;
use reqwest::Url;
use serde::Deserialize;
use tokio::time::timeout;

use super::Federation;
use crate::{
    dns::Service,
    guard::{Destination, Failure, Place},
    peer::Answer,
};

const DEFAULT_PORT: u16 = 8448;

/// How long a delegation is remembered where its server doesn't say, at most, and that there is none.
const DEFAULT_LIFETIME: Duration = Duration::from_hours(24);
const MAX_LIFETIME: Duration = Duration::from_hours(48);
const ABSENT_LIFETIME: Duration = Duration::from_mins(10);

/// The records to look for, the deprecated one last.
const SERVICES: [&str; 2] = ["_matrix-fed._tcp", "_matrix._tcp"];

#[derive(Deserialize)]
struct WellKnown {
    #[serde(rename = "m.server")]
    server: String,
}

impl Federation {
    /// Finds where a homeserver is. A name with an address or a port says so itself; others are asked about.
    pub(super) async fn discover(&self, server: &ServerName) -> Result<Destination, Failure> {
        if says_where(server) {
            return Destination::direct(server, DEFAULT_PORT);
        }
        let server = self.delegated(server).await.unwrap_or_else(|| server.clone());
        if says_where(&server) {
            return Destination::direct(&server, DEFAULT_PORT);
        }
        for service in SERVICES {
            let name = format!("{service}.{}", server.host());
            let services = self.guard.dns().services(&name).await?;
            if !services.is_empty() {
                return Destination::new(&server, places(services)?);
            }
        }
        Destination::direct(&server, DEFAULT_PORT)
    }

    /// The server that a name is delegated to, if it is. A server that can't be asked has delegated nothing.
    async fn delegated(&self, server: &ServerName) -> Option<ServerName> {
        if let Some(known) = self.delegations.find(server, self.now()) {
            return known;
        }
        let url = Url::parse(&format!("https://{server}/.well-known/matrix/server")).ok()?;
        // A host that doesn't answer there must leave time for the server itself.
        let asked = timeout(self.guard.timeout() / 3, self.guard.get_following(url)).await;
        let answer = asked.unwrap_or(Err(Failure::TimedOut));
        if let Err(failure) = &answer {
            tracing::debug!(peer.host = %server, reason = %failure, "No delegation could be read");
        }
        let delegation = answer.ok().and_then(|answer| delegation(&answer));
        let (delegated, lifetime) =
            delegation.map_or((None, ABSENT_LIFETIME), |(delegated, lifetime)| (Some(delegated), lifetime));
        let now = self.now();
        self.delegations.keep(server.clone(), delegated.clone(), now.after(lifetime), now);
        delegated
    }
}

/// Whether a name needs no look-up to know its port.
fn says_where(server: &ServerName) -> bool {
    let host = server.host();
    server.port().is_some() || host.starts_with('[') || host.parse::<Ipv4Addr>().is_ok()
}

/// Reads a document, and how long it is good.
fn delegation(answer: &Answer) -> Option<(ServerName, Duration)> {
    let WellKnown { server } = answer.success().ok()?;
    Some((ServerName::parse(&server).ok()?, lifetime(answer)))
}

/// What `Cache-Control` says, within limits. `Expires` is not read.
fn lifetime(answer: &Answer) -> Duration {
    let mut lifetime = DEFAULT_LIFETIME;
    let values = answer.headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    for directive in values.flat_map(|value| value.split(',')) {
        let directive = directive.trim().to_ascii_lowercase();
        if directive == "no-store" || directive == "no-cache" {
            return Duration::ZERO;
        }
        if let Some(seconds) = directive.strip_prefix("max-age=").and_then(|text| text.parse().ok()) {
            lifetime = Duration::from_secs(seconds);
        }
    }
    lifetime.min(MAX_LIFETIME)
}

/// Where the records lead, in the order to try. Weights are not drawn by lot: the heaviest is first.
fn places(mut services: Vec<Service>) -> Result<Vec<Place>, Failure> {
    services.sort_by_key(|service| (service.priority, Reverse(service.weight)));
    let offered = services.into_iter().filter(|service| !service.target.is_empty());
    let places: Vec<_> = offered.map(|service| Place::Name(service.target, service.port)).collect();
    if places.is_empty() { Err(Failure::NoService) } else { Ok(places) }
}

#[cfg(test)]
mod tests {
    use hyper::HeaderMap;

    use super::*;

    fn answer(status: u16, cache_control: &[&'static str], body: &str) -> Answer {
        let mut headers = HeaderMap::new();
        for value in cache_control {
            headers.append(CACHE_CONTROL, value.parse().unwrap());
        }
        Answer { status, headers, body: body.as_bytes().to_vec() }
    }

    #[test]
    fn a_delegation_is_remembered_as_long_as_it_says_within_limits() {
        for (values, lifetime) in [
            (&[][..], DEFAULT_LIFETIME),
            (&["max-age=60"], Duration::from_secs(60)),
            (&["public, Max-Age=60"], Duration::from_secs(60)),
            (&["max-age=0"], Duration::ZERO),
            (&["max-age=99999999"], MAX_LIFETIME),
            (&["max-age=soon"], DEFAULT_LIFETIME),
            (&["max-age=60, no-cache"], Duration::ZERO),
            (&["public", "no-store"], Duration::ZERO),
        ] {
            assert_eq!(super::lifetime(&answer(200, values, "")), lifetime, "{values:?}");
        }
    }

    #[test]
    fn only_a_document_with_a_server_name_delegates() {
        let server = |answer: Answer| delegation(&answer).map(|(server, _)| server.to_string());
        let good = r#"{"m.server":"matrix.example.org:443","x":1}"#;
        assert_eq!(server(answer(200, &[], good)).as_deref(), Some("matrix.example.org:443"));
        assert_eq!(server(answer(404, &[], good)), None);
        for bad in ["", "{}", "[]", "<html>", r#"{"m.server":1}"#, r#"{"m.server":"https://example.org"}"#] {
            assert_eq!(server(answer(200, &[], bad)), None, "{bad}");
        }
    }

    #[test]
    fn records_are_tried_by_priority_then_weight() {
        let service =
            |priority, weight, target: &str| Service { priority, weight, target: target.to_owned(), port: 1 };
        let services = vec![service(2, 9, "c"), service(1, 1, "b"), service(1, 5, "a"), service(0, 0, "")];
        let hosts = ["a", "b", "c"].map(|host| Place::Name(host.to_owned(), 1));
        assert_eq!(places(services).unwrap(), hosts);
        assert!(matches!(places(vec![service(0, 0, "")]), Err(Failure::NoService)));
    }
}
