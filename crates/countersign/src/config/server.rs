//! `[server]`: who the node is and where it listens.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::time::Duration;

use countersign_core::ServerName;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

use super::error::Problems;
use super::{PublicUrl, duration};
use crate::server::ServerLimits;

/// Who the node is and where it listens.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// The part after the colon in user ids. It can't be changed once there are accounts.
    #[serde(with = "server_name")]
    pub name: ServerName,
    /// Where the node is reached from outside: links and `submit_url` are built from it, never from a request.
    /// https, or http on loopback; it may have a path.
    pub public_url: PublicUrl,
    /// Where the API and the pages are served, in clear: TLS is the reverse proxy's.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// Where the operator's endpoints (health, metrics) are served. Not for the public.
    #[serde(default = "default_operator_listen")]
    pub operator_listen: SocketAddr,
    /// Networks whose `X-Forwarded-For` is believed. A client's address is the rightmost hop outside of them.
    #[serde(default = "default_trusted_proxies")]
    pub trusted_proxies: Vec<IpNet>,
    /// The largest request body, in bytes; lookups have a limit of their own.
    #[serde(default = "default_max_body_bytes")]
    pub max_body_bytes: usize,
    /// How long a request may take before it is answered with an error.
    #[serde(default = "default_request_timeout", with = "duration")]
    pub request_timeout: Duration,
    /// How long requests and messages in flight get to finish when the node is asked to stop.
    #[serde(default = "default_shutdown_timeout", with = "duration")]
    pub shutdown_timeout: Duration,
    /// How many connections may be open at once; further ones wait. Each takes a file descriptor, of which a process
    /// often has 1024 (`ulimit -n`), and the node needs some for itself.
    #[serde(default = "default_max_connections")]
    pub max_connections: NonZeroUsize,
    /// The versions of the specification that `/client/versions` names.
    #[serde(default = "default_spec_versions")]
    pub spec_versions: Vec<String>,
}

impl ServerConfig {
    /// A server of that name and place, everything else by default.
    pub fn new(
        name: ServerName,
        public_url: PublicUrl,
        listen: SocketAddr,
        operator_listen: SocketAddr,
    ) -> Self {
        Self {
            name,
            public_url,
            listen,
            operator_listen,
            trusted_proxies: default_trusted_proxies(),
            max_body_bytes: default_max_body_bytes(),
            request_timeout: default_request_timeout(),
            shutdown_timeout: default_shutdown_timeout(),
            max_connections: default_max_connections(),
            spec_versions: default_spec_versions(),
        }
    }

    /// What bounds the serving.
    pub(crate) fn limits(&self) -> ServerLimits {
        ServerLimits { max_connections: self.max_connections.get(), grace: self.shutdown_timeout }
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        if self.listen == self.operator_listen && self.listen.port() != 0 {
            problems.add("server.operator_listen", "must differ from server.listen");
        }
        if let Some(network) = self.trusted_proxies.iter().find(|network| network.prefix_len() == 0) {
            let message =
                format!("{network} trusts everybody, so that anyone could choose the address they come from");
            problems.add("server.trusted_proxies", message);
        }
        if !(1_024..=16 * 1024 * 1024).contains(&self.max_body_bytes) {
            problems.add("server.max_body_bytes", "must be from 1024 to 16777216");
        }
        if self.request_timeout < Duration::from_secs(1) {
            problems.add("server.request_timeout", "must be at least \"1s\"");
        }
        if self.spec_versions.is_empty() || !self.spec_versions.iter().all(|version| is_spec_version(version))
        {
            problems
                .add("server.spec_versions", "needs at least one version such as \"v1.11\" or \"r0.6.1\"");
        }
    }
}

fn default_listen() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 8008))
}

fn default_operator_listen() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 8009))
}

fn default_trusted_proxies() -> Vec<IpNet> {
    vec![Ipv4Net::from(Ipv4Addr::LOCALHOST).into(), Ipv6Net::from(Ipv6Addr::LOCALHOST).into()]
}

const fn default_max_body_bytes() -> usize {
    65_536
}

const fn default_request_timeout() -> Duration {
    Duration::from_secs(30)
}

const fn default_max_connections() -> NonZeroUsize {
    NonZeroUsize::new(768).expect("768 is not 0")
}

/// Those whose account management this server speaks.
fn default_spec_versions() -> Vec<String> {
    (1..=19).fold(vec!["r0.6.1".to_owned()], |mut versions, minor| {
        versions.push(format!("v1.{minor}"));
        versions
    })
}

/// Whether it is `vX.Y` or `rX.Y.Z`.
fn is_spec_version(text: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts = match text.split_at_checked(1) {
        Some(("v", numbers)) => (2, numbers),
        Some(("r", numbers)) => (3, numbers),
        Some(_) | None => return false,
    };
    parts.1.split('.').count() == parts.0 && parts.1.split('.').all(is_number)
}

const fn default_shutdown_timeout() -> Duration {
    Duration::from_secs(30)
}

/// Core's server name as text of the file.
mod server_name {
    use serde::{Deserializer, Serializer, de};

    use super::{Deserialize, ServerName};

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ServerName, D::Error> {
        ServerName::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }

    pub(super) fn serialize<S: Serializer>(name: &ServerName, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(name.as_str())
    }
}
