//! `[registration]`: whether and how people make accounts.

use countersign_core::Medium;
use serde::{Deserialize, Serialize};

use super::{Config, error::Problems};

/// Whether and how people make accounts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegistrationConfig {
    /// Whether anyone may make an account.
    pub enabled: bool,
    /// The ways to register, each a list of the stages that it takes
    /// ([spec](https://spec.matrix.org/v1.19/client-server-api/#user-interactive-authentication-api)).
    pub flows: Vec<Vec<Stage>>,
    /// Whether an account needs a password.
    pub password_required: bool,
}

/// A stage of user-interactive authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
pub enum Stage {
    /// Nothing to prove.
    #[serde(rename = "m.login.dummy")]
    Dummy,
    /// An e-mail address.
    #[serde(rename = "m.login.email.identity")]
    EmailIdentity,
    /// A phone number.
    #[serde(rename = "m.login.msisdn")]
    Msisdn,
    /// A registration token.
    #[serde(rename = "m.login.registration_token")]
    RegistrationToken,
    /// The policies of `[terms]`.
    #[serde(rename = "m.login.terms")]
    Terms,
}

impl Default for RegistrationConfig {
    fn default() -> Self {
        Self { enabled: false, flows: vec![vec![Stage::Dummy]], password_required: true }
    }
}

impl RegistrationConfig {
    pub(super) fn check(&self, config: &Config, problems: &mut Problems) {
        const KEY: &str = "registration.flows";
        if self.flows.is_empty() || self.flows.iter().any(Vec::is_empty) {
            let message = "needs at least one flow, and each flow a stage, such as [[\"m.login.dummy\"]]";
            problems.add(KEY, message);
        }
        let twice = |flow: &Vec<Stage>| (1..flow.len()).any(|at| flow[..at].contains(&flow[at]));
        if self.flows.iter().any(twice) {
            problems.add(KEY, "a flow has the same stage twice");
        }
        let uses = |stage| self.flows.iter().any(|flow| flow.contains(&stage));
        let needs = [
            (Stage::EmailIdentity, config.proves(Medium::Email), "m.login.email.identity needs [email]"),
            (Stage::Msisdn, config.proves(Medium::Msisdn), "m.login.msisdn needs [sms]"),
            (Stage::Terms, !config.terms.0.is_empty(), "m.login.terms needs a policy in [terms]"),
        ];
        for (stage, is_there, message) in needs {
            if uses(stage) && !is_there {
                problems.add(KEY, message);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{PolicyConfig, PolicyLinkConfig};

    fn messages(flow: &[Stage], change: impl FnOnce(&mut Config)) -> Vec<String> {
        let mut config = Config::dev(Path::new("."), 8008);
        config.registration.flows = vec![flow.to_vec()];
        change(&mut config);
        let mut problems = Problems::default();
        config.registration.check(&config, &mut problems);
        problems.into_vec().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_flow_takes_only_what_the_node_can_ask_for() {
        use Stage::{Dummy, EmailIdentity, Msisdn, RegistrationToken, Terms};
        let all = [EmailIdentity, Msisdn, RegistrationToken, Terms, Dummy];
        let terms = |config: &mut Config| {
            let link = PolicyLinkConfig { name: "Rules".to_owned(), url: "https://example.org/".to_owned() };
            let links = [("en".to_owned(), link)].into();
            config.terms.0.insert("rules".to_owned(), PolicyConfig { version: "1".to_owned(), links });
        };
        assert_eq!(messages(&all, terms), [""; 0]);
        let none = |config: &mut Config| (config.email, config.sms) = (None, None);
        assert_eq!(
            messages(&all, none),
            [
                "registration.flows: m.login.email.identity needs [email]",
                "registration.flows: m.login.msisdn needs [sms]",
                "registration.flows: m.login.terms needs a policy in [terms]",
            ]
        );
        let twice = ["registration.flows: a flow has the same stage twice"];
        assert_eq!(messages(&[Dummy, RegistrationToken, Dummy], |_| {}), twice);
    }
}
