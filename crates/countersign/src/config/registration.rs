//! `[registration]`: whether and how people make accounts.

use serde::{Deserialize, Serialize};

use super::error::Problems;

/// Whether and how people make accounts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegistrationConfig {
    /// Whether anyone may make an account.
    pub enabled: bool,
    /// The ways to register, each a list of the stages that it takes
    /// ([spec](https://spec.matrix.org/v1.19/client-server-api/#user-interactive-authentication-api)).
    pub flows: Vec<Vec<Stage>>,
}

/// A stage of user-interactive authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
pub enum Stage {
    /// Nothing to prove.
    #[serde(rename = "m.login.dummy")]
    Dummy,
}

impl Default for RegistrationConfig {
    fn default() -> Self {
        Self { enabled: false, flows: vec![vec![Stage::Dummy]] }
    }
}

impl RegistrationConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        if self.flows.is_empty() || self.flows.iter().any(Vec::is_empty) {
            let message = "needs at least one flow, and each flow a stage, such as [[\"m.login.dummy\"]]";
            problems.add("registration.flows", message);
        }
    }
}
