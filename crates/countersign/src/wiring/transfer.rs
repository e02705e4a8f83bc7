//! Moves an SQLite database into the PostgreSQL one that the configuration names.

use anyhow::{Error, Result, bail};
pub use countersign_storage::transfer::{Beginning, Event, Phase, Transferred};
use countersign_storage::{StorageError, transfer::TransferError};

use super::database::postgres_settings;
use crate::config::{Config, StorageUrl};

/// Moves everything in `from` into the database that the configuration names. `watch` hears how it goes on.
///
/// # Errors
/// Says why it stopped, and what to do about it.
pub async fn transfer(config: &Config, from: &StorageUrl, watch: impl FnMut(Event)) -> Result<Transferred> {
    let to = &config.storage.url;
    let (StorageUrl::Sqlite(source), StorageUrl::Postgres(url)) = (from, to) else {
        bail!(
            "storage.url must name the PostgreSQL database to fill, and --from the SQLite one to move; \
             they are {to} and {from}"
        );
    };
    let settings = postgres_settings(config, url)?;
    let transferred = countersign_storage::transfer::transfer(source, &settings, watch).await;
    transferred.map_err(|error| {
        let advice = advice(&error, from);
        let error = Error::new(error).context(format!("can't move {from} to {to}"));
        match advice {
            Some(advice) => error.context(advice),
            None => error,
        }
    })
}

/// What an operator can do where the error alone does not say it.
fn advice(error: &TransferError, from: &StorageUrl) -> Option<String> {
    match error {
        TransferError::SourceSchema(StorageError::Schema { found, known }) if found < known => {
            Some(format!("first run COUNTERSIGN_STORAGE__URL={from} countersign migrate"))
        }
        TransferError::TargetSchema(StorageError::Schema { found, known }) if found < known => {
            Some("first run countersign migrate".to_owned())
        }
        TransferError::SourceSchema(_) | TransferError::TargetSchema(_) => {
            Some("use the version of countersign that the database is of".to_owned())
        }
        TransferError::Mismatch { .. } => {
            Some("make an empty database and begin anew; if that fails too, it is a defect".to_owned())
        }
        TransferError::Target(StorageError::Unavailable(_)) => {
            Some("run the same again, it goes on where it stopped".to_owned())
        }
        TransferError::NoSource(_)
        | TransferError::SourceInUse
        | TransferError::Source(_)
        | TransferError::Target(_)
        | TransferError::NotEmpty(_)
        | TransferError::FilledBefore
        | TransferError::TargetInUse => None,
    }
}
