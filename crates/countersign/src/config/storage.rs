//! `[storage]`: where the data is.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where the data is.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct StorageConfig {
    /// The database: `sqlite:///var/lib/countersign/countersign.db`.
    pub url: StorageUrl,
    /// How many connections read beside the one that writes.
    #[serde(default = "default_readers")]
    pub readers: NonZeroUsize,
    /// How many operations may wait for the writer; beyond, requests are answered with 503 and `Retry-After`.
    #[serde(default = "default_queue_capacity")]
    pub queue_capacity: NonZeroUsize,
}

impl StorageConfig {
    /// That database, everything else by default.
    pub fn new(url: StorageUrl) -> Self {
        Self { url, readers: default_readers(), queue_capacity: default_queue_capacity() }
    }
}

/// The place of a database.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum StorageUrl {
    /// A file; it and its `-wal` and `-shm` siblings need a folder that the node may write to.
    Sqlite(PathBuf),
}

impl StorageUrl {
    /// Parses `sqlite:///absolute/path`, or `sqlite://relative/path` and `sqlite:relative/path`, which count from
    /// the working directory. The path is taken literally: no query, no percent-encoding.
    pub fn parse(text: &str) -> Result<Self, StorageUrlError> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Err(StorageUrlError::Postgres);
        }
        let rest = text.strip_prefix("sqlite:").ok_or(StorageUrlError::Scheme)?;
        let path = rest.strip_prefix("//").unwrap_or(rest);
        if path.is_empty() || path.ends_with('/') {
            return Err(StorageUrlError::NoFile);
        }
        if path.contains(['?', '#', '\0']) {
            return Err(StorageUrlError::Query);
        }
        if path == ":memory:" {
            return Err(StorageUrlError::Memory);
        }
        Ok(Self::Sqlite(PathBuf::from(path)))
    }
}

impl fmt::Display for StorageUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
        }
    }
}

impl TryFrom<String> for StorageUrl {
    type Error = StorageUrlError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<StorageUrl> for String {
    fn from(url: StorageUrl) -> Self {
        url.to_string()
    }
}

/// Why a text does not name a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StorageUrlError {
    /// Another scheme than `sqlite:`.
    #[error("not a database: write \"sqlite:///absolute/path/countersign.db\"")]
    Scheme,
    /// PostgreSQL.
    #[error("PostgreSQL comes in a later version: for now write \"sqlite:///absolute/path/countersign.db\"")]
    Postgres,
    /// No file name.
    #[error("names no file: write \"sqlite:///absolute/path/countersign.db\"")]
    NoFile,
    /// A query or a fragment.
    #[error("takes a plain path, without '?' or '#'")]
    Query,
    /// A database that dies with the process.
    #[error("a database in memory would lose accepted requests: name a file")]
    Memory,
}

const fn default_readers() -> NonZeroUsize {
    NonZeroUsize::new(4).expect("4 is not 0")
}

const fn default_queue_capacity() -> NonZeroUsize {
    NonZeroUsize::new(4_096).expect("4096 is not 0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_urls_name_a_file() {
        let cases = [
            ("sqlite:///var/lib/c.db", "/var/lib/c.db"),
            ("sqlite://data/c.db", "data/c.db"),
            ("sqlite:c.db", "c.db"),
            ("sqlite:/c.db", "/c.db"),
        ];
        for (text, path) in cases {
            let url = StorageUrl::parse(text);
            assert_eq!(url, Ok(StorageUrl::Sqlite(path.into())), "{text}");
            assert_eq!(
                StorageUrl::parse(&url.expect("parsed above").to_string()),
                Ok(StorageUrl::Sqlite(path.into()))
            );
        }
    }

    #[test]
    fn other_databases_are_refused_with_a_reason() {
        let cases = [
            ("", StorageUrlError::Scheme),
            ("/var/lib/c.db", StorageUrlError::Scheme),
            ("mysql://x", StorageUrlError::Scheme),
            ("postgres://localhost/c", StorageUrlError::Postgres),
            ("postgresql://localhost/c", StorageUrlError::Postgres),
            ("sqlite:", StorageUrlError::NoFile),
            ("sqlite:///var/lib/", StorageUrlError::NoFile),
            ("sqlite:///c.db?mode=ro", StorageUrlError::Query),
            ("sqlite::memory:", StorageUrlError::Memory),
            ("sqlite://:memory:", StorageUrlError::Memory),
        ];
        for (text, error) in cases {
            assert_eq!(StorageUrl::parse(text), Err(error), "{text}");
        }
    }
}
