//! Who vouches for callers, by the configuration.

use std::{error::Error, sync::Arc};

use anyhow::{Context as _, Result, bail};
use countersign_core::{Clock, Keyring};
use countersign_delivery::{PeerSettings, homeserver::Homeserver};
use countersign_service::{Accounts, Callers, HomeserverAccounts, HomeserverSettings};
use countersign_storage::Storage;

use super::settings::limits;
use crate::config::{Config, SidecarConfig};

/// Who vouches for callers. A homeserver is asked once, whether it can.
pub(super) async fn callers(
    config: &Config,
    accounts: &Accounts,
    storage: Arc<dyn Storage>,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
) -> Result<Callers> {
    let Some(section) = &config.sidecar else { return Ok(Callers::Here(accounts.clone())) };
    let homeserver = Homeserver::new(&peer_settings(section)?).context("sidecar")?;
    let settings = HomeserverSettings {
        server_name: config.server.name.clone(),
        limits: limits(&config.limits),
        whoami_cache: section.whoami_cache,
        device_id: section.device_id.clone(),
    };
    let accounts = HomeserverAccounts::new(homeserver, storage, keyring, clock, settings);
    check(section, &accounts).await?;
    Ok(Callers::Homeserver(accounts))
}

/// A homeserver that can't check passwords can't be stood beside; one that isn't up yet may come.
async fn check(section: &SidecarConfig, accounts: &HomeserverAccounts) -> Result<()> {
    let url = &section.homeserver_url;
    match accounts.has_password_login().await {
        Ok(true) => Ok(()),
        Ok(false) => bail!(
            "sidecar.homeserver_url: the homeserver at {url} has no login by password (m.login.password), which is how the \
             node checks that it is the owner who changes an account's addresses; such a homeserver is not supported"
        ),
        Err(cause) => {
            tracing::warn!(
                error = &cause as &dyn Error,
                homeserver.url = url.as_str(),
                "The homeserver at {url} can't be asked whether it checks passwords ({cause}); requests that need it get 502",
            );
            Ok(())
        }
    }
}

fn peer_settings(section: &SidecarConfig) -> Result<PeerSettings> {
    let ca_pem = match &section.ca_file {
        Some(path) => Some(std::fs::read(path).with_context(|| format!("sidecar.ca_file = {path:?}"))?),
        None => None,
    };
    Ok(PeerSettings { url: section.homeserver_url.to_string(), timeout: section.timeout, ca_pem })
}
