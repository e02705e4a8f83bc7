//! The HTTP side: routes, extractors, handlers, and the tables that turn errors into answers.

mod answer;
mod client;
mod client_address;
mod cors;
mod extract;
mod federation;
mod identity;
mod offers;
mod operator;
mod pages;
mod read;
mod routes;
mod shield;
mod submit_token;
mod well_known;

use std::{sync::Arc, time::Duration};

use axum::extract::FromRef;
use countersign_api::uia::TermsParams;
use countersign_service::{
    AccountThreepids, Accounts, Associations, BoundThreepids, Callers, Confirmations, Health,
    IdentityAccounts, Inbox, Invitations, Lookup, Notices, OpenIds, RegistrationTokens, Signing, Uia,
    Verifier,
};
use ipnet::IpNet;
use tokio_util::sync::CancellationToken;

pub use self::{
    identity::{IdentityApi, IdentitySettings, TokenPlace, v1::router as identity_v1_router},
    offers::{Offer, Offers},
    operator::router as operator_router,
    routes::{Access, Mode, Modes, Route, Version, identity_routes, router, routes, with_api_layers},
    shield::{Shield, ShieldSettings},
    well_known::WellKnown,
};
use crate::pages::Pages;

/// What handlers reach: use cases and a few settings. Cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<AppParts>);

/// What [`AppState`] is made of.
pub struct AppParts {
    /// Requests and submits tokens.
    pub verifier: Verifier,
    /// The same for homeservers that use version 1 of the identity API.
    pub v1_verifier: Verifier,
    /// The pages behind a mail's links.
    pub confirmations: Confirmations,
    /// Accounts, logins, access tokens.
    pub accounts: Accounts,
    /// Who vouches for callers.
    pub callers: Callers,
    /// Addresses of accounts.
    pub threepids: AccountThreepids,
    /// What addresses hear of changes.
    pub notices: Notices,
    /// Tokens that prove users to other services.
    pub openids: OpenIds,
    /// Who may use the identity service.
    pub identity_accounts: IdentityAccounts,
    /// The keys that the server signs with.
    pub signing: Signing,
    /// Finds users by the hashes of their addresses.
    pub lookup: Lookup,
    /// Publishes whose an address is.
    pub associations: Associations,
    /// Invitations to owners of addresses.
    pub invitations: Invitations,
    /// Addresses that users publish at identity servers.
    pub bound_threepids: BoundThreepids,
    /// User-interactive authentication.
    pub uia: Uia,
    /// Tokens that let people register.
    pub registration_tokens: RegistrationTokens,
    /// Whether the server can do its work.
    pub health: Health,
    /// The words of the pages.
    pub pages: Arc<Pages>,
    /// The development inbox, in `countersign dev` only.
    pub inbox: Option<Inbox>,
    /// What handlers need of the configuration.
    pub settings: HttpSettings,
    /// The shield in front of everything; `None` where limits are off.
    pub shield: Option<Shield>,
    /// Tells long polls that the server goes down.
    pub shutdown: CancellationToken,
}

/// What handlers need of the configuration.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Where the accounts are.
    pub mode: Mode,
    /// Whether people may make accounts.
    pub registration: Registration,
    /// The policies that people accept when they register.
    pub terms: TermsParams,
    /// The versions of the specification that clients are told of.
    pub spec_versions: Vec<String>,
    /// What the identity API needs.
    pub identity: IdentitySettings,
    /// What else the operator has left on.
    pub offers: Offers,
    /// What `/.well-known/…/client` says; `None`: it is not served.
    pub well_known: Option<WellKnown>,
    /// The peers whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The largest request body, in bytes.
    pub max_body_bytes: usize,
    /// How long a request may take.
    pub request_timeout: Duration,
}

/// Whether people may make accounts.
#[derive(Clone, Debug)]
pub enum Registration {
    /// They may.
    Open(PasswordNeeded),
    /// They may not.
    Closed,
}

/// Whether an account needs a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordNeeded {
    /// It does.
    Yes,
    /// It may do without.
    No,
}

impl AppState {
    /// Shares the parts.
    pub fn new(parts: AppParts) -> Self {
        Self(Arc::new(parts))
    }

    pub(crate) fn settings(&self) -> &HttpSettings {
        &self.0.settings
    }

    pub(crate) fn verifier(&self) -> &Verifier {
        &self.0.verifier
    }

    pub(crate) fn v1_verifier(&self) -> &Verifier {
        &self.0.v1_verifier
    }

    pub(crate) fn uia(&self) -> &Uia {
        &self.0.uia
    }

    pub(crate) fn shield(&self) -> Option<&Shield> {
        self.0.shield.as_ref()
    }
}

impl FromRef<AppState> for Verifier {
    fn from_ref(state: &AppState) -> Self {
        state.0.verifier.clone()
    }
}

impl FromRef<AppState> for Confirmations {
    fn from_ref(state: &AppState) -> Self {
        state.0.confirmations.clone()
    }
}

impl FromRef<AppState> for Accounts {
    fn from_ref(state: &AppState) -> Self {
        state.0.accounts.clone()
    }
}

impl FromRef<AppState> for AccountThreepids {
    fn from_ref(state: &AppState) -> Self {
        state.0.threepids.clone()
    }
}

impl FromRef<AppState> for Notices {
    fn from_ref(state: &AppState) -> Self {
        state.0.notices.clone()
    }
}

impl FromRef<AppState> for OpenIds {
    fn from_ref(state: &AppState) -> Self {
        state.0.openids.clone()
    }
}

impl FromRef<AppState> for IdentityAccounts {
    fn from_ref(state: &AppState) -> Self {
        state.0.identity_accounts.clone()
    }
}

impl FromRef<AppState> for Signing {
    fn from_ref(state: &AppState) -> Self {
        state.0.signing.clone()
    }
}

impl FromRef<AppState> for Lookup {
    fn from_ref(state: &AppState) -> Self {
        state.0.lookup.clone()
    }
}

impl FromRef<AppState> for Associations {
    fn from_ref(state: &AppState) -> Self {
        state.0.associations.clone()
    }
}

impl FromRef<AppState> for Invitations {
    fn from_ref(state: &AppState) -> Self {
        state.0.invitations.clone()
    }
}

impl FromRef<AppState> for BoundThreepids {
    fn from_ref(state: &AppState) -> Self {
        state.0.bound_threepids.clone()
    }
}

impl FromRef<AppState> for Uia {
    fn from_ref(state: &AppState) -> Self {
        state.0.uia.clone()
    }
}

impl FromRef<AppState> for RegistrationTokens {
    fn from_ref(state: &AppState) -> Self {
        state.0.registration_tokens.clone()
    }
}

impl FromRef<AppState> for Health {
    fn from_ref(state: &AppState) -> Self {
        state.0.health.clone()
    }
}

impl FromRef<AppState> for Arc<Pages> {
    fn from_ref(state: &AppState) -> Self {
        state.0.pages.clone()
    }
}

impl FromRef<AppState> for Option<Inbox> {
    fn from_ref(state: &AppState) -> Self {
        state.0.inbox.clone()
    }
}

impl FromRef<AppState> for CancellationToken {
    fn from_ref(state: &AppState) -> Self {
        state.0.shutdown.clone()
    }
}
