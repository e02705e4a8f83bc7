//! The service that proves addresses for the node, by the configuration.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use countersign_core::{Clock, Keyring, Random};
use countersign_delivery::{PeerSettings, Secret, identity_server::IdentityServer};
use countersign_service::{Delegate, DelegateSettings};
use countersign_storage::Storage;

use crate::config::Config;

/// Who proves addresses for the node. It is asked nothing yet.
pub(super) fn delegate(
    config: &Config,
    storage: Arc<dyn Storage>,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
) -> Result<Delegate> {
    let Some(section) = &config.validation.delegate else { return Ok(Delegate::nobody(storage)) };
    let token = section.access_token.as_ref().context("validation.delegate.access_token is missing")?;
    let ca_pem = match &section.ca_file {
        Some(path) => {
            Some(std::fs::read(path).with_context(|| format!("validation.delegate.ca_file = {path:?}"))?)
        }
        None => None,
    };
    let peer = PeerSettings { url: section.url.to_string(), timeout: section.timeout, ca_pem };
    let server = IdentityServer::new(&peer, Secret::new(token.expose())).context("validation.delegate")?;
    let settings = DelegateSettings {
        media: section.media().collect(),
        session_lifetime: config.validation.session_lifetime,
    };
    Ok(Delegate::to(server, storage, keyring, clock, random, settings))
}
