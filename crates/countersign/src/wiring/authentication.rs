//! What the configuration says about accounts and authentication, in the words of the rooms that it is for.

use std::collections::BTreeMap;

use countersign_api::uia::{Policy, PolicyLink, TermsParams};
use countersign_core::{CharacterClass, PasswordPolicy, Stage, distinct_flows};
use countersign_service::{AccountsSettings, TokenLifetimes, UiaSettings};

use super::settings::{limits, media, sms_countries};
use crate::config::{self, Config, TermsConfig};

pub(super) fn accounts_settings(config: &Config) -> AccountsSettings {
    let class = |class: &config::CharacterClass| match class {
        config::CharacterClass::Lower => CharacterClass::Lower,
        config::CharacterClass::Upper => CharacterClass::Upper,
        config::CharacterClass::Digit => CharacterClass::Digit,
        config::CharacterClass::Symbol => CharacterClass::Symbol,
    };
    AccountsSettings {
        server_name: config.server.name.clone(),
        limits: limits(&config.limits),
        password_policy: PasswordPolicy {
            min_length: config.passwords.min_length,
            require: config.passwords.require.iter().map(class).collect(),
        },
        token_lifetimes: config.login.refresh_tokens.then(|| TokenLifetimes {
            access: config.login.access_token_lifetime,
            refresh: Some(config.login.refresh_token_lifetime).filter(|lifetime| !lifetime.is_zero()),
        }),
        sms_countries: sms_countries(config),
    }
}

pub(super) fn uia_settings(config: &Config) -> UiaSettings {
    let stage = |stage: &config::Stage| match stage {
        config::Stage::Dummy => Stage::Dummy,
        config::Stage::EmailIdentity => Stage::EmailIdentity,
        config::Stage::Msisdn => Stage::Msisdn,
        config::Stage::RegistrationToken => Stage::RegistrationToken,
        config::Stage::Terms => Stage::Terms,
    };
    let flows = config.registration.flows.iter().map(|flow| flow.iter().map(stage).collect()).collect();
    UiaSettings {
        register: if config.registration.enabled { distinct_flows(flows) } else { Vec::new() },
        media: media(config),
        terms: config.terms.versions().collect(),
    }
}

pub(super) fn terms(config: &Config) -> TermsParams {
    TermsParams { policies: policies(&config.terms) }
}

/// The policies, as clients are told of them.
pub(super) fn policies(terms: &TermsConfig) -> BTreeMap<String, Policy> {
    let link = |(language, link): (&String, &config::PolicyLinkConfig)| {
        (language.clone(), PolicyLink { name: link.name.clone(), url: link.url.clone() })
    };
    let policy = |(name, policy): (&String, &config::PolicyConfig)| {
        let (version, links) = (policy.version.clone(), policy.links.iter().map(link).collect());
        (name.clone(), Policy { version, links })
    };
    terms.0.iter().map(policy).collect()
}
