//! Sessions of user-interactive authentication: what one is good for, how often, and how many there may be.

mod stages;

use std::num::NonZeroU32;

use countersign_api::client::{
    account::WHOAMI,
    login::LOGIN,
    register::{AVAILABLE, REGISTER},
    threepid::{ADD, DELETE},
};
use serde_json::{Value, json};

use crate::{
    steps::{password_auth, send_all},
    support::{PASSWORD, TestNode},
    wire::Call,
};

/// Begins a registration; answers the session.
async fn begin(node: &TestNode) -> Value {
    node.post(REGISTER, &json!({})).send().await.json()["session"].clone()
}

/// The last round of a registration.
fn register(node: &TestNode, session: &Value, body: Value) -> Call {
    let mut body = body;
    body["auth"] = json!({"type": "m.login.dummy", "session": session});
    node.post(REGISTER, &body)
}

#[tokio::test]
async fn adding_again_in_the_same_session_after_a_lost_answer_succeeds() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let sid = node.validate_email("monkeys", "alice@example.org").await;
    let mut body = json!({"sid": sid, "client_secret": "monkeys"});
    let add = |body: &Value| node.post(ADD, body).token(&alice.access_token);
    let session = add(&body).send().await.json()["session"].clone();
    body["auth"] = password_auth(&alice, PASSWORD);
    body["auth"]["session"] = session;
    for _ in 0..3 {
        assert_eq!(add(&body).send().await.ok(), json!({}));
    }
    assert_eq!(node.addresses_of(&alice).await, ["email alice@example.org"]);
    // What was taken away meanwhile does not come back.
    let deleted = json!({"medium": "email", "address": "alice@example.org"});
    node.post(DELETE, &deleted).token(&alice.access_token).send().await.ok();
    add(&body).send().await.expect_error(400, "M_THREEPID_AUTH_FAILED");
    assert!(node.addresses_of(&alice).await.is_empty());
}

#[tokio::test]
async fn a_session_adds_only_what_its_first_request_named() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let first = node.validate_email("monkeys", "first@example.org").await;
    let second = node.validate_email("others", "second@example.org").await;
    let add = |body: &Value| node.post(ADD, body).token(&alice.access_token);
    let asked = add(&json!({"sid": first, "client_secret": "monkeys"})).send().await;
    let mut auth = password_auth(&alice, PASSWORD);
    auth["session"] = asked.json()["session"].clone();
    let body = |sid: &str, secret: &str| json!({"sid": sid, "client_secret": secret, "auth": auth});
    let others =
        [body(&second, "others"), body(&first, "others"), body(&second, "monkeys"), body("", "monkeys")];
    for other in &others {
        let refused = add(other).send().await;
        refused.expect_error(403, "M_FORBIDDEN");
        assert_eq!(refused.json().get("flows"), None);
    }
    add(&body(&first, "monkeys")).send().await.ok();
    for other in &others {
        add(other).send().await.expect_error(403, "M_FORBIDDEN");
    }
    assert_eq!(node.addresses_of(&alice).await, ["email first@example.org"]);
}

#[tokio::test]
async fn a_registration_sent_again_answers_the_same_account_with_a_new_login() {
    let node = TestNode::start().await;
    for wanted in [json!("alice"), json!(null)] {
        let session = begin(&node).await;
        let body = json!({"username": wanted, "password": PASSWORD, "device_id": "PHONE"});
        let first = register(&node, &session, body.clone()).send().await;
        let again = register(&node, &session, body).send().await;
        assert_eq!(again.ok_keys(), ["access_token", "device_id", "user_id"]);
        assert_eq!(again.ok_string("user_id"), first.ok_string("user_id"));
        let (lost, new) = (first.ok_string("access_token"), again.ok_string("access_token"));
        node.get(WHOAMI).token(&lost).send().await.expect_error(401, "M_UNKNOWN_TOKEN");
        let who = node.get(WHOAMI).token(&new).send().await;
        assert_eq!(who.ok_string("user_id"), first.ok_string("user_id"));
        // The name may be left out.
        let body = json!({"password": PASSWORD, "inhibit_login": true});
        let inhibited = register(&node, &session, body).send().await;
        assert_eq!(inhibited.ok(), json!({"user_id": first.ok_string("user_id")}));
    }
    assert_eq!(node.count("accounts"), 2);
}

#[tokio::test]
async fn a_session_that_made_an_account_makes_no_other_and_tells_no_password() {
    let node = TestNode::start().await;
    node.register("carol").await;
    let session = begin(&node).await;
    register(&node, &session, json!({"username": "alice", "password": PASSWORD})).send().await.ok();
    for (body, status, errcode) in [
        (json!({"username": "bob", "password": PASSWORD}), 403, "M_FORBIDDEN"),
        (json!({"username": "alice", "password": "wrong words"}), 403, "M_FORBIDDEN"),
        (json!({"password": "wrong words"}), 403, "M_FORBIDDEN"),
        (json!({"username": "carol", "password": PASSWORD}), 400, "M_USER_IN_USE"),
    ] {
        register(&node, &session, body).send().await.expect_error(status, errcode);
    }
    assert_eq!(node.count("accounts"), 2);
}

#[tokio::test]
async fn a_session_makes_one_account_however_many_ask_at_once() {
    let node = TestNode::start().await;
    for body in [json!({"password": PASSWORD}), json!({"username": "alice", "password": PASSWORD})] {
        let before = node.count("accounts");
        let session = begin(&node).await;
        let answers = send_all((0..5).map(|_| register(&node, &session, body.clone())).collect()).await;
        let mut users: Vec<_> = answers.iter().map(|answer| answer.ok_string("user_id")).collect();
        users.dedup();
        assert_eq!(users.len(), 1, "{users:?}");
        assert_eq!(node.count("accounts"), before + 1);
    }
    let session = begin(&node).await;
    let calls = (0..5).map(|count| {
        register(&node, &session, json!({"username": format!("user{count}"), "password": PASSWORD}))
    });
    let answers = send_all(calls.collect()).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 403).count(), 4);
    assert_eq!(node.count("accounts"), 3);
}

#[tokio::test]
async fn a_network_begins_only_so_many_sessions_without_a_token() {
    let limit = |config: &mut countersign::config::Config| {
        config.limits.uia_sessions_per_network_per_hour = NonZeroU32::new(3).unwrap();
    };
    let node = TestNode::start_with(limit).await;
    let ask = |from: &str| node.post(REGISTER, &json!({})).from(from);
    for _ in 0..3 {
        assert_eq!(ask("198.51.100.7").send().await.status, 401);
    }
    let limited = ask("198.51.100.7").send().await;
    limited.expect_error(429, "M_LIMIT_EXCEEDED");
    assert_eq!(limited.header("retry-after"), Some("1200"));
    assert_eq!(node.count("uia_sessions"), 3);
    assert_eq!(ask("198.51.100.8").send().await.status, 401);
    // What needs no session costs none, and neither does one with an access token.
    let body = json!({"username": "alice", "password": PASSWORD, "auth": {"type": "m.login.dummy"}});
    let token = node.post(REGISTER, &body).from("198.51.100.7").send().await.ok_string("access_token");
    let add = node.post(ADD, &json!({"sid": "x", "client_secret": "x"})).token(&token).from("198.51.100.7");
    assert_eq!(add.send().await.status, 401);
    let node = TestNode::start_with(|config| {
        limit(config);
        config.limits.enabled = false;
    })
    .await;
    for _ in 0..5 {
        assert_eq!(node.post(REGISTER, &json!({})).send().await.status, 401);
    }
}

#[tokio::test]
async fn a_network_asks_only_so_often_whether_a_name_is_free() {
    let node = TestNode::start_with(|config| {
        config.limits.name_checks_per_network_per_minute = NonZeroU32::new(2).unwrap();
    })
    .await;
    let available = |from: &str| node.get(&format!("{AVAILABLE}?username=alice")).from(from);
    available("198.51.100.7").send().await.ok();
    available("198.51.100.7").send().await.ok();
    available("198.51.100.7").send().await.expect_error(429, "M_LIMIT_EXCEEDED");
    let asked = node.post(REGISTER, &json!({"username": "alice"})).from("198.51.100.7").send().await;
    asked.expect_error(429, "M_LIMIT_EXCEEDED");
    available("198.51.100.8").send().await.ok();
}

#[tokio::test]
async fn names_are_not_told_where_registration_is_closed() {
    let node = TestNode::start_with(|config| config.registration.enabled = false).await;
    for name in ["alice", "a%20b"] {
        let answer = node.get(&format!("{AVAILABLE}?username={name}")).send().await;
        answer.expect_error(403, "M_FORBIDDEN");
    }
}

#[tokio::test]
async fn an_empty_password_is_weak_before_any_authentication() {
    let node = TestNode::start().await;
    let body = json!({"username": "alice", "password": ""});
    node.post(REGISTER, &body).send().await.expect_error(400, "M_WEAK_PASSWORD");
    let session = begin(&node).await;
    register(&node, &session, body).send().await.expect_error(400, "M_WEAK_PASSWORD");
    assert_eq!(node.count("accounts"), 0);
}

#[tokio::test]
async fn a_device_has_no_long_name() {
    let node = TestNode::start().await;
    node.register("alice").await;
    let named = |length: usize| "ä".repeat(length);
    let log_in = |name: &str| {
        let body = json!({
            "type": "m.login.password",
            "user": "alice",
            "password": PASSWORD,
            "initial_device_display_name": name,
        });
        node.post(LOGIN, &body)
    };
    log_in(&named(255)).send().await.ok();
    log_in(&named(256)).send().await.expect_error(400, "M_INVALID_PARAM");
    let body = json!({"username": "bob", "password": PASSWORD, "initial_device_display_name": named(256)});
    node.post(REGISTER, &body).send().await.expect_error(400, "M_INVALID_PARAM");
}
