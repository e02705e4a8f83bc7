//! `[federation]`: how other servers are reached, which users name.

use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::error::Problems;
use super::{Config, duration};

/// How other servers are reached. Users name them, so only addresses on the internet are dialed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct FederationConfig {
    /// Networks that may be dialed though they are not on the internet, such as one with homeservers of your own. Others of
    /// that kind are not: whoever names a server must not reach what only the node can.
    pub allow_networks: Vec<IpNet>,
    /// A file of PEM certificates that are trusted beside the system's own.
    pub ca_file: Option<PathBuf>,
    /// How long a call may take, its look-ups included.
    #[serde(with = "duration")]
    pub timeout: Duration,
    /// The largest answer that is read, in bytes.
    pub max_answer_bytes: usize,
}

impl Default for FederationConfig {
    fn default() -> Self {
        Self {
            allow_networks: Vec::new(),
            ca_file: None,
            timeout: Duration::from_secs(10),
            max_answer_bytes: 65_536,
        }
    }
}

impl FederationConfig {
    pub(super) fn check(&self, config: &Config, problems: &mut Problems) {
        if let Some(network) = self.allow_networks.iter().find(|network| network.prefix_len() == 0) {
            let message = format!("`{network}` is everything, the node's own machine included");
            problems.add("federation.allow_networks", message);
        }
        if let Some(path) = self.ca_file.as_deref().filter(|path| !path.is_file()) {
            problems.add("federation.ca_file", format!("{} is not a file", path.display()));
        }
        if self.timeout.is_zero() {
            problems.add("federation.timeout", "must not be 0");
        }
        if config.server.request_timeout / 2 < self.timeout {
            let message =
                "must not be longer than half of server.request_timeout: binding an address makes two calls";
            problems.add("federation.timeout", message);
        }
        if self.max_answer_bytes < 4_096 {
            problems.add("federation.max_answer_bytes", "must be at least 4096");
        }
    }
}
