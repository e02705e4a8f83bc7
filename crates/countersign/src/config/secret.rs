//! Text that must not appear in logs, errors or `config show`.

use std::fmt;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize, Serializer};

use super::ConfigError;

/// A secret of the configuration. Its `Debug` is silent and it serializes as `"(secret)"`, so that the effective
/// configuration can be shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Answers the secret of `key`, from its value or from its file (without the line end that editors add).
    pub(super) fn resolve(
        key: &'static str,
        value: Option<Self>,
        file: Option<&Path>,
    ) -> Result<Option<Self>, ConfigError> {
        match (value, file) {
            (Some(_), Some(_)) => Err(ConfigError::SecretTwice { key: key.to_owned() }),
            (value, None) => Ok(value),
            (None, Some(path)) => match fs::read_to_string(path) {
                Ok(text) => Ok(Some(Self::new(text.trim_end_matches(['\r', '\n'])))),
                Err(source) => {
                    Err(ConfigError::SecretFile { key: format!("{key}_file"), path: path.to_owned(), source })
                }
            },
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("(secret)")
    }
}
