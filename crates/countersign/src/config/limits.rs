//! `[limits]`: how often things may be asked, and guessed.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::error::Problems;

/// How often things may be asked, and guessed. A network is an IPv4 address or an IPv6 /64.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// `false` lifts all limits but `misses_per_session`. For benchmarks and closed networks.
    pub enabled: bool,
    /// Messages to one address in an hour, whoever asks.
    pub messages_per_address_per_hour: NonZeroU32,
    /// Messages to one address in a day, whoever asks.
    pub messages_per_address_per_day: NonZeroU32,
    /// Requests for a token from one network in an hour.
    pub requests_per_network_per_hour: NonZeroU32,
    /// How many of those may come at once.
    pub requests_per_network_burst: NonZeroU32,
    /// Wrong codes or tokens for one session; the last one ends it.
    pub misses_per_session: NonZeroU32,
    /// Wrong codes for one address in a day, over all its sessions.
    pub misses_per_address_per_day: NonZeroU32,
    /// Wrong codes from one network in an hour.
    pub misses_per_network_per_hour: NonZeroU32,
    /// Logins from one network in a minute, successful or not.
    pub logins_per_network_per_minute: NonZeroU32,
    /// Wrong passwords for one name or address of an account in an hour, from one network.
    pub login_failures_per_account_and_network_per_hour: NonZeroU32,
    /// The same from all networks.
    pub login_failures_per_account_per_hour: NonZeroU32,
    /// New accounts from one network in an hour.
    pub registrations_per_network_per_hour: NonZeroU32,
    /// Questions from one network in a minute whether a username is free.
    pub name_checks_per_network_per_minute: NonZeroU32,
    /// Questions from one network in a minute whether a registration token is valid.
    pub token_checks_per_network_per_minute: NonZeroU32,
    /// Access tokens that one network refreshes in a minute.
    pub refreshes_per_network_per_minute: NonZeroU32,
    /// Authentications that one network begins in an hour without an access token: first rounds of registrations and of
    /// password resets.
    pub uia_sessions_per_network_per_hour: NonZeroU32,
    /// Access tokens of the identity API that one network asks for in a minute.
    pub identity_registrations_per_network_per_minute: NonZeroU32,
    /// Lookups by one user in an hour; each hundred addresses that are asked for at once count as one.
    pub lookups_per_user_per_hour: NonZeroU32,
    /// Invitations by one user in a day. Each is a message to its address too, and counts there.
    pub invitations_per_user_per_day: NonZeroU32,
    /// Keys of other homeservers that one network has the node fetch in a minute, by what it claims to be signed by them.
    pub server_keys_per_network_per_minute: NonZeroU32,
    /// Tokens with which one account proves itself to other services (OpenID) in an hour, from all its devices.
    pub openid_tokens_per_account_per_hour: NonZeroU32,
    /// Calls of identity servers that one account causes in an hour, by publishing addresses and taking them back.
    pub identity_server_calls_per_account_per_hour: NonZeroU32,
    /// Requests of any kind from one network in a second, counted by each process for itself, in memory.
    pub shield_requests_per_second: NonZeroU32,
    /// How many of those may come at once.
    pub shield_burst: NonZeroU32,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            messages_per_address_per_hour: count(5),
            messages_per_address_per_day: count(10),
            requests_per_network_per_hour: count(30),
            requests_per_network_burst: count(10),
            misses_per_session: count(5),
            misses_per_address_per_day: count(20),
            misses_per_network_per_hour: count(60),
            logins_per_network_per_minute: count(20),
            login_failures_per_account_and_network_per_hour: count(20),
            login_failures_per_account_per_hour: count(200),
            registrations_per_network_per_hour: count(20),
            name_checks_per_network_per_minute: count(60),
            token_checks_per_network_per_minute: count(6),
            refreshes_per_network_per_minute: count(60),
            uia_sessions_per_network_per_hour: count(60),
            identity_registrations_per_network_per_minute: count(20),
            lookups_per_user_per_hour: count(600),
            invitations_per_user_per_day: count(100),
            server_keys_per_network_per_minute: count(20),
            openid_tokens_per_account_per_hour: count(60),
            identity_server_calls_per_account_per_hour: count(60),
            shield_requests_per_second: count(50),
            shield_burst: count(200),
        }
    }
}

impl LimitsConfig {
    pub(super) fn check(&self, problems: &mut Problems) {
        if self.messages_per_address_per_day < self.messages_per_address_per_hour {
            let message = "must not be lower than limits.messages_per_address_per_hour";
            problems.add("limits.messages_per_address_per_day", message);
        }
        if self.login_failures_per_account_per_hour < self.login_failures_per_account_and_network_per_hour {
            let message = "must not be lower than limits.login_failures_per_account_and_network_per_hour";
            problems.add("limits.login_failures_per_account_per_hour", message);
        }
        if self.requests_per_network_per_hour < self.requests_per_network_burst {
            let message = "must not be higher than limits.requests_per_network_per_hour";
            problems.add("limits.requests_per_network_burst", message);
        }
        if 20 < self.misses_per_session.get() {
            let message = "must not be higher than 20: a typed code has only a million values";
            problems.add("limits.misses_per_session", message);
        }
    }
}

const fn count(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).expect("the defaults are not 0")
}
