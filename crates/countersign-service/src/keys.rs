//! Opens the keyring at start: checks the master keys against the database, makes or opens the index key.

use countersign_core::{IndexKey, Keyring, MasterKeys, OpenError, Random, Sealer};
use countersign_storage::{KeyCheck, Storage, StorageError};
use thiserror::Error;

/// Why the keyring can't be opened. The program must not start.
#[derive(Debug, Error)]
pub enum KeyringError {
    /// A key in the file is not the one that this database knows by that id.
    #[error("the master key {0} is not the one that this database was made with")]
    WrongKey(String),
    /// A key that this database was used with is not in the file.
    #[error(
        "the master key {0} is missing from the file, and what it sealed in this database can't be read without it"
    )]
    MissingKey(String),
    /// The index key does not open.
    #[error("the index key of this database does not open with the master key file")]
    IndexKey(#[source] OpenError),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Checks every master key against its check value, keeps those of new ones, and opens the index key, which is made when
/// there is none and sealed anew when the current master key has changed.
///
/// # Errors
/// When a key is missing or has the id of another, when no key opens the index key, or when the database fails.
pub async fn open_keyring(
    storage: &dyn Storage,
    master_keys: &MasterKeys,
    random: &dyn Random,
) -> Result<Keyring, KeyringError> {
    let sealer = Sealer::new(master_keys);
    let known = storage.list_key_checks().await?;
    for KeyCheck { key_id, check_value } in &known {
        match sealer.matches_check(key_id, check_value) {
            Some(true) => {}
            Some(false) => return Err(KeyringError::WrongKey(key_id.as_str().to_owned())),
            None => return Err(KeyringError::MissingKey(key_id.as_str().to_owned())),
        }
    }
    let sealed = match storage.find_index_key().await? {
        Some(sealed) => sealed,
        None => storage.init_index_key(sealer.seal_index_key(&IndexKey::generate(random), random)).await?,
    };
    let index_key = sealer.open_index_key(&sealed).map_err(KeyringError::IndexKey)?;
    for (key_id, check_value) in sealer.key_checks() {
        if !known.iter().any(|check| check.key_id == *key_id) {
            storage.add_key_check(KeyCheck { key_id: key_id.clone(), check_value: *check_value }).await?;
        }
    }
    if !sealed.is_sealed_with(sealer.current_key_id()) {
        let rewrapped = sealer.seal_index_key(&index_key, random);
        storage.rewrap_index_key(sealed, rewrapped).await?;
    }
    Ok(Keyring::new(sealer, &index_key))
}
