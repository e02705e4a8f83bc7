//! `[keys]`: where the master key and the signing key are.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::Problems;

/// Where the master key and the signing key are.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KeysConfig {
    /// The file with the master keys, a line `id base64(32 bytes)` each, the current one first. Only its owner may
    /// read it (mode 0600). Without it nothing in the database can be read: keep a copy apart from the database's.
    pub master_key_file: PathBuf,
    /// A file with the key that the node signs with, one line `ed25519 VERSION SEED`: beside a homeserver, the homeserver's
    /// own, so that others believe what the node says of its users. It is kept in the database from then on. Absent, the
    /// node makes a key.
    pub signing_key_file: Option<PathBuf>,
}

impl KeysConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        let path = self.master_key_file.display();
        let missing = format!(
            "{path} does not exist; make one with (umask 077; echo \"k1 $(head -c 32 /dev/urandom | base64)\" > {path})"
        );
        if let Some(problem) = problem_of(&self.master_key_file, missing) {
            problems.add("keys.master_key_file", problem);
        }
        if let Some(path) = &self.signing_key_file
            && let Some(problem) = problem_of(path, format!("{} does not exist", path.display()))
        {
            problems.add("keys.signing_key_file", problem);
        }
    }
}

/// Why a file can't hold a key; `missing` if it isn't there.
fn problem_of(path: &Path, missing: String) -> Option<String> {
    let shown = path.display();
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => Some(format!("{shown} is not a file")),
        Ok(metadata) if !is_private(&metadata) => {
            Some(format!("others than its owner may read {shown}: set its mode to 0600"))
        }
        Ok(_) => None,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some(missing),
        Err(error) => Some(format!("can't look at {shown}: {error}")),
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
