//! The routes of the identity API, in the order of the specification. Their paths name their versions themselves.

use axum::{
    http::Method,
    routing::{MethodRouter, get, post},
};
use countersign_api::identity::{
    account, lookup, pubkey, sign_ed25519, store_invite, terms, threepid, v1, validate_email,
    validate_msisdn, validated_threepid, versions,
};

use super::{Access, Modes, Route, Version};
use crate::http::{AppState, identity as i};

/// [`versions::STATUS`] as some clients ask for it.
const STATUS_WITH_SLASH: &str = "/identity/v2/";

/// The identity API: each route with its handler.
#[rustfmt::skip]
pub(super) fn handled() -> Vec<(Route, MethodRouter<AppState>)> {
    use Access::{Open, Token, TokenBeforeTerms};
    vec![
        at(Method::GET, versions::VERSIONS, Open, get(i::versions::get_versions)),
        at(Method::GET, versions::STATUS, Open, get(i::versions::get_status)),
        at(Method::GET, STATUS_WITH_SLASH, Open, get(i::versions::get_status)),
        at(Method::GET, account::ACCOUNT, Token, get(i::account::get_account)),
        at(Method::POST, account::LOGOUT, TokenBeforeTerms, post(i::account::log_out)),
        at(Method::POST, account::REGISTER, Open, post(i::account::register)),
        at(Method::GET, terms::TERMS, Open, get(i::terms::get_terms)),
        at(Method::POST, terms::TERMS, TokenBeforeTerms, post(i::terms::accept_terms)),
        at(Method::GET, pubkey::PUBKEY, Open, get(i::pubkey::get_pubkey)),
        at(Method::GET, pubkey::IS_VALID, Open, get(i::pubkey::is_valid)),
        at(Method::GET, pubkey::EPHEMERAL_IS_VALID, Open, get(i::pubkey::is_ephemeral_valid)),
        at(Method::GET, lookup::HASH_DETAILS, Token, get(i::lookup::get_hash_details)),
        at(Method::POST, lookup::LOOKUP, Token, post(i::lookup::look_up)),
        at(Method::POST, validate_email::REQUEST_TOKEN, Token, post(i::validate_email::request_token)),
        at(Method::POST, validate_email::SUBMIT_TOKEN, Token, post(i::validate_email::submit_token)),
        at(Method::GET, validate_email::SUBMIT_TOKEN, Open, get(i::validate_email::visit)),
        at(Method::POST, validate_msisdn::REQUEST_TOKEN, Token, post(i::validate_msisdn::request_token)),
        at(Method::POST, validate_msisdn::SUBMIT_TOKEN, Token, post(i::validate_msisdn::submit_token)),
        at(Method::GET, validate_msisdn::SUBMIT_TOKEN, Open, get(i::validate_msisdn::visit)),
        at(Method::GET, validated_threepid::GET_VALIDATED_3PID, Token, get(i::validated_threepid::get_validated_3pid)),
        at(Method::POST, threepid::BIND, Token, post(i::threepid::bind)),
        at(Method::POST, threepid::UNBIND, Token, post(i::threepid::unbind)),
        at(Method::POST, store_invite::STORE_INVITE, Token, post(i::store_invite::store_invite)),
        at(Method::POST, sign_ed25519::SIGN_ED25519, Token, post(i::sign_ed25519::sign)),
        // The one route of version 1 here: it is what the mails of invitations link to.
        at(Method::POST, v1::SIGN_ED25519, Open, post(i::sign_ed25519::sign_by_link)),
    ]
}

/// A route that a node has beside a homeserver too.
fn at(
    method: Method,
    path: &'static str,
    access: Access,
    handler: MethodRouter<AppState>,
) -> (Route, MethodRouter<AppState>) {
    (Route { method, path, version: Version::None, access, modes: Modes::All }, handler)
}

/// The routes of the identity API, for the tests that must know them all.
pub fn identity_routes() -> Vec<Route> {
    handled().into_iter().map(|(route, _)| route).collect()
}
