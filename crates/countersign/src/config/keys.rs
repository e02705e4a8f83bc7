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
    use std::os::unix::fs::MetadataExt;
    Access { mode: metadata.mode(), owner: metadata.uid(), group: metadata.gid() }.is_private()
}

#[cfg(not(unix))]
fn is_private(_metadata: &Metadata) -> bool {
    true
}

/// Who may do what with a file.
#[cfg(unix)]
struct Access {
    mode: u32,
    owner: u32,
    group: u32,
}

#[cfg(unix)]
impl Access {
    /// Whether nobody but its owner may read the file, or nobody but root and whom root lets in: systemd hands a
    /// credential to a service's user by an access list, which the mode shows as root's group being able to read.
    fn is_private(&self) -> bool {
        match self.mode & 0o077 {
            0 => true,
            0o040 => self.owner == 0 && self.group == 0,
            _ => false,
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::Access;

    #[test]
    fn a_key_is_for_its_owner_or_a_credential_of_systemd() {
        for (mode, owner, group, private) in [
            (0o100_600, 1000, 1000, true),
            (0o100_400, 0, 0, true),
            (0o100_440, 0, 0, true),
            (0o100_440, 0, 1000, false),
            (0o100_440, 1000, 0, false),
            (0o100_460, 0, 0, false),
            (0o100_444, 0, 0, false),
            (0o100_604, 1000, 1000, false),
        ] {
            assert_eq!(Access { mode, owner, group }.is_private(), private, "{mode:o} {owner}:{group}");
        }
    }
}
