//! Which paths answer, to whom, and what every answer has in common.

mod identity;
mod schema;

use std::fmt::Write as _;

use axum::http::Method;
use countersign::{
    config::DeprecatedAdd,
    http::{Access, Modes, Route, Version, identity_routes, routes},
};
use countersign_api::{
    client::{
        account::WHOAMI,
        capabilities::CAPABILITIES,
        deactivate::DEACTIVATE,
        login::LOGIN,
        logout::{LOGOUT, LOGOUT_ALL},
        openid,
        password::PASSWORD as CHANGE_PASSWORD,
        request_token::THREEPID_EMAIL,
        threepid::{ADD, BIND, DELETE, THREEPIDS, UNBIND},
    },
    submit_token::SUBMIT_TOKEN,
    well_known::{MATRIX_CLIENT, SDN_CLIENT},
};
use serde_json::{Value, json};

use crate::{
    steps::{password_auth, send_all},
    support::{PASSWORD, TestNode, TestUser},
    wire::{Answer, Call, api},
};

/// What every answer says to browsers.
const CORS: [(&str, &str); 4] = [
    ("access-control-allow-origin", "*"),
    ("access-control-allow-methods", "GET, POST, PUT, DELETE, OPTIONS"),
    ("access-control-allow-headers", "Origin, X-Requested-With, Content-Type, Accept, Authorization"),
    ("access-control-expose-headers", "Retry-After"),
];

/// The routes that ask for an access token, with a body that each of them takes.
const TOKEN_ROUTES: [(Method, &str, &str); 11] = [
    (Method::GET, CAPABILITIES, ""),
    (Method::POST, LOGOUT, ""),
    (Method::POST, LOGOUT_ALL, ""),
    (Method::GET, WHOAMI, ""),
    (Method::GET, THREEPIDS, ""),
    (Method::POST, THREEPIDS, r#"{"three_pid_creds": {"sid": "x", "client_secret": "x"}}"#),
    (Method::POST, ADD, r#"{"sid": "x", "client_secret": "x"}"#),
    (
        Method::POST,
        BIND,
        r#"{"sid": "x", "client_secret": "x", "id_server": "127.0.0.2:1", "id_access_token": "x"}"#,
    ),
    (Method::POST, DELETE, r#"{"medium": "email", "address": "alice@example.org"}"#),
    (Method::POST, UNBIND, r#"{"medium": "email", "address": "alice@example.org"}"#),
    (Method::POST, openid::REQUEST_TOKEN, "{}"),
];

/// The routes that take an access token and can do without, with a body that each of them takes.
const OPTIONAL_ROUTES: [(Method, &str, &str); 2] =
    [(Method::POST, CHANGE_PASSWORD, "{}"), (Method::POST, DEACTIVATE, "{}")];

/// Every path under which a route answers.
fn spellings(route: &Route) -> Vec<String> {
    let bases: &[&str] = match route.version {
        Version::V3 => &["/_api/client/v3", "/_api/client/r0", "/_matrix/client/v3", "/_matrix/client/r0"],
        Version::V1 => &["/_api/client/v1", "/_matrix/client/v1"],
        Version::None => &["/_api", "/_matrix"],
    };
    bases.iter().map(|base| format!("{base}{}", of_alice(route.path))).collect()
}

/// The path of Alice, where it names a user.
fn of_alice(path: &str) -> String {
    path.replace("{user_id}", "%40alice%3Alocalhost")
}

/// Every path of the APIs.
pub(crate) fn all_paths() -> Vec<String> {
    let mut paths: Vec<_> = routes()
        .iter()
        .chain(&identity_routes())
        .flat_map(spellings)
        .chain([SUBMIT_TOKEN, MATRIX_CLIENT, SDN_CLIENT].map(str::to_owned))
        .collect();
    paths.sort();
    paths.dedup();
    paths
}

#[track_caller]
fn assert_for_browsers(answer: &Answer) {
    for (name, value) in CORS {
        assert_eq!(answer.header(name), Some(value), "{name} of {answer:?}");
    }
}

#[track_caller]
fn assert_json(answer: &Answer) {
    assert_eq!(answer.header("content-type"), Some("application/json"), "{answer:?}");
    assert!(answer.json().is_object(), "{answer:?}");
}

fn token_calls<'a>(node: &'a TestNode) -> impl Iterator<Item = (&'static str, Call)> + 'a {
    calls(node, TOKEN_ROUTES)
}

/// Calls of all routes that look at an access token.
fn judging_calls<'a>(node: &'a TestNode) -> impl Iterator<Item = (&'static str, Call)> + 'a {
    token_calls(node).chain(calls(node, OPTIONAL_ROUTES))
}

fn calls<'a, const N: usize>(
    node: &'a TestNode,
    routes: [(Method, &'static str, &'static str); N],
) -> impl Iterator<Item = (&'static str, Call)> + 'a {
    routes.into_iter().map(|(method, path, body)| (path, node.call(method, &api(&of_alice(path))).body(body)))
}

#[test]
fn the_route_table_is_this() {
    let mut table = String::new();
    for Route { method, path, version, access, modes } in routes() {
        let version = match version {
            Version::V3 => "v3, r0",
            Version::V1 => "v1",
            Version::None => "-",
        };
        let access = match access {
            Access::Open => "open",
            Access::Optional => "optional",
            Access::Token | Access::TokenBeforeTerms => "token",
        };
        let modes = match modes {
            Modes::All => "everywhere",
            Modes::NodeOnly => "node",
        };
        writeln!(table, "{:<5} {path:<47} {version:<7} {access:<9} {modes}", method.as_str()).unwrap();
    }
    insta::assert_snapshot!(table);
}

#[tokio::test]
async fn every_route_answers_under_both_prefixes_and_both_versions() {
    let node = TestNode::start_without_limits().await;
    for route in routes() {
        for path in spellings(&route) {
            let answer = node.call(route.method.clone(), &path).send().await;
            assert!(!matches!(answer.status, 404 | 405 | 500..), "{} {path}: {answer:?}", route.method);
            assert_json(&answer);
            assert_for_browsers(&answer);
        }
    }
}

#[tokio::test]
async fn unknown_paths_are_unrecognized() {
    let node = TestNode::start_without_limits().await;
    for path in [
        "/_api",
        "/_api/client",
        "/_api/client/v3",
        "/_api/client/v1/login",
        "/_api/client/v3/login/",
        "/_api/client/v3//login",
        "/_API/client/v3/login",
        "/_api/client/v3/account/3pid/email/requesttoken",
        "/_api/client/v3/account/3pid/email%2FrequestToken",
        "/_api/client/v1/refresh",
        "/_api/client/v3/register/m.login.registration_token/validity",
        "/_api/federation/v1/openid",
        "/_api/client/v3/user/@alice:localhost/@bob:localhost/openid/request_token",
        "/.well-known/matrix/server",
        "/_matrix/.well-known/matrix/client",
        "/_api/client/v3/versions",
        "/_matrix/identity",
        "/_matrix/identity/v1",
        "/_matrix/identity/v2/versions",
        "/_matrix/identity/v2/account/",
        "/_matrix/identity/api/v1",
        "/_matrix/identity/api/v1/validate/msisdn/requestToken",
        "/client/v3/login",
        "/_countersign/v1/submit_token/",
        "/_countersign/v1",
        "/%00",
        "/_api/client/v3/login%20",
    ] {
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
            let answer = node.call(method.clone(), path).send().await;
            assert_eq!(answer.error(), (404, "M_UNRECOGNIZED".to_owned()), "{method} {path}");
            assert_json(&answer);
            assert_for_browsers(&answer);
        }
    }
}

#[tokio::test]
async fn a_wrong_method_is_unrecognized() {
    let node = TestNode::start_without_limits().await;
    let known: Vec<_> = routes()
        .iter()
        .chain(&identity_routes())
        .flat_map(|route| spellings(route).into_iter().map(|path| (path, route.method.clone())))
        .collect();
    for path in all_paths() {
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
            let is_known = known.contains(&(path.clone(), method.clone()));
            let is_bare = (path == SUBMIT_TOKEN && method == Method::POST)
                || ([MATRIX_CLIENT, SDN_CLIENT].contains(&path.as_str()) && method == Method::GET);
            if is_known || is_bare {
                continue;
            }
            let answer = node.call(method.clone(), &path).send().await;
            assert_eq!(answer.error(), (405, "M_UNRECOGNIZED".to_owned()), "{method} {path}");
            assert!(answer.headers.contains_key("allow"), "{method} {path}: {answer:?}");
            assert_json(&answer);
            assert_for_browsers(&answer);
        }
    }
}

#[tokio::test]
async fn options_answers_every_path_at_once() {
    let node = TestNode::start_without_limits().await;
    for path in all_paths().into_iter().chain(["/_api/client/v3/nowhere".to_owned()]) {
        let answer = node.call(Method::OPTIONS, &path).send().await;
        assert_eq!((answer.status, answer.text.as_str()), (204, ""), "{path}");
        assert_for_browsers(&answer);
    }
}

#[tokio::test]
async fn options_has_no_effect() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    for path in [LOGOUT, LOGOUT_ALL] {
        node.call(Method::OPTIONS, &api(path)).token(&alice.access_token).send().await;
    }
    let body = json!({"client_secret": "monkeys", "email": "alice@example.org", "send_attempt": 1});
    node.call(Method::OPTIONS, &api(THREEPID_EMAIL)).json(&body).send().await;
    node.get(WHOAMI).token(&alice.access_token).send().await.ok();
    // The first message is that of a request that came later.
    node.ask_email("later", "later@example.org", 1).send().await.ok();
    assert_eq!(node.mailer.wait_for(1).await[0].to, "later@example.org");
}

#[tokio::test]
async fn every_kind_of_answer_is_json_for_browsers() {
    let node = TestNode::start_with(|config| {
        config.server.max_body_bytes = 1024;
        config.limits.requests_per_network_burst = std::num::NonZeroU32::MIN;
    })
    .await;
    let too_large = format!(r#"{{"email": "{}"}}"#, "a".repeat(2000));
    let wrong_password = json!({
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": "nobody"},
        "password": "wrong",
    });
    for (status, call) in [
        (200, node.get(LOGIN)),
        (200, node.ask_email("monkeys", "alice@example.org", 1)),
        (400, node.post(THREEPID_EMAIL, &json!({}))),
        (401, node.get(WHOAMI)),
        (403, node.post(LOGIN, &wrong_password)),
        (404, node.get("/nowhere")),
        (405, node.call(Method::PUT, &api(LOGIN))),
        (413, node.call(Method::POST, &api(THREEPID_EMAIL)).body(too_large)),
        (429, node.ask_email("monkeys", "bob@example.org", 1)),
    ] {
        let answer = call.send().await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_json(&answer);
        assert_for_browsers(&answer);
    }
    node.mailer.wait_for(1).await;
}

#[tokio::test]
async fn the_shields_refusal_is_json_for_browsers() {
    let node = TestNode::start_with(|config| {
        config.limits.shield_requests_per_second = std::num::NonZeroU32::MIN;
        config.limits.shield_burst = std::num::NonZeroU32::MIN;
    })
    .await;
    let answers = send_all((0..20).map(|_| node.get(LOGIN)).collect()).await;
    let refused = answers.iter().find(|answer| answer.status == 429).expect("one is refused");
    refused.expect_error(429, "M_LIMIT_EXCEEDED");
    assert_json(refused);
    assert_for_browsers(refused);
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_json_for_browsers() {
    let node = TestNode::start_with(|config| {
        config.server.request_timeout = std::time::Duration::from_millis(1);
    })
    .await;
    // Nobody's password takes as long to be compared as anybody's, much longer than this.
    let body = json!({"type": "m.login.password", "user": "nobody", "password": "wrong"});
    let answer = node.post(LOGIN, &body).send().await;
    answer.expect_error(503, "M_UNKNOWN");
    assert_json(&answer);
    assert_for_browsers(&answer);
}

#[test]
fn every_route_with_a_token_is_tested() {
    let known = |access| {
        let routes = routes().into_iter().filter(move |route| route.access == access);
        routes.map(|route| (route.method, route.path)).collect::<Vec<_>>()
    };
    let listed = TOKEN_ROUTES.map(|(method, path, _)| (method, path));
    assert_eq!(known(Access::Token), listed, "TOKEN_ROUTES and the route table differ");
    let listed = OPTIONAL_ROUTES.map(|(method, path, _)| (method, path));
    assert_eq!(known(Access::Optional), listed, "OPTIONAL_ROUTES and the route table differ");
}

#[tokio::test]
async fn without_a_token_it_is_missing() {
    let node = TestNode::start_without_limits().await;
    let alice = node.register("alice").await;
    for (path, call) in token_calls(&node) {
        assert_eq!(call.send().await.error(), (401, "M_MISSING_TOKEN".to_owned()), "{path}");
    }
    let other_schemes =
        [format!("Basic {}", alice.access_token), alice.access_token.clone(), "Bearer ".to_owned()];
    for value in other_schemes {
        for (path, call) in token_calls(&node) {
            let answer = call.header("authorization", &value).send().await;
            assert_eq!(answer.error(), (401, "M_MISSING_TOKEN".to_owned()), "{path} with {value:.6}");
        }
    }
}

#[tokio::test]
async fn a_token_in_the_query_is_no_token() {
    let node = TestNode::start_without_limits().await;
    let alice = node.register("alice").await;
    for (method, path, body) in TOKEN_ROUTES {
        let path = format!("{}?access_token={}", api(&of_alice(path)), alice.access_token);
        let answer = node.call(method, &path).body(body).send().await;
        assert_eq!(answer.error(), (401, "M_MISSING_TOKEN".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn a_token_that_was_never_given_out_is_unknown() {
    let node = TestNode::start_without_limits().await;
    let alice = node.register("alice").await;
    let longer = format!("{}x", alice.access_token);
    for token in ["wrong", longer.as_str(), &"x".repeat(3000)] {
        for (path, call) in judging_calls(&node) {
            let answer = call.token(token).send().await;
            assert_eq!(answer.error(), (401, "M_UNKNOWN_TOKEN".to_owned()), "{path}");
        }
    }
}

#[tokio::test]
async fn a_token_that_was_logged_out_is_unknown() {
    let node = TestNode::start_without_limits().await;
    let alice = node.register("alice").await;
    alice.client.logout().await.unwrap();
    for (path, call) in judging_calls(&node) {
        let answer = call.token(&alice.access_token).send().await;
        assert_eq!(answer.error(), (401, "M_UNKNOWN_TOKEN".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn the_scheme_of_a_token_is_read_in_any_case() {
    let node = TestNode::start_without_limits().await;
    let mut callers = 0;
    for scheme in ["Bearer", "bearer", "BEARER"] {
        for (path, call) in token_calls(&node) {
            callers += 1;
            let user = node.register(&format!("caller{callers}")).await;
            let token = format!("{scheme} {}", user.access_token);
            let answer = call.header("authorization", &token).send().await;
            // Adding goes on to ask for a password, which has no errcode.
            let is_let_in = answer.status != 401 || (path == ADD && answer.json().get("errcode").is_none());
            assert!(is_let_in, "{path} with {scheme}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn the_token_is_judged_before_the_body() {
    let node = TestNode::start_without_limits().await;
    for (method, path, _) in TOKEN_ROUTES {
        let answer = node.call(method, &api(&of_alice(path))).body("not JSON").send().await;
        assert_eq!(answer.error(), (401, "M_MISSING_TOKEN".to_owned()), "{path}");
    }
}

/// A call of Bob's that aims at Alice, for each route that takes a token.
fn aimed_at_alice(node: &TestNode, route: &Route, alice: &TestUser, sid: &str) -> Call {
    let auth = password_auth(alice, PASSWORD);
    let body = match (&route.method, route.path) {
        (&Method::GET, _) | (_, LOGOUT | LOGOUT_ALL) => json!(null),
        (_, THREEPIDS) => json!({"three_pid_creds": {"sid": sid, "client_secret": "alices"}}),
        (_, ADD) => json!({"sid": sid, "client_secret": "alices", "auth": auth}),
        (_, BIND) => json!({
            "sid": sid, "client_secret": "alices", "id_server": "localhost", "id_access_token": "x",
        }),
        (_, DELETE | UNBIND) => json!({"medium": "email", "address": "alice@example.org"}),
        (_, CHANGE_PASSWORD) => json!({"new_password": "another good password", "auth": auth}),
        (_, DEACTIVATE) => json!({ "auth": auth }),
        (_, openid::REQUEST_TOKEN) => json!({}),
        (method, path) => panic!("say what Bob could try with {method} {path}"),
    };
    let call = node.call(route.method.clone(), &api(&of_alice(route.path)));
    if body == Value::Null { call } else { call.json(&body) }
}

/// All that Alice has.
async fn state_of(node: &TestNode, alice: &TestUser) -> Value {
    let get = async |path| node.get(path).token(&alice.access_token).send().await.ok();
    let body =
        json!({"type": "m.login.password", "user": "alice", "password": PASSWORD, "device_id": "check"});
    let logged_in = node.post(LOGIN, &body).send().await.ok_string("user_id");
    json!([get(WHOAMI).await, get(THREEPIDS).await, logged_in])
}

#[tokio::test]
async fn another_users_token_changes_nothing_and_tells_nothing() {
    let node = TestNode::start_with(|config| {
        config.limits.enabled = false;
        config.threepids.deprecated_add = DeprecatedAdd::Add;
    })
    .await;
    let alice = node.register("alice").await;
    node.give_email(&alice, "alice@example.org").await;
    let sid = node.validate_email("alices", "second@example.org").await;
    node.add(&alice, &sid, "alices").send().await.ok();
    node.until_outbox_is_empty().await;
    let before = state_of(&node, &alice).await;
    for route in routes().iter().filter(|route| route.access != Access::Open) {
        let bob = node.register(&format!("bob{}", node.count("accounts"))).await;
        let answer = aimed_at_alice(&node, route, &alice, &sid).token(&bob.access_token).send().await;
        let said = answer.text.replace("alice@example.org", "");
        assert!(
            !said.contains("alice") && !said.contains("second@"),
            "{} {}: {answer:?}",
            route.method,
            route.path
        );
        assert_eq!(state_of(&node, &alice).await, before, "{} {}", route.method, route.path);
    }
}
