//! `[well_known]`: how clients find the node from its name.

use serde::{Deserialize, Serialize};

use super::PublicUrl;

/// How clients find the node from its name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct WellKnownConfig {
    /// Whether `/.well-known/matrix/client` and `/.well-known/sdn/client` are served.
    pub enabled: bool,
    /// The identity server that clients are told of; absent, the node itself, if it is one.
    pub identity_server_url: Option<PublicUrl>,
}

impl Default for WellKnownConfig {
    fn default() -> Self {
        Self { enabled: true, identity_server_url: None }
    }
}
