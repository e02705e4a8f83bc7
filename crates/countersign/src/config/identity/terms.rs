//! `[identity.terms]`: what must hold for its policies beside what holds for those of `[terms]`.

use crate::config::{TermsConfig, error::Problems};

/// A client names what its user accepts by URL alone, so the URL must change with the text: with the policy, its version and
/// its language ([spec](https://spec.matrix.org/v1.19/identity-service-api/#terms-of-service)).
pub(super) fn check(terms: &TermsConfig, problems: &mut Problems) {
    terms.check("identity.terms", problems);
    for (policy, config) in &terms.0 {
        for (language, link) in &config.links {
            let parts = [policy.as_str(), config.version.as_str(), language.as_str()];
            if !parts.iter().all(|part| link.url.contains(part)) {
                let message = format!(
                    "{policy}: the url in {language} must contain {policy}, {} and {language}, so that a new text has a new url",
                    config.version
                );
                problems.add("identity.terms", message);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{PolicyConfig, PolicyLinkConfig};

    fn problems(url: &str) -> usize {
        let link = PolicyLinkConfig { name: "Terms".to_owned(), url: url.to_owned() };
        let policy = PolicyConfig { version: "2.0".to_owned(), links: [("de".to_owned(), link)].into() };
        let mut problems = Problems::default();
        check(&TermsConfig([("terms".to_owned(), policy)].into()), &mut problems);
        problems.into_vec().len()
    }

    #[test]
    fn a_url_names_policy_version_and_language() {
        assert_eq!(problems("https://example.org/terms-2.0-de.html"), 0);
        for url in [
            "https://example.org/rules-2.0-de.html",
            "https://example.org/terms-1.0-de.html",
            "https://example.org/terms-2.0-en.html",
        ] {
            assert_eq!(problems(url), 1, "{url}");
        }
    }
}
