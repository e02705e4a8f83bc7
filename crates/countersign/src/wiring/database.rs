//! Opens the database that the configuration names.

use std::{path::Path, sync::Arc};

use anyhow::{Context as _, Result};
use countersign_service::OutboxWakeup;
use countersign_storage::{
    Storage,
    postgres::{self, LeaseClock, PostgresSettings, PostgresStorage, PreparedStatements},
    sqlite::{SqliteSettings, SqliteStorage},
};

use crate::config::{Config, Migrate, PostgresUrl, StorageUrl};

/// An open database.
pub(super) enum Database {
    /// In a file.
    Sqlite(Arc<SqliteStorage>),
    /// On a server.
    Postgres(Arc<PostgresStorage>),
}

impl Database {
    /// Opens it. `wakeup` is rung when another node commits a message, where there are other nodes.
    pub(super) async fn open(
        config: &Config,
        lease_clock: LeaseClock,
        wakeup: &OutboxWakeup,
    ) -> Result<Self> {
        match &config.storage.url {
            StorageUrl::Sqlite(path) => Ok(Self::Sqlite(Arc::new(open_sqlite(config, path)?))),
            StorageUrl::Postgres(url) => {
                let wakeup = wakeup.clone();
                let settings = PostgresSettings {
                    lease_clock,
                    on_message: Some(Arc::new(move |carrier| wakeup.ring(carrier))),
                    ..postgres_settings(config, url)?
                };
                let storage = PostgresStorage::open(settings)
                    .await
                    .with_context(|| format!("storage.url: can't open {url}"))?;
                Ok(Self::Postgres(Arc::new(storage)))
            }
        }
    }

    /// What use cases see of it.
    pub(super) fn storage(&self) -> Arc<dyn Storage> {
        match self {
            Self::Sqlite(storage) => storage.clone(),
            Self::Postgres(storage) => storage.clone(),
        }
    }

    /// Finishes what waits and closes it.
    pub(super) async fn close(self) -> Result<()> {
        match self {
            Self::Sqlite(storage) => tokio::task::spawn_blocking(move || storage.close()).await?,
            Self::Postgres(storage) => storage.close().await,
        }
        Ok(())
    }
}

/// Brings the tables of the database up to date, and does nothing else.
///
/// # Errors
/// When the database can't be reached, or its tables are newer than those of this version.
pub async fn migrate(config: &Config) -> Result<()> {
    match &config.storage.url {
        // Whatever opens it does so.
        StorageUrl::Sqlite(path) => open_sqlite(config, path).map(drop),
        StorageUrl::Postgres(url) => PostgresStorage::migrate(&postgres_settings(config, url)?)
            .await
            .with_context(|| format!("storage.url: can't migrate {url}")),
    }
}

fn open_sqlite(config: &Config, path: &Path) -> Result<SqliteStorage> {
    let settings = SqliteSettings {
        readers: config.storage.readers,
        queue_capacity: config.storage.queue_capacity,
        ..SqliteSettings::new(path)
    };
    SqliteStorage::open(settings).with_context(|| format!("storage.url: can't open {}", path.display()))
}

/// How the configuration wants that database treated.
pub(super) fn postgres_settings(config: &Config, url: &PostgresUrl) -> Result<PostgresSettings> {
    let storage = &config.storage;
    let ca_pem = match &storage.ca_file {
        Some(path) => Some(std::fs::read(path).with_context(|| format!("storage.ca_file = {path:?}"))?),
        None => None,
    };
    Ok(PostgresSettings {
        password: storage.password.as_ref().map(|password| password.expose().to_owned()),
        direct_url: storage.direct_url.as_ref().map(|url| url.expose().to_owned()),
        ca_pem,
        migrate: match storage.migrate {
            Migrate::Auto => postgres::Migrate::Auto,
            Migrate::Manual => postgres::Migrate::Manual,
        },
        connections: storage.connections,
        queue_capacity: storage.queue_capacity,
        statement_timeout: storage.statement_timeout,
        prepared_statements: if storage.prepared_statements {
            PreparedStatements::Kept
        } else {
            PreparedStatements::None
        },
        ..PostgresSettings::new(url.expose())
    })
}
