//! The routes, one line each, in the order of the specification; mounted under both prefixes, `r0` beside `v3`.

mod identity;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::Method,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post, put},
};
use countersign_api::{
    client::{
        account, capabilities, deactivate, login, logout, openid, password, refresh, register,
        registration_token, request_token, threepid, versions,
    },
    federation::{keys::SERVER_KEYS, onbind::ONBIND, openid::USERINFO},
    submit_token,
};
use tower_http::catch_panic::CatchPanicLayer;

pub use self::identity::identity_routes;
use super::{
    AppState, IdentityApi,
    answer::{self, ErrorAnswer},
    client, cors, pages, shield, well_known,
};

/// A route of the client API or of the identity API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path without prefix and version.
    pub path: &'static str,
    /// Whether its path has a version.
    pub version: Version,
    /// Whether it asks for an access token.
    pub access: Access,
    /// In which modes it is there.
    pub modes: Modes,
}

/// Where the accounts are that a node serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Its own.
    Node,
    /// In a homeserver that it stands beside.
    Sidecar,
}

/// In which modes a route is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modes {
    /// In all.
    All,
    /// Where accounts are the node's own; beside a homeserver, the homeserver has it.
    NodeOnly,
}

/// Whether a path has a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// `/client/v3/…` and `/client/r0/…`.
    V3,
    /// `/client/v1/…`.
    V1,
    /// As it stands.
    None,
}

/// Whether a route asks for an access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone may ask.
    Open,
    /// With an access token, or without; not with one that does not work.
    Optional,
    /// Only with an access token.
    Token,
    /// Only with an access token of the identity API, whose user may not have accepted its terms yet.
    TokenBeforeTerms,
}

/// The client API: each route with its handler.
#[rustfmt::skip]
fn client_routes() -> Vec<(Route, MethodRouter<AppState>)> {
    use Access::{Open, Optional, Token};
    use client as c;
    vec![
        bare(Method::GET, versions::VERSIONS, Open, get(c::versions::get_versions)),
        v3(Method::GET, capabilities::CAPABILITIES, Token, get(c::capabilities::get_capabilities)),
        v3(Method::GET, login::LOGIN, Open, get(c::login::get_login_flows)),
        v3(Method::POST, login::LOGIN, Open, post(c::login::log_in)),
        v3(Method::POST, logout::LOGOUT, Token, post(c::logout::log_out)),
        v3(Method::POST, logout::LOGOUT_ALL, Token, post(c::logout::log_out_all)),
        v3(Method::POST, refresh::REFRESH, Open, post(c::refresh::refresh)),
        v3(Method::GET, account::WHOAMI, Token, get(c::account::whoami)),
        v3(Method::POST, register::REGISTER, Open, post(c::register::register)),
        v3(Method::GET, register::AVAILABLE, Open, get(c::register::check_availability)),
        v1(Method::GET, registration_token::VALIDITY, Open, get(c::registration_token::check_validity)),
        v3(Method::POST, request_token::REGISTER_EMAIL, Open, post(c::request_token::request_token_to_register_email)),
        v3(Method::POST, request_token::REGISTER_MSISDN, Open, post(c::request_token::request_token_to_register_msisdn)),
        v3_in_all_modes(Method::POST, request_token::THREEPID_EMAIL, Open, post(c::request_token::request_token_to_3pid_email)),
        v3_in_all_modes(Method::POST, request_token::THREEPID_MSISDN, Open, post(c::request_token::request_token_to_3pid_msisdn)),
        v3(Method::POST, request_token::PASSWORD_EMAIL, Open, post(c::request_token::request_token_to_reset_password_email)),
        v3(Method::POST, request_token::PASSWORD_MSISDN, Open, post(c::request_token::request_token_to_reset_password_msisdn)),
        v3_in_all_modes(Method::GET, threepid::THREEPIDS, Token, get(c::threepid::get_account_3pids)),
        v3_in_all_modes(Method::POST, threepid::THREEPIDS, Token, post(c::threepid::post_3pids)),
        v3_in_all_modes(Method::POST, threepid::ADD, Token, post(c::threepid::add_3pid)),
        v3_in_all_modes(Method::POST, threepid::BIND, Token, post(c::threepid::bind_3pid)),
        v3_in_all_modes(Method::POST, threepid::DELETE, Token, post(c::threepid::delete_3pid_from_account)),
        v3_in_all_modes(Method::POST, threepid::UNBIND, Token, post(c::threepid::unbind_3pid)),
        v3(Method::POST, password::PASSWORD, Optional, post(c::password::change_password)),
        v3(Method::POST, deactivate::DEACTIVATE, Optional, post(c::deactivate::deactivate)),
        v3(Method::POST, openid::REQUEST_TOKEN, Token, post(c::openid::request_openid_token)),
        bare(Method::GET, SERVER_KEYS, Open, get(super::federation::keys::get_server_keys)),
        bare(Method::PUT, ONBIND, Open, put(super::federation::onbind::hear_of_invitations)),
        bare(Method::POST, ONBIND, Open, post(super::federation::onbind::hear_of_invitations)),
        bare(Method::GET, USERINFO, Open, get(super::federation::openid::userinfo)),
    ]
}

fn v3(
    method: Method,
    path: &'static str,
    access: Access,
    handler: MethodRouter<AppState>,
) -> (Route, MethodRouter<AppState>) {
    (Route { method, path, version: Version::V3, access, modes: Modes::NodeOnly }, handler)
}

/// A route about addresses alone, which a node has beside a homeserver too.
fn v3_in_all_modes(
    method: Method,
    path: &'static str,
    access: Access,
    handler: MethodRouter<AppState>,
) -> (Route, MethodRouter<AppState>) {
    (Route { method, path, version: Version::V3, access, modes: Modes::All }, handler)
}

fn v1(
    method: Method,
    path: &'static str,
    access: Access,
    handler: MethodRouter<AppState>,
) -> (Route, MethodRouter<AppState>) {
    (Route { method, path, version: Version::V1, access, modes: Modes::NodeOnly }, handler)
}

fn bare(
    method: Method,
    path: &'static str,
    access: Access,
    handler: MethodRouter<AppState>,
) -> (Route, MethodRouter<AppState>) {
    (Route { method, path, version: Version::None, access, modes: Modes::NodeOnly }, handler)
}

/// The routes of the client API, for the tests that must know them all.
pub fn routes() -> Vec<Route> {
    client_routes().into_iter().map(|(route, _)| route).collect()
}

/// Everything that the main listener serves.
pub fn router(state: AppState) -> Router {
    let identity = match state.settings().identity.api {
        IdentityApi::Served => identity::handled(),
        IdentityApi::Off => Vec::new(),
    };
    let all = client_routes().into_iter().chain(identity);
    let served = all.filter(|(route, _)| is_served(route.modes, state.settings().mode));
    let api = served.fold(Router::new(), |api, (route, handler)| match route.version {
        Version::V3 => api
            .route(&format!("/client/v3{}", route.path), handler.clone())
            .route(&format!("/client/r0{}", route.path), handler),
        Version::V1 => api.route(&format!("/client/v1{}", route.path), handler),
        Version::None => api.route(route.path, handler),
    });
    let json = Router::new()
        .nest("/_api", api.clone())
        .nest("/_matrix", api)
        .route(submit_token::SUBMIT_TOKEN, post(super::submit_token::submit_token))
        .merge(well_known::router(state.settings().well_known.as_ref()))
        .fallback(answer::not_found)
        .method_not_allowed_fallback(answer::method_not_allowed);
    let html = match &state.0.inbox {
        Some(_) => pages::router().merge(pages::inbox::router()),
        None => pages::router(),
    };
    let json = with_api_layers(json, &state);
    let as_pages = middleware::from_fn_with_state(state.clone(), pages::errors_as_pages);
    let fallback = guarded(pages::fallback::router(), &state)
        .layer(as_pages.clone())
        .layer(middleware::map_response(pages::fallback::keep_opener));
    let html = guarded(html, &state).layer(as_pages);
    // Beside a homeserver, the stages are the homeserver's.
    let html = if is_served(Modes::NodeOnly, state.settings().mode) { html.merge(fallback) } else { html };
    json.merge(html).with_state(state)
}

fn is_served(modes: Modes, mode: Mode) -> bool {
    match (modes, mode) {
        (Modes::All, _) | (Modes::NodeOnly, Mode::Node) => true,
        (Modes::NodeOnly, Mode::Sidecar) => false,
    }
}

/// Puts around routes what stands around the APIs. Public for the benchmark, which compares with routes that do nothing.
pub fn with_api_layers(routes: Router<AppState>, state: &AppState) -> Router<AppState> {
    // Outermost, so that refusals of the layers below have CORS headers too; never on pages, where they become pages.
    guarded(routes, state).layer(middleware::from_fn(cors::cors))
}

/// Puts limits on size, time and rate around routes, and turns a panic into an answer.
fn guarded(routes: Router<AppState>, state: &AppState) -> Router<AppState> {
    routes
        .layer(DefaultBodyLimit::max(state.settings().max_body_bytes))
        .layer(middleware::from_fn_with_state(state.clone(), deadline))
        .layer(middleware::from_fn_with_state(state.clone(), shield::shield))
        .layer(CatchPanicLayer::custom(answer::panicked))
}

/// Answers 503 when a request takes longer than the operator allows. What it began in the database goes on.
async fn deadline(State(state): State<AppState>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(state.settings().request_timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            ErrorAnswer::unavailable("The request took too long: try again in a moment").into_response()
        }
    }
}
