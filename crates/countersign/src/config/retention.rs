//! `[retention]`: how long finished things are kept.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::Problems;
use super::{Config, duration};

/// How long finished things are kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionConfig {
    /// How long a validation session stays after it expired.
    #[serde(with = "duration")]
    pub expired_sessions: Duration,
    /// How long the record of a message stays after it was delivered, dropped or given up.
    #[serde(with = "duration")]
    pub finished_messages: Duration,
    /// How long an access token of the identity service stays after it was used last.
    #[serde(with = "duration")]
    pub identity_tokens: Duration,
    /// How often the janitor goes round, and what ended accounts published is taken back where that failed.
    #[serde(with = "duration")]
    pub interval: Duration,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self {
            expired_sessions: Duration::from_secs(24 * 60 * 60),
            finished_messages: Duration::from_secs(30 * 24 * 60 * 60),
            identity_tokens: Duration::from_secs(180 * 24 * 60 * 60),
            interval: Duration::from_secs(10 * 60),
        }
    }
}

impl RetentionConfig {
    pub(super) fn check(&self, config: &Config, problems: &mut Problems) {
        if self.finished_messages < config.validation.session_lifetime {
            let message = "must not be shorter than validation.session_lifetime: a session must know what was delivered";
            problems.add("retention.finished_messages", message);
        }
        if self.identity_tokens < Duration::from_secs(2 * 24 * 60 * 60) {
            let message = "must be at least \"2d\": use is noted once a day";
            problems.add("retention.identity_tokens", message);
        }
        if self.interval < Duration::from_secs(1) {
            problems.add("retention.interval", "must be at least \"1s\"");
        }
    }
}
