//! Where another server is that the node calls.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

/// Where another server is: what stands before `/_matrix` in its paths.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct PeerUrl(Url);

impl PeerUrl {
    /// Parses an absolute http or https URL with neither user, query nor fragment. It may have a path; a slash at its
    /// end is dropped.
    pub fn parse(text: &str) -> Result<Self, PeerUrlError> {
        let url = Url::parse(text).map_err(|_| PeerUrlError)?;
        let is_place = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if is_place { Ok(Self(url)) } else { Err(PeerUrlError) }
    }

    /// The URL without a slash at its end, ready for a path that begins with one.
    pub fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }
}

impl fmt::Display for PeerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TryFrom<String> for PeerUrl {
    type Error = PeerUrlError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<PeerUrl> for String {
    fn from(url: PeerUrl) -> Self {
        url.as_str().to_owned()
    }
}

/// A text that is no place of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not the http or https URL of a server, such as \"http://127.0.0.1:8448\", without user, query and fragment"
)]
pub struct PeerUrlError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_a_place_and_nothing_more() {
        for (text, kept) in [
            ("http://127.0.0.1:8448/", "http://127.0.0.1:8448"),
            ("http://synapse:8008", "http://synapse:8008"),
            ("https://example.org/matrix/", "https://example.org/matrix"),
        ] {
            assert_eq!(PeerUrl::parse(text).map(|url| url.to_string()), Ok(kept.to_owned()));
        }
        for text in ["", "example.org", "unix:/run/x", "https://me@h", "https://h?q", "https://h/#f"] {
            assert_eq!(PeerUrl::parse(text), Err(PeerUrlError), "{text}");
        }
    }
}
