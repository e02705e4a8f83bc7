//! `[storage]`: where the data is.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::Problems;
use super::{ConfigError, Secret, duration};

/// Where the data is.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct StorageConfig {
    /// The database: `sqlite:///var/lib/countersign/countersign.db`, or `postgres://user@host/database` to share it with
    /// other nodes.
    pub url: StorageUrl,
    /// How many connections, each with a thread, read beside the one that writes. SQLite only.
    #[serde(default = "default_readers")]
    pub readers: NonZeroUsize,
    /// How many operations may wait for the writer; beyond, requests are answered with 503 and `Retry-After`.
    #[serde(default = "default_queue_capacity")]
    pub queue_capacity: NonZeroUsize,
    /// The password, if `url` holds none. PostgreSQL only, as all that follow.
    pub password: Option<Secret>,
    /// A file with the password, in place of `password`.
    pub password_file: Option<PathBuf>,
    /// The database itself, where `url` names a pooler in front of it: for migrations, and to hear from other nodes.
    pub direct_url: Option<PostgresUrl>,
    /// Certificates, as PEM, that the server's must lead to, in place of those that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// Whether a node brings the tables up to date when it starts, or `countersign migrate` does and a node refuses
    /// tables that are not.
    #[serde(default)]
    pub migrate: Migrate,
    /// How many connections a node makes at most, beside four of fixed use.
    #[serde(default = "default_connections")]
    pub connections: NonZeroUsize,
    /// How long a statement may take; beyond, the request is answered with 503 and `Retry-After`.
    #[serde(with = "duration", default = "default_statement_timeout")]
    pub statement_timeout: Duration,
    /// Whether statements are prepared once for each connection. Not behind a pooler that hands out a connection for
    /// each transaction and does not follow prepared statements.
    #[serde(default = "default_prepared_statements")]
    pub prepared_statements: bool,
}

/// Who brings the tables up to date.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Migrate {
    /// A node, when it starts.
    #[default]
    Auto,
    /// An operator, with `countersign migrate`.
    Manual,
}

impl StorageConfig {
    /// That database, everything else by default.
    pub fn new(url: StorageUrl) -> Self {
        Self {
            url,
            readers: default_readers(),
            queue_capacity: default_queue_capacity(),
            password: None,
            password_file: None,
            direct_url: None,
            ca_file: None,
            migrate: Migrate::default(),
            connections: default_connections(),
            statement_timeout: default_statement_timeout(),
            prepared_statements: default_prepared_statements(),
        }
    }

    pub(super) fn read_secret_files(&mut self) -> Result<(), ConfigError> {
        let value = self.password.take();
        self.password = Secret::resolve("storage.password", value, self.password_file.as_deref())?;
        Ok(())
    }

    pub(super) fn check(&self, problems: &mut Problems) {
        if let Some(path) = self.ca_file.as_deref().filter(|path| !path.is_file()) {
            problems.add("storage.ca_file", format!("{} is not a file", path.display()));
        }
        if self.statement_timeout < Duration::from_millis(100) {
            problems.add("storage.statement_timeout", "must be at least 100ms".to_owned());
        }
    }
}

/// The place of a database.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum StorageUrl {
    /// A file; it and its `-wal` and `-shm` siblings need a folder that the node may write to.
    Sqlite(PathBuf),
    /// A PostgreSQL server.
    Postgres(PostgresUrl),
}

impl StorageUrl {
    /// Parses `sqlite:///absolute/path`, or `sqlite://relative/path` and `sqlite:relative/path`, which count from
    /// the working directory. The path is taken literally: no query, no percent-encoding.
    pub fn parse(text: &str) -> Result<Self, StorageUrlError> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return PostgresUrl::parse(text).map(Self::Postgres);
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
            Self::Postgres(url) => url.fmt(f),
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

/// A database on a PostgreSQL server, as libpq's URLs name it. Shown without its password.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct PostgresUrl(String);

impl PostgresUrl {
    /// Takes `postgres://` and `postgresql://` URLs. What else is in it is the driver's to understand.
    pub fn parse(text: &str) -> Result<Self, StorageUrlError> {
        let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
        match rest {
            None => Err(StorageUrlError::NotPostgres),
            Some("") => Err(StorageUrlError::NoDatabase),
            Some(_) => Ok(Self(text.to_owned())),
        }
    }

    /// The whole URL.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PostgresUrl {
    /// Leaves out what stands where passwords do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.0.split_once("://").unwrap_or(("postgres", &self.0));
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let rest = match rest.rsplit_once('@') {
            Some((user, host)) => match user.split_once(':') {
                Some((user, _)) => format!("{user}:(secret)@{host}"),
                None => rest.to_owned(),
            },
            None => rest.to_owned(),
        };
        write!(f, "{scheme}://{rest}")?;
        for (index, parameter) in query.split('&').filter(|parameter| !parameter.is_empty()).enumerate() {
            let shown = if parameter.starts_with("password=") { "password=(secret)" } else { parameter };
            write!(f, "{}{shown}", if index == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresUrl({self})")
    }
}

impl TryFrom<String> for PostgresUrl {
    type Error = StorageUrlError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<PostgresUrl> for String {
    fn from(url: PostgresUrl) -> Self {
        url.to_string()
    }
}

/// Why a text does not name a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StorageUrlError {
    /// Another scheme than those that we know.
    #[error(
        "not a database: write \"sqlite:///absolute/path/countersign.db\" or \"postgres://user@host/database\""
    )]
    Scheme,
    /// Another scheme than those of PostgreSQL, where only that will do.
    #[error("not a PostgreSQL database: write \"postgres://user@host/database\"")]
    NotPostgres,
    /// Nothing after the scheme.
    #[error("names no database: write \"postgres://user@host/database\"")]
    NoDatabase,
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

const fn default_connections() -> NonZeroUsize {
    NonZeroUsize::new(8).expect("8 is not 0")
}

const fn default_statement_timeout() -> Duration {
    Duration::from_secs(10)
}

const fn default_prepared_statements() -> bool {
    true
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
            ("postgres://", StorageUrlError::NoDatabase),
            ("postgresql://", StorageUrlError::NoDatabase),
            ("postgres:/c", StorageUrlError::Scheme),
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

    #[test]
    fn postgres_urls_are_shown_without_their_password() {
        let cases = [
            ("postgres://localhost/c", "postgres://localhost/c"),
            (
                "postgresql://alice@h:5433,i/c?sslmode=require",
                "postgresql://alice@h:5433,i/c?sslmode=require",
            ),
            ("postgres://alice:p%40ss:w@rd@h/c", "postgres://alice:(secret)@h/c"),
            (
                "postgres:///c?host=/run/x&password=pw&user=a",
                "postgres:///c?host=/run/x&password=(secret)&user=a",
            ),
        ];
        for (text, shown) in cases {
            let StorageUrl::Postgres(url) = StorageUrl::parse(text).expect("a database") else {
                panic!("not PostgreSQL: {text}")
            };
            assert_eq!(url.expose(), text);
            assert_eq!(url.to_string(), shown);
            assert_eq!(format!("{url:?}"), format!("PostgresUrl({shown})"));
        }
    }
}
