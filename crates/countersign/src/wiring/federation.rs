//! What other servers are called with, by the configuration.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use countersign_core::Clock;
use countersign_delivery::{Dns, Federation, GuardSettings, SystemDns};

use crate::config::Config;

/// What other servers are called with. Calls nobody yet.
pub(super) fn federation(
    config: &Config,
    dns: Option<Arc<dyn Dns>>,
    clock: Arc<dyn Clock>,
) -> Result<Arc<Federation>> {
    let section = &config.federation;
    let ca_pem = match &section.ca_file {
        Some(path) => Some(std::fs::read(path).with_context(|| format!("federation.ca_file = {path:?}"))?),
        None => None,
    };
    let settings = GuardSettings {
        allow_networks: section.allow_networks.clone(),
        ca_pem,
        timeout: section.timeout,
        max_answer_bytes: section.max_answer_bytes,
    };
    let dns = dns.unwrap_or_else(|| Arc::new(SystemDns::new()));
    Ok(Arc::new(Federation::new(&settings, dns, clock).context("federation")?))
}
