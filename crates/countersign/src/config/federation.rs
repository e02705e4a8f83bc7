//! `[federation]`: how servers that somebody else named are reached.

use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::duration;
use super::error::Problems;

/// No useful answer is smaller than this may be.
const SMALLEST_ANSWER: usize = 4096;

/// How servers that somebody else named are reached: homeservers whose users log in or are found, identity services of clients.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct FederationConfig {
    /// Networks that may be dialed though they are not on the internet. Others of that kind are not: whoever names a server
    /// must not reach what only the node can.
    pub allow_networks: Vec<IpNet>,
    /// A file of PEM certificates that are trusted beside the system's own.
    pub ca_file: Option<PathBuf>,
    /// How long a call may take, with all the look-ups and requests that it needs.
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
            max_answer_bytes: 64 * 1024,
        }
    }
}

impl FederationConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
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
        if self.max_answer_bytes < SMALLEST_ANSWER {
            problems.add("federation.max_answer_bytes", format!("must be at least {SMALLEST_ANSWER}"));
        }
    }
}
