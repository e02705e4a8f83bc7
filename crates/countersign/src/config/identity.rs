//! `[identity]`: the identity service, which publishes whose an address is.

mod terms;
mod v1;

use std::num::NonZeroUsize;

use countersign_core::ServerName;
use countersign_service::InviteLink;
use serde::{Deserialize, Serialize};

pub use self::v1::IdentityV1Config;
use super::error::Problems;
use super::{Config, TermsConfig};

/// The largest body that a lookup may be allowed to have.
const LARGEST_LOOKUP_BODY: usize = 64 * 1024 * 1024;

/// In the list of homeservers: all of them.
const ANY: &str = "*";

/// The identity service: users of other servers prove addresses here and are found by them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdentityConfig {
    /// Whether the identity API is served.
    pub enabled: bool,
    /// The servers whose users may use it, by the part after the colon in their ids; `*`: all.
    pub homeservers: Vec<String>,
    /// Whether an access token of the identity API may stand in the query, where logs keep it. For old clients.
    pub query_access_token: bool,
    /// How clients may name the addresses that they look up: `sha256`, and `none` for addresses in clear.
    pub lookup_algorithms: Vec<LookupAlgorithm>,
    /// How many addresses one lookup may name.
    pub lookup_limit: NonZeroUsize,
    /// The largest body of a lookup, in bytes. It counts where it is more than `server.max_body_bytes`.
    pub max_lookup_body_bytes: usize,
    /// Where the mails of invitations lead: the URL of an app, with placeholders. Absent, they only tell.
    pub invite_link: Option<String>,
    /// Words that keep a name of a room or a person out of the mails of invitations.
    pub invite_blocked_words: Vec<String>,
    /// The policies that users must accept before they use the identity API, by name.
    pub terms: TermsConfig,
    /// The old API, for homeservers that have phone numbers proven here.
    pub v1: IdentityV1Config,
}

/// How addresses are named in a lookup, as the file spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LookupAlgorithm {
    /// Hashed.
    Sha256,
    /// In clear.
    None,
}

impl Default for IdentityConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            homeservers: vec![ANY.to_owned()],
            query_access_token: false,
            lookup_algorithms: vec![LookupAlgorithm::Sha256],
            lookup_limit: NonZeroUsize::new(10_000).expect("10000 is not 0"),
            max_lookup_body_bytes: 2 * 1024 * 1024,
            invite_link: None,
            invite_blocked_words: Vec::new(),
            terms: TermsConfig::default(),
            v1: IdentityV1Config::default(),
        }
    }
}

impl IdentityConfig {
    /// The servers whose users may use it; `None`: all.
    pub(crate) fn allowed_homeservers(&self) -> Option<Vec<ServerName>> {
        let listed = || self.homeservers.iter().filter_map(|name| ServerName::parse(name).ok()).collect();
        (!self.homeservers.iter().any(|name| name == ANY)).then(listed)
    }

    /// The largest body of a lookup.
    pub(crate) fn lookup_body_bytes(&self, max_body_bytes: usize) -> usize {
        self.max_lookup_body_bytes.max(max_body_bytes)
    }

    /// The words that keep a name out of mails, as they are compared.
    pub(crate) fn blocked_words(&self) -> Vec<String> {
        self.invite_blocked_words.iter().map(|word| word.to_lowercase()).collect()
    }

    pub(super) fn check(&self, config: &Config, problems: &mut Problems) {
        if let Some(name) =
            self.homeservers.iter().find(|name| *name != ANY && ServerName::parse(name).is_err())
        {
            let message = format!("`{name}` is not the name of a server, such as \"example.org\"");
            problems.add("identity.homeservers", message);
        }
        if self.homeservers.is_empty() {
            problems.add("identity.homeservers", "needs at least one server, or \"*\"");
        }
        if !self.lookup_algorithms.contains(&LookupAlgorithm::Sha256) {
            problems.add("identity.lookup_algorithms", "must name \"sha256\": every client knows it");
        }
        if LARGEST_LOOKUP_BODY < self.max_lookup_body_bytes {
            problems.add("identity.max_lookup_body_bytes", "must be at most 67108864");
        }
        if let Some(Err(error)) = self.invite_link.as_deref().map(InviteLink::parse) {
            problems.add("identity.invite_link", error.to_string());
        }
        if self.invite_blocked_words.iter().any(|word| word.trim().is_empty()) {
            problems
                .add("identity.invite_blocked_words", "must not hold an empty word, which is in every name");
        }
        terms::check(&self.terms, problems);
        self.v1.check(config, problems);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_all_homeservers() {
        let config = |names: &[&str]| IdentityConfig {
            homeservers: names.iter().map(|name| (*name).to_owned()).collect(),
            ..IdentityConfig::default()
        };
        assert_eq!(IdentityConfig::default().allowed_homeservers(), None);
        assert_eq!(config(&["example.org", "*"]).allowed_homeservers(), None);
        let only = ServerName::parse("Example.org:8448").expect("a name");
        assert_eq!(config(&["Example.org:8448"]).allowed_homeservers(), Some(vec![only]));
    }

    #[test]
    fn the_larger_of_both_limits_counts_for_a_lookup() {
        let config = IdentityConfig { max_lookup_body_bytes: 1000, ..IdentityConfig::default() };
        assert_eq!((config.lookup_body_bytes(999), config.lookup_body_bytes(1001)), (1000, 1001));
    }
}
