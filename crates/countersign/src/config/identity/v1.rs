//! `[identity.v1]`: the old API, for homeservers that have addresses proven here.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

use crate::config::{Config, error::Problems};

/// The old API, which knows no access tokens: a listener of its own, for homeservers that have addresses proven here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdentityV1Config {
    /// Where it is served; absent, it is not.
    pub listen: Option<SocketAddr>,
    /// The networks that may use it, by the address that a connection comes from.
    pub allowed_sources: Vec<IpNet>,
}

impl Default for IdentityV1Config {
    fn default() -> Self {
        let loopback = [Ipv4Net::from(Ipv4Addr::LOCALHOST).into(), Ipv6Net::from(Ipv6Addr::LOCALHOST).into()];
        Self { listen: None, allowed_sources: loopback.to_vec() }
    }
}

impl IdentityV1Config {
    pub(super) fn check(&self, config: &Config, problems: &mut Problems) {
        let Some(listen) = self.listen else { return };
        if [config.server.listen, config.server.operator_listen].contains(&listen) && listen.port() != 0 {
            let message = "must differ from server.listen and server.operator_listen";
            problems.add("identity.v1.listen", message);
        }
        if self.allowed_sources.is_empty() {
            let message = "needs the network of at least one homeserver, such as \"127.0.0.1/32\"";
            problems.add("identity.v1.allowed_sources", message);
        }
        if let Some(network) = self.allowed_sources.iter().find(|network| network.prefix_len() == 0) {
            let message = format!(
                "{network} lets anybody send messages at your cost: the old API has no access tokens"
            );
            problems.add("identity.v1.allowed_sources", message);
        }
    }
}
