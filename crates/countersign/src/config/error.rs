//! What can be wrong with a configuration. Every message names the key, or the file and the place in it.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a configuration could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The configuration file could not be read.
    #[error("can't read the configuration file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not TOML, or a key in it is unknown, missing or of the wrong kind.
    #[error("{0}")]
    Malformed(String),
    /// A variable of the environment names no key, or its value does not fit the key.
    #[error("environment variable {name}: {message}")]
    Environment {
        /// The variable.
        name: String,
        /// What is wrong with it.
        message: String,
    },
    /// A secret's file could not be read.
    #[error("{key}: can't read {}", path.display())]
    SecretFile {
        /// The key that names the file.
        key: String,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A secret was given both as a value and as a file.
    #[error("{key}: give either {key} or {key}_file, not both")]
    SecretTwice {
        /// The key without `_file`.
        key: String,
    },
    /// The configuration is well formed but would not work.
    #[error("the configuration has {} problem{}:{}", .0.len(), if .0.len() == 1 { "" } else { "s" }, lines(.0))]
    Problems(Vec<Problem>),
}

/// One thing that is wrong with a well-formed configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key, dotted from the root of the file.
    pub key: &'static str,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.message)
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("\n  {problem}")).collect()
}

/// The problems found so far.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<Problem>);

impl Problems {
    pub(super) fn add(&mut self, key: &'static str, message: impl Into<String>) {
        self.0.push(Problem { key, message: message.into() });
    }

    pub(super) fn into_vec(self) -> Vec<Problem> {
        self.0
    }
}
