//! `[sidecar]`: the homeserver that the node stands beside.

use std::path::PathBuf;
use std::time::Duration;

use countersign_core::DeviceId;
use serde::{Deserialize, Serialize};

use super::error::Problems;
use super::{Config, PeerUrl, duration};

/// The longest time for which a homeserver's word about a token is taken again.
const LONGEST_CACHE: Duration = Duration::from_secs(30);

/// The homeserver that the node stands beside: it has the accounts, the node their addresses.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SidecarConfig {
    /// Where the homeserver is, for us.
    pub homeserver_url: PeerUrl,
    /// How long its word about an access token is good for requests that change nothing; 0, it is asked every time.
    #[serde(default = "default_whoami_cache", with = "duration")]
    pub whoami_cache: Duration,
    /// How long a call of it may take.
    #[serde(default = "default_timeout", with = "duration")]
    pub timeout: Duration,
    /// The device that passwords are tried on, and logged out of at once.
    #[serde(default = "default_device_id")]
    pub device_id: String,
    /// A file of PEM certificates that are trusted beside the system's own, for a homeserver with a private one.
    pub ca_file: Option<PathBuf>,
}

impl SidecarConfig {
    pub(super) fn check(&self, config: &Config, problems: &mut Problems) {
        if LONGEST_CACHE < self.whoami_cache {
            let message = "must be at most \"30s\": a token that was logged out is taken for good that long";
            problems.add("sidecar.whoami_cache", message);
        }
        if self.timeout.is_zero() {
            problems.add("sidecar.timeout", "must not be 0");
        }
        if config.server.request_timeout < self.timeout {
            problems.add("sidecar.timeout", "must not be longer than server.request_timeout");
        }
        if DeviceId::parse(&self.device_id).is_err() {
            problems.add("sidecar.device_id", "is not the id of a device");
        }
        if let Some(path) = self.ca_file.as_deref().filter(|path| !path.is_file()) {
            problems.add("sidecar.ca_file", format!("{} is not a file", path.display()));
        }
        if config.registration.enabled {
            let message = "must be false: beside a homeserver, accounts are made there";
            problems.add("registration.enabled", message);
        }
    }
}

const fn default_whoami_cache() -> Duration {
    LONGEST_CACHE
}

const fn default_timeout() -> Duration {
    Duration::from_secs(10)
}

fn default_device_id() -> String {
    "COUNTERSIGN".to_owned()
}
