//! `[terms]`: the policies that people accept when they register.

use std::collections::BTreeMap;

use countersign_core::{Language, TermsVersion};
use serde::{Deserialize, Serialize};
use url::Url;

use super::error::Problems;

/// The policies that people accept when they register, by name. They are asked by the stage `m.login.terms`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct TermsConfig(pub BTreeMap<String, PolicyConfig>);

/// One policy.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyConfig {
    /// The version; a new one is asked of new accounts only.
    pub version: String,
    /// Where it stands, by language.
    pub links: BTreeMap<String, PolicyLinkConfig>,
}

/// A policy in one language.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyLinkConfig {
    /// What it is called.
    pub name: String,
    /// Where it stands.
    pub url: String,
}

impl TermsConfig {
    /// The policies and their versions.
    pub(crate) fn versions(&self) -> impl Iterator<Item = TermsVersion> {
        self.0.iter().filter_map(|(policy, config)| TermsVersion::parse(policy, &config.version).ok())
    }

    /// Names its problems after `key`, the section's.
    pub(super) fn check(&self, key: &'static str, problems: &mut Problems) {
        for (policy, config) in &self.0 {
            if let Err(error) = TermsVersion::parse(policy, &config.version) {
                problems.add(key, format!("{policy}: {error}"));
            }
            if config.links.is_empty() {
                problems.add(key, format!("{policy}: needs a link in at least one language"));
            }
            for (language, link) in &config.links {
                config_link(key, policy, language, link, problems);
            }
        }
    }
}

/// `version` would stand beside the languages on the wire, so no language may have that name; it is none anyway.
fn config_link(
    key: &'static str,
    policy: &str,
    language: &str,
    link: &PolicyLinkConfig,
    problems: &mut Problems,
) {
    if Language::parse(language).is_none() || language == "version" {
        problems.add(key, format!("{policy}: {language} is not a language, such as en or pt-BR"));
    }
    if link.name.trim().is_empty() {
        problems.add(key, format!("{policy}: the name of the link in {language} is empty"));
    }
    if !Url::parse(&link.url).is_ok_and(|url| matches!(url.scheme(), "https" | "http")) {
        problems.add(key, format!("{policy}: the url in {language} is not a web address"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(policy: &str, version: &str, links: &[(&str, &str, &str)]) -> Vec<String> {
        let link = |(language, name, url): &(&str, &str, &str)| {
            let link = PolicyLinkConfig { name: (*name).to_owned(), url: (*url).to_owned() };
            ((*language).to_owned(), link)
        };
        let config = PolicyConfig { version: version.to_owned(), links: links.iter().map(link).collect() };
        let mut problems = Problems::default();
        TermsConfig([(policy.to_owned(), config)].into()).check("terms", &mut problems);
        problems.into_vec().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_policy_has_a_name_a_version_and_a_link() {
        let good = ("en", "Rules", "https://example.org/rules");
        assert_eq!(messages("rules", "1.0", &[good, ("pt-BR", "Regras", "http://localhost/")]), [""; 0]);
        for (policy, version, links, word) in [
            ("the rules", "1.0", &[good][..], "the name of a policy"),
            ("rules", "", &[good], "the version of a policy"),
            ("rules", "1.0", &[], "at least one language"),
            ("rules", "1.0", &[("version", good.1, good.2)], "version is not a language"),
            ("rules", "1.0", &[("e n", good.1, good.2)], "is not a language"),
            ("rules", "1.0", &[("en", " ", good.2)], "is empty"),
            ("rules", "1.0", &[("en", good.1, "javascript:alert(1)")], "is not a web address"),
            ("rules", "1.0", &[("en", good.1, "/rules")], "is not a web address"),
        ] {
            let messages = messages(policy, version, links);
            assert!(matches!(&messages[..], [message] if message.contains(word)), "{word}: {messages:?}");
        }
    }
}
