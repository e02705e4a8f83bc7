//! Malformed input to the identity API, which has codes of its own for it.

use axum::http::Method;
use countersign_api::identity::{
    account::REGISTER, terms::TERMS, validate_email, validate_msisdn, validated_threepid::GET_VALIDATED_3PID,
};
use serde_json::{Value, json};

use super::{BAD_JSON, INVALID, NOT_JSON, email_body, msisdn_body, submit_body, with, without};
use crate::{steps::identity, support::TestNode, wire::Call};

const MISSING: &str = "M_MISSING_PARAMS";

/// The routes that need a JSON object, with one that they can read.
fn routes_with_a_body() -> [(&'static str, Value); 6] {
    [
        (REGISTER, json!({"access_token": "x", "matrix_server_name": "localhost"})),
        (TERMS, json!({"user_accepts": []})),
        (validate_email::REQUEST_TOKEN, email_body()),
        (validate_email::SUBMIT_TOKEN, submit_body()),
        (validate_msisdn::REQUEST_TOKEN, msisdn_body()),
        (validate_msisdn::SUBMIT_TOKEN, submit_body()),
    ]
}

async fn expect(call: Call, errcode: &str, what: &str) {
    assert_eq!(call.send().await.error(), (400, errcode.to_owned()), "{what}");
}

#[tokio::test]
async fn a_body_that_is_no_object_has_its_own_error_on_every_route() {
    let node = TestNode::start_without_limits().await;
    let token = node.identity_user("alice").await;
    let deep = "[".repeat(20_000);
    for (path, _) in routes_with_a_body() {
        for (body, errcode) in [
            ("", NOT_JSON),
            ("{", NOT_JSON),
            ("{}{}", NOT_JSON),
            ("client_secret=x&email=alice%40example.org&send_attempt=1", NOT_JSON),
            (deep.as_str(), NOT_JSON),
            ("[]", BAD_JSON),
            ("null", BAD_JSON),
            ("\"{}\"", BAD_JSON),
            ("1", BAD_JSON),
        ] {
            let call = node.call(Method::POST, &identity(path)).token(&token).body(body);
            expect(call, errcode, &format!("{path} with {body:.20}")).await;
        }
    }
    assert_eq!(node.count("validation_sessions"), 0);
}

#[tokio::test]
async fn a_key_that_is_missing_or_of_another_type_has_its_own_error_on_every_route() {
    let node = TestNode::start_without_limits().await;
    let token = node.identity_user("alice").await;
    for (path, body) in routes_with_a_body() {
        let keys: Vec<_> = body.as_object().expect("an object").keys().cloned().collect();
        for key in keys {
            let post = |body: &Value| node.identity_post(path, body).token(&token);
            let what = format!("{path}, {key}");
            expect(post(&without(body.clone(), &key)), MISSING, &what).await;
            for value in [json!(true), json!(1.5), json!({})] {
                expect(post(&with(body.clone(), &key, value)), INVALID, &what).await;
            }
        }
    }
    assert_eq!(node.count("validation_sessions"), 0);
}

#[tokio::test]
async fn a_parameter_that_is_missing_in_the_query_has_its_own_error() {
    let node = TestNode::start_without_limits().await;
    let token = node.identity_user("alice").await;
    for (query, errcode) in [
        ("", MISSING),
        ("?sid=x", MISSING),
        ("?client_secret=x", MISSING),
        ("?sid=x&client_secret=", INVALID),
        ("?sid=x&client_secret=a%20b", INVALID),
    ] {
        expect(node.identity_get(&format!("{GET_VALIDATED_3PID}{query}")).token(&token), errcode, query)
            .await;
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_too_large_on_every_route() {
    let node = TestNode::start_without_limits().await;
    let token = node.identity_user("alice").await;
    let too_large = format!(r#"{{"x": "{}"}}"#, "a".repeat(65_536));
    for (path, _) in routes_with_a_body() {
        let call = node.call(Method::POST, &identity(path)).token(&token).body(too_large.clone());
        assert_eq!(call.send().await.error(), (413, "M_TOO_LARGE".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn secrets_keep_their_grammar() {
    let node = TestNode::start_without_limits().await;
    let token = node.identity_user("alice").await;
    let long = "a".repeat(256);
    for secret in ["", "a b", "ä", "a\n", "a/b", "a+b", long.as_str()] {
        for (path, body) in routes_with_a_body() {
            if body.get("client_secret").is_some() {
                let body = with(body, "client_secret", json!(secret));
                expect(node.identity_post(path, &body).token(&token), INVALID, path).await;
            }
        }
    }
    assert_eq!(node.count("validation_sessions"), 0);
}

#[tokio::test]
async fn null_is_absent_and_unknown_fields_are_ignored() {
    let node = TestNode::start_without_limits().await;
    let token = node.identity_user("alice").await;
    let body = with(with(email_body(), "next_link", json!(null)), "id_server", json!([1]));
    node.identity_post(validate_email::REQUEST_TOKEN, &body).token(&token).send().await.ok();
    node.mailer.wait_for(1).await;
}
