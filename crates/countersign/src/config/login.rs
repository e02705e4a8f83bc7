//! `[login]`: how long access tokens are good.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::duration;
use super::error::Problems;

/// How long access tokens are good.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoginConfig {
    /// Whether a client that asks gets an access token that expires, and a refresh token for the next one
    /// ([spec](https://spec.matrix.org/v1.19/client-server-api/#refreshing-access-tokens)).
    pub refresh_tokens: bool,
    /// How long such an access token is good.
    #[serde(with = "duration")]
    pub access_token_lifetime: Duration,
    /// How long an unused refresh token is good; 0: until its device is logged out.
    #[serde(with = "duration")]
    pub refresh_token_lifetime: Duration,
}

impl Default for LoginConfig {
    fn default() -> Self {
        Self {
            refresh_tokens: true,
            access_token_lifetime: Duration::from_secs(60 * 60),
            refresh_token_lifetime: Duration::from_secs(90 * 24 * 60 * 60),
        }
    }
}

impl LoginConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        if self.access_token_lifetime < Duration::from_secs(60) {
            problems.add("login.access_token_lifetime", "must be at least \"1m\"");
        }
        let (access, refresh) = (self.access_token_lifetime, self.refresh_token_lifetime);
        if !refresh.is_zero() && refresh <= access {
            let message = "must be longer than login.access_token_lifetime, or 0 for as long as the device";
            problems.add("login.refresh_token_lifetime", message);
        }
    }
}
