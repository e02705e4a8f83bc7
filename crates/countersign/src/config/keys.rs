//! `[keys]`: where the master key is.

use std::fs::{self, Metadata};
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::error::Problems;

/// Where the master key is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KeysConfig {
    /// The file with the master keys, a line `id base64(32 bytes)` each, the current one first. Only its owner may
    /// read it (mode 0600). Without it nothing in the database can be read: keep a copy apart from the database's.
    pub master_key_file: PathBuf,
}

impl KeysConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        let path = self.master_key_file.display();
        let problem = match fs::metadata(&self.master_key_file) {
            Ok(metadata) if !metadata.is_file() => format!("{path} is not a file"),
            Ok(metadata) if !is_private(&metadata) => {
                format!("others than its owner may read {path}: set its mode to 0600")
            }
            Ok(_) => return,
            Err(error) if error.kind() == io::ErrorKind::NotFound => format!(
                "{path} does not exist; make one with (umask 077; echo \"k1 $(head -c 32 /dev/urandom | base64)\" > {path})"
            ),
            Err(error) => format!("can't look at {path}: {error}"),
        };
        problems.add("keys.master_key_file", problem);
    }
}

#[cfg(unix)]
fn is_private(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o077 == 0
}

#[cfg(not(unix))]
fn is_private(_metadata: &Metadata) -> bool {
    true
}
