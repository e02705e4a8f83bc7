//! `[passwords]`: which passwords are good enough, and what users may do with them.

use serde::{Deserialize, Serialize};

use super::error::Problems;

/// Which passwords are good enough, and what users may do with them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct PasswordsConfig {
    /// How many characters a new password must have at least.
    pub min_length: usize,
    /// The kinds of characters of which a new password must have one each.
    pub require: Vec<CharacterClass>,
    /// Whether users may change their passwords, and reset those they forgot.
    pub change: bool,
    /// Whether users may deactivate their accounts.
    pub deactivate: bool,
}

/// A kind of characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CharacterClass {
    /// A lower-case letter.
    Lower,
    /// An upper-case letter.
    Upper,
    /// A digit.
    Digit,
    /// Anything that is neither letter nor digit.
    Symbol,
}

impl Default for PasswordsConfig {
    fn default() -> Self {
        Self { min_length: 8, require: Vec::new(), change: true, deactivate: true }
    }
}

impl PasswordsConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        if !(1..=128).contains(&self.min_length) {
            problems.add("passwords.min_length", "must be 1 to 128");
        }
    }
}
