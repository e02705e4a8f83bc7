//! `/register` and `/register/available`: new accounts.

mod proofs;

use std::num::NonZeroU32;

use countersign_api::client::{
    account::WHOAMI,
    register::{AVAILABLE, REGISTER},
};
use serde_json::{Value, json};

use crate::{steps::send_all, support::TestNode, wire::Call};

/// Registers at once, without a first round.
fn register(node: &TestNode, body: Value) -> Call {
    let mut body = body;
    body["auth"] = json!({"type": "m.login.dummy"});
    node.post(REGISTER, &body)
}

fn whoami(node: &TestNode, access_token: &str) -> Call {
    node.get(WHOAMI).token(access_token)
}

#[tokio::test]
async fn the_first_request_is_answered_with_the_flows_and_makes_nothing() {
    let node = TestNode::start().await;
    let body = json!({"username": "alice", "password": "secret words"});
    for body in [body.clone(), json!({}), json!({"auth": {}, "username": "alice"})] {
        let asked = node.post(REGISTER, &body).send().await;
        assert_eq!(asked.status, 401);
        let asked = asked.json();
        assert_eq!(asked["flows"], json!([{"stages": ["m.login.dummy"]}]));
        assert_eq!(asked["params"], json!({}));
        assert!(asked["session"].is_string());
        assert_eq!(asked.get("errcode"), None);
    }
    assert_eq!(node.count("accounts"), 0);
}

#[tokio::test]
async fn a_new_account_is_logged_in_and_knows_who_it_is() {
    let node = TestNode::start().await;
    let session = node.post(REGISTER, &json!({})).send().await.json()["session"].clone();
    let body = json!({
        "username": "alice",
        "password": "secret words",
        "device_id": "PHONE",
        "initial_device_display_name": "Alice's phone",
        "auth": {"type": "m.login.dummy", "session": session},
    });
    let registered = node.post(REGISTER, &body).send().await;
    assert_eq!(registered.ok_keys(), ["access_token", "device_id", "user_id"]);
    let registered = registered.ok();
    assert_eq!(
        (&registered["user_id"], &registered["device_id"]),
        (&json!("@alice:localhost"), &json!("PHONE"))
    );
    let who = whoami(&node, registered["access_token"].as_str().unwrap()).send().await;
    let expected = json!({"user_id": "@alice:localhost", "device_id": "PHONE", "is_guest": false});
    assert_eq!(who.ok(), expected);
}

#[tokio::test]
async fn a_stage_without_a_session_is_processed_at_once() {
    let node = TestNode::start().await;
    register(&node, json!({"username": "alice", "password": "secret words"})).send().await.ok();
}

#[tokio::test]
async fn a_name_is_put_in_lower_case() {
    let node = TestNode::start().await;
    let registered = register(&node, json!({"username": "Alice", "password": "secret words"})).send().await;
    assert_eq!(registered.ok_string("user_id"), "@alice:localhost");
    let again = node.post(REGISTER, &json!({"username": "ALICE"})).send().await;
    again.expect_error(400, "M_USER_IN_USE");
}

#[tokio::test]
async fn every_character_of_the_grammar_may_be_in_a_name() {
    let node = TestNode::start().await;
    let body = json!({"username": "az09._=-/+", "password": "secret words"});
    assert_eq!(register(&node, body).send().await.ok_string("user_id"), "@az09._=-/+:localhost");
}

#[tokio::test]
async fn a_bad_or_taken_name_is_told_before_any_authentication() {
    let node = TestNode::start().await;
    node.register("alice").await;
    let taken = node.post(REGISTER, &json!({"username": "alice", "password": "some words"})).send().await;
    taken.expect_error(400, "M_USER_IN_USE");
    let bad = node.post(REGISTER, &json!({"username": "a b", "password": "some words"})).send().await;
    bad.expect_error(400, "M_INVALID_USERNAME");
}

#[tokio::test]
async fn without_a_name_one_is_made_up() {
    let node = TestNode::start().await;
    let first = register(&node, json!({"password": "secret words"})).send().await.ok_string("user_id");
    let second = register(&node, json!({"password": "secret words"})).send().await.ok_string("user_id");
    assert_ne!(first, second);
    let localpart = first.strip_prefix('@').and_then(|id| id.strip_suffix(":localhost")).unwrap();
    assert!(!localpart.is_empty() && localpart.bytes().all(|byte| byte.is_ascii_lowercase()), "{first}");
}

#[tokio::test]
async fn a_missing_password_is_told_only_after_authentication() {
    let node = TestNode::start().await;
    let asked = node.post(REGISTER, &json!({"username": "alice"})).send().await;
    assert_eq!(asked.status, 401);
    let session = asked.json()["session"].clone();
    let mut body = json!({"username": "alice", "auth": {"type": "m.login.dummy", "session": session}});
    node.post(REGISTER, &body).send().await.expect_error(400, "M_MISSING_PARAM");
    // The stage stays done.
    body["password"] = json!("secret words");
    body["auth"] = json!({"session": session});
    node.post(REGISTER, &body).send().await.ok();
}

#[tokio::test]
async fn an_inhibited_login_makes_an_account_without_a_token() {
    let node = TestNode::start().await;
    let body = json!({"username": "alice", "password": "secret words", "inhibit_login": true});
    let registered = register(&node, body).send().await;
    assert_eq!(registered.ok(), json!({"user_id": "@alice:localhost"}));
    assert_eq!((node.count("devices"), node.count("access_tokens")), (0, 0));
    let body = json!({"username": "bob", "password": "secret words", "inhibit_login": false});
    assert_eq!(register(&node, body).send().await.ok_keys(), ["access_token", "device_id", "user_id"]);
}

#[tokio::test]
async fn a_client_that_asks_gets_a_refresh_token() {
    let node = TestNode::start().await;
    let body = json!({"username": "alice", "password": "secret words", "refresh_token": true});
    let keys = register(&node, body).send().await.ok_keys();
    assert_eq!(keys, ["access_token", "device_id", "expires_in_ms", "refresh_token", "user_id"]);
    let body =
        json!({"username": "bob", "password": "secret words", "refresh_token": true, "inhibit_login": true});
    assert_eq!(register(&node, body).send().await.ok_keys(), ["user_id"]);
    let node = TestNode::start_with(|config| config.login.refresh_tokens = false).await;
    let body = json!({"username": "alice", "password": "secret words", "refresh_token": true});
    assert_eq!(register(&node, body).send().await.ok_keys(), ["access_token", "device_id", "user_id"]);
}

#[tokio::test]
async fn guests_are_not_made() {
    let node = TestNode::start().await;
    let answer = node.post(&format!("{REGISTER}?kind=guest"), &json!({})).send().await;
    answer.expect_error(403, "M_FORBIDDEN");
    let answer = node.post(&format!("{REGISTER}?kind=user"), &json!({})).send().await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn closed_registration_is_forbidden_to_everybody() {
    let node = TestNode::start_with(|config| config.registration.enabled = false).await;
    for body in [json!({}), json!({"username": "alice"}), json!({"username": "a b"})] {
        node.post(REGISTER, &body).send().await.expect_error(403, "M_FORBIDDEN");
    }
    register(&node, json!({"username": "alice", "password": "some words"}))
        .send()
        .await
        .expect_error(403, "M_FORBIDDEN");
    assert_eq!(node.count("accounts"), 0);
}

#[tokio::test]
async fn a_stage_that_no_flow_has_is_unrecognized() {
    let node = TestNode::start().await;
    for stage in ["m.login.password", "m.login.recaptcha", "m.login.email.identity", "nonsense"] {
        let body = json!({
            "password": "secret words",
            "auth": {
                "type": stage,
                "identifier": {"type": "m.id.user", "user": "alice"},
                "password": "secret words",
                "threepid_creds": {"sid": "x", "client_secret": "x"},
            },
        });
        let refused = node.post(REGISTER, &body).send().await;
        assert_eq!(refused.error(), (401, "M_UNRECOGNIZED".to_owned()), "{stage}");
        assert_eq!(refused.json()["flows"], json!([{"stages": ["m.login.dummy"]}]));
    }
    assert_eq!(node.count("accounts"), 0);
}

#[tokio::test]
async fn a_completed_request_sent_again_makes_no_second_account() {
    let node = TestNode::start().await;
    let session = node.post(REGISTER, &json!({})).send().await.json()["session"].clone();
    let body = json!({"password": "secret words", "auth": {"type": "m.login.dummy", "session": session}});
    let user_id = node.post(REGISTER, &body).send().await.ok_string("user_id");
    assert_eq!(node.post(REGISTER, &body).send().await.ok_string("user_id"), user_id);
    assert_eq!(node.count("accounts"), 1);
}

#[tokio::test]
async fn of_those_who_want_one_name_at_once_one_gets_it() {
    let node = TestNode::start_without_limits().await;
    let body = json!({"username": "alice", "password": "secret words"});
    let answers = send_all((0..8).map(|_| register(&node, body.clone())).collect()).await;
    let mut outcomes: Vec<_> =
        answers.iter().map(|answer| answer.json()["errcode"].as_str().unwrap_or("made").to_owned()).collect();
    outcomes.sort();
    assert_eq!(
        (outcomes[0].as_str(), outcomes[6].as_str(), outcomes[7].as_str()),
        ("M_USER_IN_USE", "M_USER_IN_USE", "made")
    );
}

#[tokio::test]
async fn a_free_name_is_available_and_any_other_is_an_error() {
    let node = TestNode::start().await;
    node.register("alice").await;
    let available = |name: &str| node.get(&format!("{AVAILABLE}?username={name}"));
    assert_eq!(available("bob").send().await.ok(), json!({"available": true}));
    assert_eq!(available("B%6fb").send().await.ok(), json!({"available": true}));
    for name in ["alice", "Alice", "ALIC%45"] {
        assert_eq!(available(name).send().await.error(), (400, "M_USER_IN_USE".to_owned()), "{name}");
    }
}

#[tokio::test]
async fn a_network_registers_only_so_many_accounts() {
    let node = TestNode::start_with(|config| {
        config.limits.registrations_per_network_per_hour = NonZeroU32::new(2).unwrap();
    })
    .await;
    let from = |name: &str, address| {
        register(&node, json!({"username": name, "password": "some words"})).from(address)
    };
    from("a", "198.51.100.7").send().await.ok();
    from("b", "198.51.100.7").send().await.ok();
    let limited = from("c", "198.51.100.7").send().await;
    limited.expect_error(429, "M_LIMIT_EXCEEDED");
    assert_eq!(limited.header("retry-after"), Some("1800"));
    from("c", "198.51.100.8").send().await.ok();
}
