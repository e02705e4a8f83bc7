//! `[validation]`: how long a validation session lives and where its links may lead.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Host;

use super::error::Problems;
use super::{Config, DelegateConfig, duration};

/// How long a validation session lives and where its links may lead.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ValidationConfig {
    /// How long a session lives after the later of its creation and its validation; the link in a mail lives as
    /// long.
    #[serde(with = "duration")]
    pub session_lifetime: Duration,
    /// The hosts that a `next_link` may lead to; empty, to any. Only a listed host is gone to without a click.
    pub next_link_hosts: Vec<String>,
    /// Schemes of apps that a `next_link` may open, such as `myapp`, beside https and http to loopback.
    pub next_link_app_schemes: Vec<String>,
    /// Whether `sid` is appended to a `next_link`, as Synapse and Sydent do.
    pub append_sid: bool,
    /// The service that proves addresses for the node; absent, the node proves them itself.
    pub delegate: Option<DelegateConfig>,
}

impl Default for ValidationConfig {
    fn default() -> Self {
        Self {
            session_lifetime: Duration::from_secs(24 * 60 * 60),
            next_link_hosts: Vec::new(),
            next_link_app_schemes: Vec::new(),
            append_sid: true,
            delegate: None,
        }
    }
}

impl ValidationConfig {
    pub(super) fn check(&self, config: &Config, problems: &mut Problems) {
        let code_lifetimes = [
            ("email.code_lifetime", config.email.as_ref().map(|email| email.code_lifetime)),
            ("sms.code_lifetime", config.sms.as_ref().map(|sms| sms.code_lifetime)),
        ];
        for (key, lifetime) in code_lifetimes {
            if lifetime.is_some_and(|lifetime| self.session_lifetime < lifetime) {
                let message =
                    format!("must not be shorter than {key}: a code is good only while its session lives");
                problems.add("validation.session_lifetime", message);
            }
        }
        let is_host = |text: &str| Host::parse(text).is_ok_and(|host| host.to_string() == text);
        if let Some(host) = self.next_link_hosts.iter().find(|host| !is_host(host)) {
            let message =
                format!("`{host}` is not a host such as \"app.example.org\", in lower case, without port");
            problems.add("validation.next_link_hosts", message);
        }
        if let Some(scheme) = self.next_link_app_schemes.iter().find(|scheme| !is_app_scheme(scheme)) {
            let message =
                format!("`{scheme}` is not the scheme of an app, such as \"myapp\" or \"org.example.app\"");
            problems.add("validation.next_link_app_schemes", message);
        }
        if let Some(delegate) = &self.delegate {
            delegate.check(config, problems);
        }
    }
}

/// Whether the text is a scheme ([RFC 3986, 3.1](https://www.rfc-editor.org/rfc/rfc3986#section-3.1)) in lower case
/// that no browser gives a meaning of its own.
fn is_app_scheme(text: &str) -> bool {
    const NOT_APPS: [&str; 13] = [
        "about",
        "blob",
        "chrome",
        "data",
        "file",
        "filesystem",
        "ftp",
        "http",
        "https",
        "javascript",
        "mailto",
        "view-source",
        "vbscript",
    ];
    let in_scheme = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(in_scheme)
        && !NOT_APPS.contains(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn app_schemes_are_neither_the_webs_nor_dangerous() {
        assert!(is_app_scheme("myapp") && is_app_scheme("org.example.app"));
        for text in ["", "https", "javascript", "data", "file", "My", "my app", "my:", "1app"] {
            assert!(!is_app_scheme(text), "{text}");
        }
    }
}
