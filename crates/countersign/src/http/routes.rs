//! The routes, one line each, in the order of the specification; mounted under both prefixes, `r0` beside `v3`.

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::Method,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post},
};
use countersign_api::{
    client::{account, capabilities, login, logout, register, threepid, versions},
    submit_token,
};
use tower_http::catch_panic::CatchPanicLayer;

use super::{
    AppState,
    answer::{self, ErrorAnswer},
    client, cors, pages, shield,
};

/// A route of the client API.
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
}

/// Whether a path has a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// `/client/v3/…` and `/client/r0/…`.
    V3,
    /// As it stands.
    None,
}

/// Whether a route asks for an access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone may ask.
    Open,
    /// Only with an access token.
    Token,
}

/// The client API: each route with its handler.
#[rustfmt::skip]
fn client_routes() -> Vec<(Route, MethodRouter<AppState>)> {
    use Access::{Open, Token};
    use client as c;
    vec![
        bare(Method::GET, versions::VERSIONS, Open, get(c::versions::get_versions)),
        v3(Method::GET, capabilities::CAPABILITIES, Token, get(c::capabilities::get_capabilities)),
        v3(Method::GET, login::LOGIN, Open, get(c::login::get_login_flows)),
        v3(Method::POST, login::LOGIN, Open, post(c::login::log_in)),
        v3(Method::POST, logout::LOGOUT, Token, post(c::logout::log_out)),
        v3(Method::POST, logout::LOGOUT_ALL, Token, post(c::logout::log_out_all)),
        v3(Method::GET, account::WHOAMI, Token, get(c::account::whoami)),
        v3(Method::POST, register::REGISTER, Open, post(c::register::register)),
        v3(Method::GET, register::AVAILABLE, Open, get(c::register::check_availability)),
        v3(Method::POST, threepid::EMAIL_REQUEST_TOKEN, Open, post(c::threepid::request_token_to_3pid_email)),
        v3(Method::POST, threepid::MSISDN_REQUEST_TOKEN, Open, post(c::threepid::request_token_to_3pid_msisdn)),
        v3(Method::GET, threepid::THREEPIDS, Token, get(c::threepid::get_account_3pids)),
        v3(Method::POST, threepid::ADD, Token, post(c::threepid::add_3pid)),
        v3(Method::POST, threepid::DELETE, Token, post(c::threepid::delete_3pid_from_account)),
    ]
}

fn v3(
    method: Method,
    path: &'static str,
    access: Access,
    handler: MethodRouter<AppState>,
) -> (Route, MethodRouter<AppState>) {
    (Route { method, path, version: Version::V3, access }, handler)
}

fn bare(
    method: Method,
    path: &'static str,
    access: Access,
    handler: MethodRouter<AppState>,
) -> (Route, MethodRouter<AppState>) {
    (Route { method, path, version: Version::None, access }, handler)
}

/// The routes of the client API, for the tests that must know them all.
pub fn routes() -> Vec<Route> {
    client_routes().into_iter().map(|(route, _)| route).collect()
}

/// Everything that the main listener serves.
pub fn router(state: AppState) -> Router {
    let api = client_routes().into_iter().fold(Router::new(), |api, (route, handler)| match route.version {
        Version::V3 => api
            .route(&format!("/client/v3{}", route.path), handler.clone())
            .route(&format!("/client/r0{}", route.path), handler),
        Version::None => api.route(route.path, handler),
    });
    let json = Router::new()
        .nest("/_api", api.clone())
        .nest("/_matrix", api)
        .route(submit_token::SUBMIT_TOKEN, post(super::submit_token::submit_token))
        .fallback(answer::not_found)
        .method_not_allowed_fallback(answer::method_not_allowed);
    let html = match &state.0.inbox {
        Some(_) => pages::router().merge(pages::inbox::router()),
        None => pages::router(),
    };
    let json = with_api_layers(json, &state);
    let as_pages = middleware::from_fn_with_state(state.clone(), pages::errors_as_pages);
    json.merge(guarded(html, &state).layer(as_pages)).with_state(state)
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
