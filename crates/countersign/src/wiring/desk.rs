//! What an operator's commands work with, beside a running node or without one.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use countersign_service::{Exporter, Importer, OutboxWakeup, Peppers, RegistrationTokens, open_keyring};

use super::{Database, Outside, read_master_keys, settings::limits};
use crate::config::Config;

/// What an operator's commands work with: use cases on an open database, and nothing that serves or sends.
pub struct Desk {
    /// Tokens that let people register.
    pub registration_tokens: RegistrationTokens,
    /// What other programs kept comes by it.
    pub importer: Importer,
    /// What this one keeps is read by it.
    pub exporter: Exporter,
    /// The pepper of lookups.
    pub peppers: Peppers,
    database: Database,
}

impl Desk {
    /// Opens storage and keys.
    ///
    /// # Errors
    /// Says what can't be opened, in words for an operator.
    pub async fn open(config: &Config, outside: Outside) -> Result<Self> {
        let master_keys = read_master_keys(&config.keys.master_key_file)?;
        let Outside { clock, lease_clock, random, .. } = outside;
        let database = Database::open(config, lease_clock, &OutboxWakeup::default()).await?;
        let storage = database.storage();
        let keyring = Arc::new(open_keyring(&*storage, &master_keys, &*random).await.with_context(|| {
            format!("keys.master_key_file = {:?} does not fit the database", config.keys.master_key_file)
        })?);
        let importer = Importer::new(storage.clone(), keyring.clone(), clock.clone(), random.clone());
        let server_name = config.server.name.clone();
        let exporter = Exporter::new(storage.clone(), keyring.clone(), clock.clone(), server_name);
        let peppers = Peppers::new(storage.clone(), keyring.clone(), clock.clone(), random.clone());
        let limits = limits(&config.limits);
        let registration_tokens = RegistrationTokens::new(storage, keyring, clock, random, limits);
        Ok(Self { registration_tokens, importer, exporter, peppers, database })
    }

    /// Finishes what waits in the storage and closes it.
    ///
    /// # Errors
    /// When that fails.
    pub async fn close(self) -> Result<()> {
        let Self { registration_tokens, importer, exporter, peppers, database } = self;
        drop((registration_tokens, importer, exporter, peppers));
        database.close().await
    }
}
