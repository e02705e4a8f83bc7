//! The paths of the identity API: to whom they answer, and that each asks for its own access token.

use std::fmt::Write as _;

use axum::http::Method;
use countersign::http::{Access, Route, identity_routes};
use countersign_api::identity::{
    account::{ACCOUNT, LOGOUT},
    lookup::{HASH_DETAILS, LOOKUP},
    pubkey::PUBKEY,
    sign_ed25519::SIGN_ED25519,
    store_invite::STORE_INVITE,
    terms::TERMS,
    threepid::{BIND, UNBIND},
    validate_email, validate_msisdn,
    validated_threepid::GET_VALIDATED_3PID,
};

use super::{assert_for_browsers, assert_json, spellings};
use crate::{
    steps::identity,
    support::TestNode,
    wire::{Answer, Call},
};

/// The routes that ask for an access token of the identity API, with a body that each of them takes.
const TOKEN_ROUTES: [(Method, &str, &str); 14] = [
    (Method::GET, ACCOUNT, ""),
    (Method::POST, LOGOUT, ""),
    (Method::POST, TERMS, r#"{"user_accepts": []}"#),
    (Method::GET, HASH_DETAILS, ""),
    (Method::POST, LOOKUP, r#"{"algorithm": "sha256", "pepper": "x", "addresses": []}"#),
    (
        Method::POST,
        validate_email::REQUEST_TOKEN,
        r#"{"client_secret": "x", "email": "alice@example.org", "send_attempt": 1}"#,
    ),
    (Method::POST, validate_email::SUBMIT_TOKEN, r#"{"sid": "x", "client_secret": "x", "token": "x"}"#),
    (
        Method::POST,
        validate_msisdn::REQUEST_TOKEN,
        r#"{"client_secret": "x", "country": "GB", "phone_number": "07700900001", "send_attempt": 1}"#,
    ),
    (Method::POST, validate_msisdn::SUBMIT_TOKEN, r#"{"sid": "x", "client_secret": "x", "token": "x"}"#),
    (Method::GET, GET_VALIDATED_3PID, ""),
    (Method::POST, BIND, r#"{"sid": "x", "client_secret": "x", "mxid": "@alice:localhost"}"#),
    (
        Method::POST,
        UNBIND,
        r#"{"mxid": "@alice:localhost", "threepid": {"medium": "email", "address": "alice@example.org"}}"#,
    ),
    (
        Method::POST,
        STORE_INVITE,
        r#"{"medium": "email", "address": "bob@example.org", "room_id": "!r", "sender": "@alice:localhost"}"#,
    ),
    (Method::POST, SIGN_ED25519, r#"{"mxid": "@alice:localhost", "token": "x", "private_key": "x"}"#),
];

fn token_calls(node: &TestNode) -> impl Iterator<Item = (&'static str, Call)> + '_ {
    TOKEN_ROUTES.into_iter().map(|(method, path, body)| (path, node.call(method, &identity(path)).body(body)))
}

/// A browser gets a page from it.
fn is_page(route: &Route) -> bool {
    route.method == Method::GET
        && [validate_email::SUBMIT_TOKEN, validate_msisdn::SUBMIT_TOKEN].contains(&route.path)
}

/// What a token that does not work is answered with.
fn refused(path: &str) -> (u16, String) {
    let errcode = if path == LOGOUT { "M_UNKNOWN_TOKEN" } else { "M_UNAUTHORIZED" };
    (401, errcode.to_owned())
}

#[track_caller]
fn assert_unauthorized(path: &str, answer: &Answer) {
    assert_eq!(answer.error(), (401, "M_UNAUTHORIZED".to_owned()), "{path}");
}

#[test]
fn the_route_table_of_the_identity_api_is_this() {
    let mut table = String::new();
    for Route { method, path, access, .. } in identity_routes() {
        let access = match access {
            Access::Open => "open",
            Access::Optional => "optional",
            Access::Token => "token",
            Access::TokenBeforeTerms => "token, before terms",
        };
        writeln!(table, "{:<5} {path:<45} {access}", method.as_str()).unwrap();
    }
    insta::assert_snapshot!(table);
}

#[test]
fn every_route_with_a_token_is_tested() {
    let asks = |access| matches!(access, Access::Token | Access::TokenBeforeTerms);
    let known = identity_routes().into_iter().filter(|route| asks(route.access));
    let known: Vec<_> = known.map(|route| (route.method, route.path)).collect();
    assert_eq!(known, TOKEN_ROUTES.map(|(method, path, _)| (method, path)));
}

#[tokio::test]
async fn every_route_answers_under_both_prefixes() {
    let node = TestNode::start_without_limits().await;
    for route in identity_routes() {
        for path in spellings(&route) {
            let answer = node.call(route.method.clone(), &path).send().await;
            // There is no such key.
            let is_known = route.path == PUBKEY && answer.error().1 == "M_NOT_FOUND";
            let is_there = is_known || !matches!(answer.status, 404 | 405 | 500..);
            assert!(is_there, "{} {path}: {answer:?}", route.method);
            assert_for_browsers(&answer);
            if is_page(&route) {
                assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
            } else {
                assert_json(&answer);
            }
        }
    }
}

#[tokio::test]
async fn without_a_token_of_its_own_nobody_is_let_in() {
    let node = TestNode::start_without_limits().await;
    let alice = node.register("alice").await;
    let token = node.identity_token(&alice).await;
    for (path, call) in token_calls(&node) {
        assert_unauthorized(path, &call.send().await);
    }
    for value in [format!("Basic {token}"), token.clone(), "Bearer ".to_owned()] {
        for (path, call) in token_calls(&node) {
            assert_unauthorized(path, &call.header("authorization", &value).send().await);
        }
    }
    for (method, path, body) in TOKEN_ROUTES {
        let in_query = format!("{}?access_token={token}", identity(path));
        assert_unauthorized(path, &node.call(method, &in_query).body(body).send().await);
    }
    assert_eq!(node.count("validation_sessions"), 0);
}

#[tokio::test]
async fn a_token_that_was_never_given_out_is_unknown() {
    let node = TestNode::start_without_limits().await;
    let alice = node.register("alice").await;
    let longer = format!("{}x", node.identity_token(&alice).await);
    for token in ["wrong", longer.as_str(), &alice.access_token, &"x".repeat(3000)] {
        for (path, call) in token_calls(&node) {
            assert_eq!(call.token(token).send().await.error(), refused(path), "{path}");
        }
    }
    assert_eq!(node.count("validation_sessions"), 0);
}

#[tokio::test]
async fn a_token_that_was_logged_out_is_unknown() {
    let node = TestNode::start_without_limits().await;
    let token = node.identity_user("alice").await;
    node.call(Method::POST, &identity(LOGOUT)).token(&token).send().await.ok();
    for (path, call) in token_calls(&node) {
        assert_eq!(call.token(&token).send().await.error(), refused(path), "{path}");
    }
}

#[tokio::test]
async fn the_token_is_judged_before_the_body() {
    let node = TestNode::start_without_limits().await;
    for (method, path, _) in TOKEN_ROUTES {
        let answer = node.call(method, &identity(path)).body("not JSON").send().await;
        assert_unauthorized(path, &answer);
    }
}

#[tokio::test]
async fn the_scheme_of_a_token_is_read_in_any_case() {
    let node = TestNode::start_without_limits().await;
    let token = node.identity_user("alice").await;
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let call = node.identity_get(ACCOUNT).header("authorization", &format!("{scheme} {token}"));
        call.send().await.ok();
    }
}
