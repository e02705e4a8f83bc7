//! Where a request goes, and by which name.

use std::net::{IpAddr, SocketAddr};

use countersign_core::ServerName;
use reqwest::Url;
use rustls::pki_types::ServerName as CertificateName;

use super::Failure;

/// Where a request goes. The name in its `Host` header and in the certificate need not be the one that is dialed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    host: String,
    certificate_name: CertificateName<'static>,
    places: Vec<Place>,
}

/// What is dialed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// An address, as it was written.
    Address(SocketAddr),
    /// The addresses of a name.
    Name(String, u16),
}

impl Place {
    /// A port of a host: a name, or an address in text, in brackets if it is one of IPv6.
    pub(crate) fn new(host: &str, port: u16) -> Self {
        match address(host) {
            Some(address) => Self::Address(SocketAddr::new(address, port)),
            None => Self::Name(host.to_owned(), port),
        }
    }
}

impl Destination {
    /// What answers by a server's name at one of some places, tried in order.
    pub(crate) fn new(name: &ServerName, places: Vec<Place>) -> Result<Self, Failure> {
        Self::with_host(name.as_str().to_owned(), name.host(), places)
    }

    /// What a server's name says itself: its host, and its port or this one.
    pub(crate) fn direct(name: &ServerName, default_port: u16) -> Result<Self, Failure> {
        Self::new(name, vec![Place::new(name.host(), name.port().unwrap_or(default_port))])
    }

    /// The server of an https URL.
    pub(super) fn of_url(url: &Url) -> Result<Self, Failure> {
        let is_plain = url.scheme() == "https" && url.username().is_empty() && url.password().is_none();
        let host = url.host_str().filter(|_| is_plain).ok_or(Failure::Redirect)?;
        let header = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        Self::with_host(header, host, vec![Place::new(host, url.port().unwrap_or(443))])
    }

    fn with_host(header: String, host: &str, places: Vec<Place>) -> Result<Self, Failure> {
        let certificate_name = match address(host) {
            Some(address) => CertificateName::from(address),
            None => CertificateName::try_from(host.to_owned()).map_err(|_| Failure::Name)?,
        };
        Ok(Self { host: header, certificate_name, places })
    }

    /// The `Host` header.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Whom the certificate must be for.
    pub(super) fn certificate_name(&self) -> CertificateName<'static> {
        self.certificate_name.clone()
    }

    pub(super) fn places(&self) -> &[Place] {
        &self.places
    }
}

/// The address that a host is, if it is one. Nothing but the usual notation is: `127.1` is looked up like any name.
fn address(host: &str) -> Option<IpAddr> {
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse().ok().map(IpAddr::V6),
        None => host.parse().ok().map(IpAddr::V4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ServerName {
        ServerName::parse(text).unwrap()
    }

    #[test]
    fn only_addresses_in_full_are_dialed_without_a_look_up() {
        for (host, place) in [
            ("127.0.0.1", Place::Address("127.0.0.1:1".parse().unwrap())),
            ("[::1]", Place::Address("[::1]:1".parse().unwrap())),
            ("127.1", Place::Name("127.1".to_owned(), 1)),
            ("2130706433", Place::Name("2130706433".to_owned(), 1)),
            ("0x7f.0.0.1", Place::Name("0x7f.0.0.1".to_owned(), 1)),
            ("example.org", Place::Name("example.org".to_owned(), 1)),
        ] {
            assert_eq!(Place::new(host, 1), place, "{host}");
        }
    }

    #[test]
    fn the_name_that_is_asked_for_stays_whatever_is_dialed() {
        let moved =
            Destination::new(&name("example.org"), vec![Place::new("srv.example.net", 1234)]).unwrap();
        assert_eq!(moved.host(), "example.org");
        assert_eq!(moved.certificate_name().to_str(), "example.org");
        let direct = Destination::direct(&name("[2001:db8::1]:8448"), 443).unwrap();
        assert_eq!(
            (direct.host(), &*direct.certificate_name().to_str()),
            ("[2001:db8::1]:8448", "2001:db8::1")
        );
        assert_eq!(direct.places(), [Place::Address("[2001:db8::1]:8448".parse().unwrap())]);
    }

    #[test]
    fn a_url_is_https_and_shows_its_address_whatever_its_notation() {
        let of = |text: &str| Destination::of_url(&Url::parse(text).unwrap());
        let destination = of("https://Example.org:8443/x?y").unwrap();
        assert_eq!(destination.host(), "example.org:8443");
        assert_eq!(destination.places(), [Place::Name("example.org".to_owned(), 8443)]);
        for odd in ["https://127.1/", "https://0x7f000001/", "https://2130706433/", "https://0177.0.0.1/"] {
            assert_eq!(
                of(odd).unwrap().places(),
                [Place::Address("127.0.0.1:443".parse().unwrap())],
                "{odd}"
            );
        }
        for bad in [
            "http://example.org/",
            "ftp://example.org/",
            "data:,x",
            "https://u@example.org/",
            "https://:p@h/",
        ] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }
}
