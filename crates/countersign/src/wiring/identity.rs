//! The identity service, by the configuration.

use std::sync::Arc;

use countersign_api::identity::terms::TermsResponse;
use countersign_core::{Clock, Keyring, Random, TermsVersion};
use countersign_service::{IdentityAccounts, IdentityAccountsSettings, IdentityPolicy, OpenIdProofs};
use countersign_storage::Storage;

use super::{authentication::policies, settings::limits};
use crate::{
    config::{Config, PolicyConfig},
    http::{IdentityApi, IdentitySettings, TokenPlace},
};

/// Who may use the identity service. It asks nobody yet.
pub(super) fn identity_accounts(
    config: &Config,
    storage: Arc<dyn Storage>,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    proofs: OpenIdProofs,
) -> IdentityAccounts {
    let policy = |(name, policy): (&String, &PolicyConfig)| {
        let version = TermsVersion::parse(name, &policy.version).ok()?;
        let urls = policy.links.values().map(|link| link.url.clone()).collect();
        Some(IdentityPolicy { version, urls })
    };
    let settings = IdentityAccountsSettings {
        homeservers: config.identity.allowed_homeservers(),
        terms: config.identity.terms.0.iter().filter_map(policy).collect(),
        limits: limits(&config.limits),
    };
    IdentityAccounts::new(storage, keyring, clock, random, proofs, settings)
}

pub(super) fn identity_settings(config: &Config) -> IdentitySettings {
    let identity = &config.identity;
    IdentitySettings {
        api: if identity.enabled { IdentityApi::Served } else { IdentityApi::Off },
        token_place: match identity.query_access_token {
            true => TokenPlace::HeaderOrQuery,
            false => TokenPlace::Header,
        },
        terms: TermsResponse { policies: policies(&identity.terms) },
        max_lookup_body_bytes: identity.lookup_body_bytes(config.server.max_body_bytes),
        v1_sources: identity.v1.allowed_sources.clone(),
    }
}
