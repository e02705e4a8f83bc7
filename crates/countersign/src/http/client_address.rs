//! Where a request comes from: the rightmost hop that no trusted proxy stands for (docs/decisions/0006).

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::IpNet;

/// The client's address: the peer's, or, while that is a trusted proxy, the one before it in `X-Forwarded-For`.
///
/// An entry that is no address ends the walk, since whatever stands left of it is made up.
pub(super) fn client_address(peer: IpAddr, headers: &HeaderMap, trusted_proxies: &[IpNet]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted_proxies.iter().any(|network| network.contains(&address));
    let mut address = peer.to_canonical();
    // A double-ended iterator from the right; bytes, since a line that is no text must end the walk too.
    let hops = headers
        .get_all("x-forwarded-for")
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    for hop in hops.rev() {
        if !is_trusted(address) {
            break;
        }
        let Some(hop) = str::from_utf8(hop).ok().and_then(|hop| parse_hop(hop.trim())) else { break };
        address = hop;
    }
    address
}

/// An address, perhaps with a port, perhaps in brackets: proxies write all of these.
fn parse_hop(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(hop);
    let address = bare.parse().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|address| address.ip()))?;
    Some(IpAddr::to_canonical(&address))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn address(peer: &str, forwarded: &[&str]) -> String {
        let trusted: Vec<IpNet> =
            ["127.0.0.1/32", "10.0.0.0/8", "::1/128"].map(|net| net.parse().unwrap()).to_vec();
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        client_address(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn only_trusted_proxies_speak_for_others() {
        for (peer, forwarded, expected) in [
            ("192.0.2.1", &["203.0.113.9"][..], "192.0.2.1"),
            ("127.0.0.1", &[], "127.0.0.1"),
            ("127.0.0.1", &["203.0.113.9"], "203.0.113.9"),
            ("127.0.0.1", &["198.51.100.7, 203.0.113.9"], "203.0.113.9"),
            ("127.0.0.1", &["198.51.100.7, 203.0.113.9, 10.1.2.3"], "203.0.113.9"),
            ("127.0.0.1", &["198.51.100.7", "203.0.113.9"], "203.0.113.9"),
            ("::1", &["[2001:db8::7]:4711"], "2001:db8::7"),
            ("::ffff:127.0.0.1", &["203.0.113.9:80"], "203.0.113.9"),
            ("127.0.0.1", &["203.0.113.9, unknown"], "127.0.0.1"),
            ("127.0.0.1", &["203.0.113.9, unknown, 10.0.0.1"], "10.0.0.1"),
            ("127.0.0.1", &[""], "127.0.0.1"),
            ("127.0.0.1", &["198.51.100.7", "\u{e9}, 203.0.113.9"], "203.0.113.9"),
            ("127.0.0.1", &["198.51.100.7", "\u{e9}"], "127.0.0.1"),
            ("127.0.0.1", &["198.51.100.7", "\u{e9}, 10.0.0.1"], "10.0.0.1"),
        ] {
            assert_eq!(address(peer, forwarded), expected, "{peer} {forwarded:?}");
        }
    }

    proptest! {
        #[test]
        fn an_untrusted_peer_is_never_spoken_for(forwarded in "[ -~]{0,60}") {
            prop_assert_eq!(address("192.0.2.1", &[&forwarded]), "192.0.2.1");
        }
    }
}
