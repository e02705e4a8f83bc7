//! The name of a node in links.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// Where the node is reached from outside: what links and `submit_url` are built from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicUrl(Url);

impl PublicUrl {
    /// The URL of a node on this machine.
    pub fn loopback(port: u16) -> Self {
        let url = format!("http://127.0.0.1:{port}");
        Self::parse(&url).expect("a loopback address with a port is a URL")
    }

    /// Parses an absolute URL: https, or http to this machine, with neither user, query nor fragment. It may have a
    /// path; a slash at its end is dropped.
    pub fn parse(text: &str) -> Result<Self, PublicUrlError> {
        let mut url = Url::parse(text).map_err(|_| PublicUrlError::NotAbsolute)?;
        let Some(host) = url.host() else {
            return Err(PublicUrlError::NotAbsolute);
        };
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&host) => {}
            "http" => return Err(PublicUrlError::NotEncrypted),
            _ => return Err(PublicUrlError::NotAbsolute),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(PublicUrlError::User);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(PublicUrlError::QueryOrFragment);
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }

    /// The URL without a slash at its end, ready for a path that begins with one.
    pub fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    /// The parsed URL.
    pub fn as_url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TryFrom<String> for PublicUrl {
    type Error = PublicUrlError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<PublicUrl> for String {
    fn from(url: PublicUrl) -> Self {
        url.as_str().to_owned()
    }
}

/// Why a text is not a public URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublicUrlError {
    /// It is no absolute http or https URL.
    #[error("not an absolute URL such as \"https://id.example.org\"")]
    NotAbsolute,
    /// It is http and leads off this machine.
    #[error("must be https: only a loopback address may have http, since links carry secrets")]
    NotEncrypted,
    /// It holds a user or a password.
    #[error("must not hold a user or a password")]
    User,
    /// It holds a query or a fragment.
    #[error("must not hold a query or a fragment")]
    QueryOrFragment,
}

/// Whether a connection to the host stays on this machine.
fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => Ipv4Addr::is_loopback(address),
        Host::Ipv6(address) => Ipv6Addr::is_loopback(address),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn public_urls_are_encrypted_or_loopback() {
        let cases = [
            ("https://id.example.org", "https://id.example.org"),
            ("https://id.example.org/", "https://id.example.org"),
            ("https://example.org/countersign/", "https://example.org/countersign"),
            ("http://localhost:8008", "http://localhost:8008"),
            ("http://127.0.0.1:8008/", "http://127.0.0.1:8008"),
            ("http://[::1]:8008", "http://[::1]:8008"),
        ];
        for (text, kept) in cases {
            assert_eq!(PublicUrl::parse(text).map(|url| url.to_string()), Ok(kept.to_owned()));
        }
        let refused = [
            ("", PublicUrlError::NotAbsolute),
            ("id.example.org", PublicUrlError::NotAbsolute),
            ("ftp://example.org", PublicUrlError::NotAbsolute),
            ("mailto:a@example.org", PublicUrlError::NotAbsolute),
            ("http://id.example.org", PublicUrlError::NotEncrypted),
            ("http://127.0.0.1.example.org", PublicUrlError::NotEncrypted),
            ("https://me@example.org", PublicUrlError::User),
            ("https://example.org?x=1", PublicUrlError::QueryOrFragment),
            ("https://example.org/#top", PublicUrlError::QueryOrFragment),
        ];
        for (text, error) in refused {
            assert_eq!(PublicUrl::parse(text), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*") {
            let _ = PublicUrl::parse(&text);
        }

        #[test]
        fn a_public_url_reads_back(host in "[a-z]{1,9}", path in "(/[a-z]{1,5}){0,3}/?") {
            let url = PublicUrl::parse(&format!("https://{host}.org{path}"))?;
            prop_assert_eq!(PublicUrl::parse(url.as_str())?, url);
        }
    }
}
