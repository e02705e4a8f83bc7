//! `[notices]`: what the addresses of an account hear of changes to it.

use serde::{Deserialize, Serialize};

/// What the addresses of an account hear of changes to it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct NoticesConfig {
    /// Whether an account's addresses are told when its password or its addresses change.
    pub enabled: bool,
    /// Whether its phone numbers are told too, by SMS.
    pub sms: bool,
}

impl Default for NoticesConfig {
    fn default() -> Self {
        Self { enabled: true, sms: false }
    }
}
