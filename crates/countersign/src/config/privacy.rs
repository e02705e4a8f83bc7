//! `[privacy]`: what the node lets strangers find out.

use serde::{Deserialize, Serialize};

/// What the node lets strangers find out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrivacyConfig {
    /// Answers a request for an address in use (or, on a password reset, for an unknown one) like any other and
    /// tells the owner by a message, instead of telling the stranger by an error.
    pub hide_accounts: bool,
}
