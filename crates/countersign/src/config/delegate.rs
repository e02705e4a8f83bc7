//! `[validation.delegate]`: the service that proves addresses for the node.

use std::path::PathBuf;
use std::time::Duration;

use countersign_core::Medium;
use serde::{Deserialize, Serialize};

use super::error::Problems;
use super::{Config, ConfigError, PeerUrl, Secret, duration};

/// The service that proves addresses for the node, by the identity service API.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DelegateConfig {
    /// Where the service is, for us.
    pub url: PeerUrl,
    /// Our access token there.
    pub access_token: Option<Secret>,
    /// A file that holds the access token instead.
    pub access_token_file: Option<PathBuf>,
    /// The media whose addresses it proves: `email`, `msisdn`.
    #[serde(default = "default_media")]
    pub media: Vec<DelegatedMedium>,
    /// How long a call of it may take.
    #[serde(default = "default_timeout", with = "duration")]
    pub timeout: Duration,
    /// A file of PEM certificates that are trusted beside the system's own, for a service with a private one.
    pub ca_file: Option<PathBuf>,
}

/// A kind of address, as the file spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DelegatedMedium {
    /// E-mail addresses.
    Email,
    /// Phone numbers.
    Msisdn,
}

impl DelegateConfig {
    /// The media whose addresses it proves.
    pub fn media(&self) -> impl Iterator<Item = Medium> {
        self.media.iter().map(|medium| match medium {
            DelegatedMedium::Email => Medium::Email,
            DelegatedMedium::Msisdn => Medium::Msisdn,
        })
    }

    pub(super) fn read_secret_files(&mut self) -> Result<(), ConfigError> {
        let (value, file) = (self.access_token.take(), self.access_token_file.as_deref());
        self.access_token = Secret::resolve("validation.delegate.access_token", value, file)?;
        Ok(())
    }

    pub(super) fn check(&self, config: &Config, problems: &mut Problems) {
        if self.access_token.is_none() {
            problems.add("validation.delegate.access_token", "is missing: the service asks for one");
        }
        const MEDIA: &str = "validation.delegate.media";
        let has = |medium| self.media.contains(&medium);
        match self.media.as_slice() {
            [] => problems.add(MEDIA, "is empty: name \"email\", \"msisdn\" or both"),
            [first, second] if first == second => problems.add(MEDIA, "names a medium twice"),
            [_] | [_, _] => {}
            [_, _, ..] => problems.add(MEDIA, "names a medium twice"),
        }
        if has(DelegatedMedium::Email) && config.email.is_some() {
            problems
                .add(MEDIA, "holds \"email\", but [email] says that the node sends mail itself: choose one");
        }
        if has(DelegatedMedium::Msisdn) && config.sms.is_some() {
            problems
                .add(MEDIA, "holds \"msisdn\", but [sms] says that the node sends SMS itself: choose one");
        }
        if self.timeout.is_zero() {
            problems.add("validation.delegate.timeout", "must not be 0");
        }
        if config.server.request_timeout < self.timeout || config.outbox.send_timeout < self.timeout {
            let message = "must not be longer than server.request_timeout and outbox.send_timeout";
            problems.add("validation.delegate.timeout", message);
        }
        if let Some(path) = self.ca_file.as_deref().filter(|path| !path.is_file()) {
            problems.add("validation.delegate.ca_file", format!("{} is not a file", path.display()));
        }
        if config.privacy.hide_accounts {
            let message =
                "must be false: a service that proves addresses for the node can't keep its secrets";
            problems.add("privacy.hide_accounts", message);
        }
    }
}

fn default_media() -> Vec<DelegatedMedium> {
    vec![DelegatedMedium::Email, DelegatedMedium::Msisdn]
}

const fn default_timeout() -> Duration {
    Duration::from_secs(10)
}
