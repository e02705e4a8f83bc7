//! The way to servers that somebody else named, by the configuration.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use countersign_core::Clock;
use countersign_delivery::{Federation, GuardSettings, SystemDns};

use crate::config::Config;

/// Other servers, found by the system's DNS. None is asked anything yet.
///
/// # Errors
/// Says which file can't be used.
pub fn federation(config: &Config, clock: Arc<dyn Clock>) -> Result<Federation> {
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
    Federation::new(&settings, Arc::new(SystemDns::new()), clock).context("federation")
}
