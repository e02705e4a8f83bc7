//! How often things may happen.

use countersign_core::{
    AddressHash, BudgetKey, BudgetKind, Charge, ClientNetwork, Keyring, Localpart, Rate, SubjectHash, UserId,
};

/// How often things may happen. `None` of a rate lifts it.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Messages to an address, by the hour.
    pub messages_hourly: Option<Rate>,
    /// Messages to an address, by the day.
    pub messages_daily: Option<Rate>,
    /// Requests for tokens from a network.
    pub requests: Option<Rate>,
    /// Wrong tokens for a session, before it is ended.
    pub misses_per_session: u32,
    /// Wrong tokens for an address.
    pub misses_per_address: Option<Rate>,
    /// Wrong tokens from a network.
    pub misses_per_network: Option<Rate>,
    /// Logins from a network.
    pub logins: Option<Rate>,
    /// Wrong passwords for what names an account.
    pub misses_per_account: Option<Rate>,
    /// Wrong passwords for what names an account, from a network.
    pub misses_per_account_and_network: Option<Rate>,
    /// Registrations from a network.
    pub registrations: Option<Rate>,
    /// Questions from a network whether a name is free.
    pub name_checks: Option<Rate>,
    /// Questions from a network whether a registration token is valid.
    pub token_checks: Option<Rate>,
    /// Refreshes of access tokens from a network.
    pub refreshes: Option<Rate>,
    /// Sessions of user-interactive authentication that a network begins without an access token.
    pub uia_sessions: Option<Rate>,
    /// Access tokens of the identity API that a network asks for.
    pub identity_registrations: Option<Rate>,
    /// Lookups by a user, each hundred addresses that are asked for at once being one.
    pub lookups: Option<Rate>,
    /// Invitations by a user.
    pub invitations: Option<Rate>,
    /// Keys of other servers that a network has us fetch.
    pub server_keys: Option<Rate>,
    /// Tokens with which an account proves itself to other services.
    pub openid_tokens: Option<Rate>,
    /// Calls of identity servers for an account.
    pub identity_server_calls: Option<Rate>,
}

/// A lookup of more addresses counts as several.
const ADDRESSES_PER_LOOKUP: usize = 100;

impl Limits {
    /// The same, for a service that asks for its own users: networks are not counted, since it is one itself and counts
    /// those of its users.
    #[must_use]
    pub fn without_networks(self) -> Self {
        Self { requests: None, misses_per_network: None, ..self }
    }

    /// What a message to an address costs, asked for from a network.
    pub(crate) fn message(
        &self,
        keyring: &Keyring,
        address: AddressHash,
        network: ClientNetwork,
    ) -> Vec<Charge> {
        let by_network = charge(BudgetKind::Requests, network_subject(keyring, network), self.requests);
        self.message_to(address).chain(by_network).collect()
    }

    /// What a message to an address costs, whoever asks for it.
    fn message_to(&self, address: AddressHash) -> impl Iterator<Item = Charge> {
        let address = |kind, rate| charge(kind, address.into(), rate);
        let hourly = address(BudgetKind::MessagesHourly, self.messages_hourly);
        hourly.into_iter().chain(address(BudgetKind::MessagesDaily, self.messages_daily))
    }

    /// What a login costs.
    pub(crate) fn login(&self, keyring: &Keyring, network: ClientNetwork) -> Vec<Charge> {
        charge(BudgetKind::NetworkLogins, network_subject(keyring, network), self.logins)
            .into_iter()
            .collect()
    }

    /// What a registration costs.
    pub(crate) fn registration(&self, keyring: &Keyring, network: ClientNetwork) -> Vec<Charge> {
        let subject = network_subject(keyring, network);
        charge(BudgetKind::Registrations, subject, self.registrations).into_iter().collect()
    }

    /// What it costs to ask whether a name is free.
    pub(crate) fn name_check(&self, keyring: &Keyring, network: ClientNetwork) -> Vec<Charge> {
        charge(BudgetKind::NameChecks, network_subject(keyring, network), self.name_checks)
            .into_iter()
            .collect()
    }

    /// What it costs to ask whether a registration token is valid.
    pub(crate) fn token_check(&self, keyring: &Keyring, network: ClientNetwork) -> Vec<Charge> {
        charge(BudgetKind::TokenChecks, network_subject(keyring, network), self.token_checks)
            .into_iter()
            .collect()
    }

    /// What a refresh of an access token costs.
    pub(crate) fn refresh(&self, keyring: &Keyring, network: ClientNetwork) -> Vec<Charge> {
        charge(BudgetKind::Refreshes, network_subject(keyring, network), self.refreshes).into_iter().collect()
    }

    /// What it costs to begin a session of user-interactive authentication without an access token.
    pub(crate) fn uia_session(&self, keyring: &Keyring, network: ClientNetwork) -> Vec<Charge> {
        charge(BudgetKind::UiaSessions, network_subject(keyring, network), self.uia_sessions)
            .into_iter()
            .collect()
    }

    /// What an access token of the identity API costs.
    pub(crate) fn identity_registration(&self, keyring: &Keyring, network: ClientNetwork) -> Vec<Charge> {
        let subject = network_subject(keyring, network);
        charge(BudgetKind::IdentityRegistrations, subject, self.identity_registrations).into_iter().collect()
    }

    /// What it costs a user to look up so many addresses at once.
    pub(crate) fn lookup(&self, keyring: &Keyring, user_id: &UserId, addresses: usize) -> Vec<Charge> {
        let units = u32::try_from(addresses.div_ceil(ADDRESSES_PER_LOOKUP)).unwrap_or(u32::MAX);
        let rate = self.lookups.map(|rate| rate.for_units(units));
        charge(BudgetKind::Lookups, user_subject(keyring, user_id), rate).into_iter().collect()
    }

    /// What it costs a user to invite an address. Their network costs nothing: it is that of a homeserver, which invites for
    /// all its users.
    pub(crate) fn invitation(
        &self,
        keyring: &Keyring,
        user_id: &UserId,
        address: AddressHash,
    ) -> Vec<Charge> {
        let by_user = charge(BudgetKind::Invitations, user_subject(keyring, user_id), self.invitations);
        self.message_to(address).chain(by_user).collect()
    }

    /// What it costs to have it signed, without an access token, that one has an invitation: as much as a request for a token.
    pub(crate) fn signature(&self, keyring: &Keyring, network: ClientNetwork) -> Vec<Charge> {
        charge(BudgetKind::Requests, network_subject(keyring, network), self.requests).into_iter().collect()
    }

    /// What it costs to have the keys of another server fetched.
    pub(crate) fn server_key(&self, keyring: &Keyring, network: ClientNetwork) -> Vec<Charge> {
        charge(BudgetKind::ServerKeys, network_subject(keyring, network), self.server_keys)
            .into_iter()
            .collect()
    }

    /// What a token costs that proves an account to another service.
    pub(crate) fn openid_token(&self, keyring: &Keyring, localpart: &Localpart) -> Vec<Charge> {
        charge(BudgetKind::OpenIdTokens, account_subject(keyring, localpart), self.openid_tokens)
            .into_iter()
            .collect()
    }

    /// What it costs an account to have identity servers called.
    pub(crate) fn identity_server_call(&self, keyring: &Keyring, localpart: &Localpart) -> Vec<Charge> {
        let subject = account_subject(keyring, localpart);
        charge(BudgetKind::IdentityServerCalls, subject, self.identity_server_calls).into_iter().collect()
    }

    /// What a wrong token costs that another service compares, for an address from a network.
    pub(crate) fn wrong_token(
        &self,
        keyring: &Keyring,
        address: AddressHash,
        network: ClientNetwork,
    ) -> Vec<Charge> {
        [
            charge(BudgetKind::AddressMisses, address.into(), self.misses_per_address),
            charge(BudgetKind::NetworkMisses, network_subject(keyring, network), self.misses_per_network),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// What a wrong password costs, for an account as it was named, from a network. That many come from one network;
    /// more may come from all, so that one alone can't close an account for its owner.
    pub(crate) fn wrong_password(
        &self,
        keyring: &Keyring,
        named: SubjectHash,
        network: ClientNetwork,
    ) -> Vec<Charge> {
        let both = [named.as_bytes(), network.to_bytes().as_slice()].concat();
        let here = keyring.subject_hash("account and network", &both);
        [
            charge(BudgetKind::AccountMisses, named, self.misses_per_account),
            charge(BudgetKind::AccountNetworkMisses, here, self.misses_per_account_and_network),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// Names an account in `budgets`.
pub(crate) fn account_subject(keyring: &Keyring, localpart: &Localpart) -> SubjectHash {
    keyring.subject_hash("account", localpart.as_str().as_bytes())
}

/// Names a network in `budgets`.
pub(crate) fn network_subject(keyring: &Keyring, network: ClientNetwork) -> SubjectHash {
    keyring.subject_hash("network", &network.to_bytes())
}

/// Names a user of any server in `budgets`.
fn user_subject(keyring: &Keyring, user_id: &UserId) -> SubjectHash {
    keyring.subject_hash("user", user_id.as_str().as_bytes())
}

fn charge(kind: BudgetKind, subject: SubjectHash, rate: Option<Rate>) -> Option<Charge> {
    rate.map(|rate| Charge { key: BudgetKey { kind, subject }, rate })
}
