//! `[threepids]`: what users may do with the addresses of their accounts.

use serde::{Deserialize, Serialize};

/// What users may do with the addresses of their accounts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ThreepidsConfig {
    /// Whether users may add addresses, and delete them.
    pub changes: bool,
    /// What the deprecated `POST /account/3pid` does.
    pub deprecated_add: DeprecatedAdd,
}

/// What the deprecated `POST /account/3pid` does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeprecatedAdd {
    /// It is not there.
    #[default]
    Off,
    /// Adds an address to the account, without asking for the password.
    Add,
}

impl Default for ThreepidsConfig {
    fn default() -> Self {
        Self { changes: true, deprecated_add: DeprecatedAdd::Off }
    }
}
