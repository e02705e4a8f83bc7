//! Opens other programs' databases and takes over what they hold; writes out what this one holds.

use std::{
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use countersign_core::{AccountHome, SigningKey, TermsVersion};
use countersign_service::{Effect, ImportEvent, ImportReport, SydentImport, SynapseImport};
use countersign_storage::{
    foreign::{
        sydent::SydentDatabase,
        synapse::{SynapseSource, SynapseThreepids},
    },
    postgres::PostgresSettings,
};
use serde_json::Value;

use super::{Desk, Outside};
use crate::config::{Config, PostgresUrl, Secret};

/// Where a Synapse keeps its data.
#[derive(Clone, Debug)]
pub enum SynapseDatabase {
    /// In a file.
    Sqlite(PathBuf),
    /// On a PostgreSQL server, with the password if the URL holds none.
    Postgres(PostgresUrl, Option<Secret>),
}

/// Takes over what a Sydent keeps in the database at `from`, and the key that it signs with.
///
/// # Errors
/// Says why it stopped. What came so far stays.
pub async fn import_sydent(
    config: &Config,
    from: &Path,
    signing_key: Option<&SigningKey>,
    effect: Effect,
    watch: &mut dyn FnMut(ImportEvent),
) -> Result<ImportReport> {
    if signing_key.is_some() && config.keys.signing_key_file.is_some() {
        // A node would go by the file, whose key was retired, and not start.
        bail!(
            "keys.signing_key_file names the key that this server signs with: take that line out, \
             or import without a signing key"
        );
    }
    let database = SydentDatabase::open(from).with_context(|| format!("can't read {}", from.display()))?;
    let policies = policies(config);
    let desk = Desk::open(config, Outside::default()).await?;
    let import = SydentImport { database: &database, signing_key, policies: &policies };
    let imported = desk.importer.clone().with_effect(effect).import_sydent(import, watch).await;
    desk.close().await?;
    Ok(imported?)
}

/// Takes over the addresses of the accounts of a Synapse.
///
/// # Errors
/// Says why it stopped. What came so far stays.
pub async fn import_synapse(
    config: &Config,
    from: &SynapseDatabase,
    effect: Effect,
    watch: &mut dyn FnMut(ImportEvent),
) -> Result<ImportReport> {
    let threepids = match from {
        SynapseDatabase::Sqlite(path) => {
            let opened = SynapseThreepids::open(SynapseSource::Sqlite(path)).await;
            opened.with_context(|| format!("can't read {}", path.display()))?
        }
        SynapseDatabase::Postgres(url, password) => {
            let password = password.as_ref().map(|password| password.expose().to_owned());
            let settings = PostgresSettings { password, ..PostgresSettings::new(url.expose()) };
            let opened = SynapseThreepids::open(SynapseSource::Postgres(&settings)).await;
            opened.with_context(|| format!("can't read {url}"))?
        }
    };
    let home = if config.sidecar.is_some() { AccountHome::Elsewhere } else { AccountHome::Here };
    let desk = Desk::open(config, Outside::default()).await?;
    let import = SynapseImport { threepids, server_name: &config.server.name, home };
    let imported = desk.importer.clone().with_effect(effect).import_synapse(import, watch).await;
    desk.close().await?;
    Ok(imported?)
}

/// Hands everything that the configured database holds to `write`, line by line. Answers how many lines there were.
///
/// # Errors
/// Says why it stopped.
pub async fn export(config: &Config, write: impl FnMut(&Value) -> io::Result<()>) -> Result<u64> {
    let desk = Desk::open(config, Outside::default()).await?;
    let exported = desk.exporter.export(write).await;
    desk.close().await?;
    Ok(exported?)
}

/// The URLs at which policies of the identity service stand, in whatever language.
fn policies(config: &Config) -> Vec<(String, TermsVersion)> {
    let mut policies = Vec::new();
    for (policy, described) in &config.identity.terms.0 {
        if let Ok(version) = TermsVersion::parse(policy, &described.version) {
            policies.extend(described.links.values().map(|link| (link.url.clone(), version.clone())));
        }
    }
    policies
}
