//! An identity service as clients name it.

use std::fmt;

use thiserror::Error;

use crate::ServerName;

/// The host of an identity service, perhaps with a port: `id_server`
/// ([spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3account3pidbind)). In lower case, so that two
/// spellings of one host are one service, and without the port 443, which it has otherwise too.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdServer(ServerName);

impl IdServer {
    /// Parses what a client sent. Some clients send `https://` in front, which is dropped.
    ///
    /// # Errors
    /// When more than a host and a port is left: a path, a query, a fragment, user info, another scheme.
    pub fn parse(text: &str) -> Result<Self, InvalidIdServer> {
        let text = text.to_ascii_lowercase();
        let place = text.strip_prefix("https://").unwrap_or(&text);
        let named = ServerName::parse(place).map_err(|_| InvalidIdServer)?;
        let host = place.strip_suffix(":443").and_then(|host| ServerName::parse(host).ok());
        Ok(Self(host.unwrap_or(named)))
    }

    /// The name as a server's, as it is signed.
    pub fn as_server_name(&self) -> &ServerName {
        &self.0
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for IdServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Text that names no identity service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("id_server must be a hostname, with an optional port")]
pub struct InvalidIdServer;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_host_and_a_port_is_all_there_is() {
        for (text, id_server) in [
            ("vector.im", "vector.im"),
            ("https://vector.im", "vector.im"),
            ("HTTPS://Vector.IM:8090", "vector.im:8090"),
            ("vector.im:443", "vector.im"),
            ("vector.im:4430", "vector.im:4430"),
            ("[2001:DB8::1]:443", "[2001:db8::1]"),
            ("192.0.2.1", "192.0.2.1"),
        ] {
            assert_eq!(IdServer::parse(text).unwrap().as_str(), id_server, "{text}");
        }
        for bad in [
            "",
            "https://",
            "http://vector.im",
            "https://https://vector.im",
            "vector.im/",
            "vector.im/path",
            "vector.im?query",
            "vector.im#fragment",
            "user@vector.im",
            "user:password@vector.im",
            "vector.im:",
            "vector.im:443:443",
            ":443",
            "vector.im:0x50",
            "vector.im:65536",
            "vector.im\\@evil.example",
            "vector.im\n",
            "vector.im%2Fpath",
            " vector.im",
            "bücher.example",
        ] {
            assert_eq!(IdServer::parse(bad), Err(InvalidIdServer), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_parsed_is_a_host_and_a_port(text in "(https?://)?\\PC{0,30}") {
            if let Ok(id_server) = IdServer::parse(&text) {
                prop_assert!(id_server.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.:[]".contains(&byte)));
                prop_assert_eq!(IdServer::parse(id_server.as_str()), Ok(id_server));
            }
        }
    }
}
