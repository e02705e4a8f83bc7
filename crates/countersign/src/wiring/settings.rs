//! The configuration in the words of the rooms that it is for.

use std::time::Duration;

use countersign_core::{CodePolicy, InUsePolicy, Medium, NextLinkPolicy, Rate, RetryPolicy};
use countersign_service::{Limits, Links, NoticeSettings, VerifierSettings, WorkerSettings};
use countersign_storage::Retention;

use super::{authentication::terms, identity::identity_settings};
use crate::{
    config::{self, Config, DelegateConfig, LimitsConfig, Transport},
    http::{HttpSettings, Mode, Offer, Offers, PasswordNeeded, Registration, ShieldSettings, WellKnown},
};

pub(super) fn wants_inbox(config: &Config) -> bool {
    let email = config.email.as_ref().map(|email| email.transport);
    let sms = config.sms.as_ref().map(|sms| sms.transport);
    [email, sms].contains(&Some(Transport::Inbox))
}

pub(super) fn verifier_settings(config: &Config) -> VerifierSettings {
    let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
    let hosts = &config.validation.next_link_hosts;
    VerifierSettings {
        server_name: config.server.name.clone(),
        links: Links::new(config.server.public_url.as_str()),
        media: media(config),
        sms_countries: sms_countries(config),
        codes: CodePolicy {
            email_purposes: config.email.as_ref().map(|email| email.code_for.clone()).unwrap_or_default(),
            email_lifetime: config.email.as_ref().map_or(minutes(30), |email| email.code_lifetime),
            msisdn_lifetime: config.sms.as_ref().map_or(minutes(10), |sms| sms.code_lifetime),
        },
        session_lifetime: config.validation.session_lifetime,
        next_links: NextLinkPolicy {
            app_schemes: config.validation.next_link_app_schemes.clone(),
            hosts: (!hosts.is_empty()).then(|| hosts.clone()),
        },
        in_use: if config.privacy.hide_accounts { InUsePolicy::Hide } else { InUsePolicy::Tell },
        limits: limits(&config.limits),
    }
}

/// The media that messages can be sent by.
pub(super) fn media(config: &Config) -> Vec<Medium> {
    let delegated = config.validation.delegate.iter().flat_map(DelegateConfig::media);
    own_media(config).chain(delegated).collect()
}

/// The media that the node itself sends messages by.
fn own_media(config: &Config) -> impl Iterator<Item = Medium> {
    let media =
        [config.email.is_some().then_some(Medium::Email), config.sms.is_some().then_some(Medium::Msisdn)];
    media.into_iter().flatten()
}

/// The countries that SMS go to; `None`: all.
pub(super) fn sms_countries(config: &Config) -> Option<Vec<String>> {
    config.sms.as_ref().and_then(|sms| match &sms.countries {
        config::Countries::All => None,
        config::Countries::Only(countries) => Some(countries.clone()),
    })
}

pub(super) fn limits(config: &LimitsConfig) -> Limits {
    const MINUTE: Duration = Duration::from_secs(60);
    const HOUR: Duration = Duration::from_secs(60 * 60);
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let rate = |count: std::num::NonZeroU32, period| config.enabled.then(|| Rate::per(count.get(), period));
    Limits {
        messages_hourly: rate(config.messages_per_address_per_hour, HOUR),
        messages_daily: rate(config.messages_per_address_per_day, DAY),
        requests: rate(config.requests_per_network_per_hour, HOUR)
            .map(|rate| rate.with_burst(config.requests_per_network_burst.get())),
        misses_per_session: config.misses_per_session.get(),
        misses_per_address: rate(config.misses_per_address_per_day, DAY),
        misses_per_network: rate(config.misses_per_network_per_hour, HOUR),
        logins: rate(config.logins_per_network_per_minute, MINUTE),
        misses_per_account: rate(config.login_failures_per_account_per_hour, HOUR),
        misses_per_account_and_network: rate(config.login_failures_per_account_and_network_per_hour, HOUR),
        registrations: rate(config.registrations_per_network_per_hour, HOUR),
        name_checks: rate(config.name_checks_per_network_per_minute, MINUTE),
        token_checks: rate(config.token_checks_per_network_per_minute, MINUTE),
        refreshes: rate(config.refreshes_per_network_per_minute, MINUTE),
        uia_sessions: rate(config.uia_sessions_per_network_per_hour, HOUR),
        identity_registrations: rate(config.identity_registrations_per_network_per_minute, MINUTE),
        lookups: rate(config.lookups_per_user_per_hour, HOUR),
        invitations: rate(config.invitations_per_user_per_day, DAY),
        server_keys: rate(config.server_keys_per_network_per_minute, MINUTE),
        openid_tokens: rate(config.openid_tokens_per_account_per_hour, HOUR),
        identity_server_calls: rate(config.identity_server_calls_per_account_per_hour, HOUR),
    }
}

pub(super) fn shield_settings(config: &LimitsConfig) -> ShieldSettings {
    ShieldSettings { per_second: config.shield_requests_per_second, burst: config.shield_burst }
}

pub(super) fn http_settings(config: &Config) -> HttpSettings {
    let registration = match (config.registration.enabled, config.registration.password_required) {
        (true, true) => Registration::Open(PasswordNeeded::Yes),
        (true, false) => Registration::Open(PasswordNeeded::No),
        (false, _) => Registration::Closed,
    };
    HttpSettings {
        mode: if config.sidecar.is_some() { Mode::Sidecar } else { Mode::Node },
        registration,
        terms: terms(config),
        spec_versions: config.server.spec_versions.clone(),
        identity: identity_settings(config),
        offers: offers(config),
        // Beside a homeserver, the homeserver says where clients find it.
        well_known: (config.well_known.enabled && config.sidecar.is_none()).then(|| WellKnown {
            base_url: config.server.public_url.to_string(),
            identity_server_url: identity_server_url(config),
        }),
        trusted_proxies: config.server.trusted_proxies.clone(),
        max_body_bytes: config.server.max_body_bytes,
        request_timeout: config.server.request_timeout,
    }
}

/// An identity server that the operator names, or else our own.
fn identity_server_url(config: &Config) -> Option<String> {
    let own = config.identity.enabled.then_some(&config.server.public_url);
    config.well_known.identity_server_url.as_ref().or(own).map(ToString::to_string)
}

fn offers(config: &Config) -> Offers {
    let deprecated_add = config.threepids.deprecated_add == config::DeprecatedAdd::Add;
    let switches = [
        (Offer::ThreepidChanges, config.threepids.changes),
        (Offer::DeprecatedAdd, deprecated_add),
        (Offer::PasswordChanges, config.passwords.change),
        (Offer::Deactivation, config.passwords.deactivate),
    ];
    Offers::new(switches.into_iter().filter_map(|(offer, is_on)| is_on.then_some(offer)))
}

pub(super) fn notice_settings(config: &Config) -> NoticeSettings {
    let told = |medium: &Medium| match medium {
        Medium::Email => config.notices.enabled,
        Medium::Msisdn => config.notices.enabled && config.notices.sms,
    };
    NoticeSettings {
        server_name: config.server.name.clone(),
        media: own_media(config).filter(told).collect(),
        lifetime: config.validation.session_lifetime,
    }
}

pub(super) fn worker_settings(config: &Config, concurrency: usize, codes: CodePolicy) -> WorkerSettings {
    WorkerSettings {
        concurrency,
        send_timeout: config.outbox.send_timeout,
        lease: config.outbox.lease,
        retry: RetryPolicy { first: config.outbox.retry_delay_min, longest: config.outbox.retry_delay_max },
        poll_interval: config.outbox.poll_interval,
        codes,
    }
}

pub(super) fn retention(config: &Config) -> Retention {
    Retention {
        sessions: config.retention.expired_sessions,
        messages: config.retention.finished_messages,
        identity_tokens: config.retention.identity_tokens,
        rows_per_sweep: 500,
    }
}
