//! `[log]`: what is logged and in which form.

use serde::{Deserialize, Serialize};
use tracing_subscriber::filter::Targets;

use super::error::Problems;

/// What is logged and in which form.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// The level (`error`, `warn`, `info`, `debug`, `trace`), and others for parts of the program:
    /// `info,countersign_service=debug`.
    pub filter: String,
    /// `text` for people, `json` for machines.
    pub format: LogFormat,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { filter: "info".to_owned(), format: LogFormat::default() }
    }
}

impl LogConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        if let Err(error) = self.filter.parse::<Targets>() {
            problems.add("log.filter", format!("{error}; write a level such as \"info\""));
        }
    }
}
