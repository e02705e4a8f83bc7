//! `/login`: by name, address or phone number, with a password.

use std::{num::NonZeroU32, time::Duration};

use countersign_api::client::{account::WHOAMI, login::LOGIN};
use serde_json::{Value, json};

use crate::{
    support::{PASSWORD, TestNode},
    wire::Call,
};

fn log_in(node: &TestNode, identifier: &Value, password: &str) -> Call {
    let body = json!({"type": "m.login.password", "identifier": identifier, "password": password});
    node.post(LOGIN, &body)
}

fn user(name: &str) -> Value {
    json!({"type": "m.id.user", "user": name})
}

fn email(address: &str) -> Value {
    json!({"type": "m.id.thirdparty", "medium": "email", "address": address})
}

fn phone(country: &str, number: &str) -> Value {
    json!({"type": "m.id.phone", "country": country, "phone": number})
}

#[tokio::test]
async fn a_login_answers_what_clients_need_and_nothing_that_crashes_them() {
    let node = TestNode::start().await;
    node.register("alice").await;
    let answer = log_in(&node, &user("alice"), PASSWORD).send().await;
    assert_eq!(answer.ok_keys(), ["access_token", "device_id", "user_id"]);
    assert_eq!(answer.ok_string("user_id"), "@alice:localhost");
    let who = node.get(WHOAMI).token(&answer.ok_string("access_token")).send().await;
    assert_eq!(who.ok_string("device_id"), answer.ok_string("device_id"));
}

#[tokio::test]
async fn a_user_is_named_by_id_or_localpart_in_any_case() {
    let node = TestNode::start_without_limits().await;
    node.register("alice").await;
    for name in ["alice", "Alice", "ALICE", "@alice:localhost", "@Alice:localhost"] {
        assert_eq!(
            log_in(&node, &user(name), PASSWORD).send().await.ok_string("user_id"),
            "@alice:localhost",
            "{name}"
        );
    }
    for name in [
        "@alice:example.org",
        "@alice",
        "alice:localhost",
        "@alice:localhost:8008",
        "",
        "@:localhost",
        "@alice:LOCALHOST",
    ] {
        let answer = log_in(&node, &user(name), PASSWORD).send().await;
        assert_eq!(answer.error(), (403, "M_FORBIDDEN".to_owned()), "{name:?}");
    }
}

#[tokio::test]
async fn the_legacy_fields_name_a_user_too() {
    let node = TestNode::start_without_limits().await;
    let alice = node.register("alice").await;
    node.give_email(&alice, "alice@example.org").await;
    for body in [
        json!({"type": "m.login.password", "user": "alice", "password": PASSWORD}),
        json!({"type": "m.login.password", "medium": "email", "address": "alice@example.org", "password": PASSWORD}),
        json!({
            "type": "m.login.password",
            "identifier": {"medium": "email", "address": "alice@example.org"},
            "password": PASSWORD,
        }),
    ] {
        assert_eq!(node.post(LOGIN, &body).send().await.ok_string("user_id"), "@alice:localhost", "{body}");
    }
}

#[tokio::test]
async fn an_address_logs_in_while_it_is_on_the_account() {
    let node = TestNode::start_without_limits().await;
    let alice = node.register("alice").await;
    let identifiers = [
        email("alice@example.org"),
        email("ALICE@Example.org"),
        json!({"type": "m.id.thirdparty", "medium": "msisdn", "address": "447700900001"}),
        json!({"type": "m.id.thirdparty", "medium": "msisdn", "address": "+447700900001"}),
        phone("GB", "07700900001"),
        phone("US", "011 44 7700 900001"),
        json!({"type": "m.id.phone", "country": "GB", "number": "07700900001"}),
        json!({"type": "m.id.phone", "country": "GB", "phone": "07700900001", "number": "nonsense"}),
    ];
    for identifier in &identifiers {
        log_in(&node, identifier, PASSWORD).send().await.expect_error(403, "M_FORBIDDEN");
    }
    node.give_email(&alice, "alice@example.org").await;
    let sid = node.validate_msisdn("monkeys", "GB", "07700900001").await;
    node.add(&alice, &sid, "monkeys").send().await.ok();
    for identifier in &identifiers {
        let answer = log_in(&node, identifier, PASSWORD).send().await;
        assert_eq!(answer.ok_string("user_id"), "@alice:localhost", "{identifier}");
        log_in(&node, identifier, "wrong").send().await.expect_error(403, "M_FORBIDDEN");
    }
    let body = json!({"medium": "email", "address": "alice@example.org"});
    node.post("/account/3pid/delete", &body).token(&alice.access_token).send().await.ok();
    log_in(&node, &email("alice@example.org"), PASSWORD).send().await.expect_error(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn everything_wrong_is_one_answer() {
    let node = TestNode::start_without_limits().await;
    node.register("alice").await;
    let wrong_password = log_in(&node, &user("alice"), "wrong").send().await;
    wrong_password.expect_error(403, "M_FORBIDDEN");
    for identifier in [
        user("nobody"),
        user("a b"),
        user("@alice:example.org"),
        email("nobody@example.org"),
        email("nonsense"),
        phone("GB", "07700900009"),
        phone("GB", "nonsense"),
        phone("gb", "07700900009"),
        json!({"type": "m.id.thirdparty", "medium": "msisdn", "address": "nonsense"}),
    ] {
        let answer = log_in(&node, &identifier, PASSWORD).send().await;
        assert_eq!((answer.status, &answer.text), (403, &wrong_password.text), "{identifier}");
    }
}

#[tokio::test]
async fn a_password_is_compared_as_it_is() {
    let node = TestNode::start_without_limits().await;
    let odd = " pässword\u{301}\t🔑 ";
    let body = json!({"username": "alice", "password": odd, "auth": {"type": "m.login.dummy"}});
    node.post("/register", &body).send().await.ok();
    log_in(&node, &user("alice"), odd).send().await.ok();
    for other in [odd.trim(), &odd.to_uppercase(), "", &format!("{odd}x")] {
        log_in(&node, &user("alice"), other).send().await.expect_error(403, "M_FORBIDDEN");
    }
}

#[tokio::test]
async fn logging_in_on_a_device_again_makes_its_older_token_worthless() {
    let node = TestNode::start_without_limits().await;
    let alice = node.register("alice").await;
    let on = |device: &str| {
        let mut body = json!({"type": "m.login.password", "identifier": user("alice"), "password": PASSWORD});
        body["device_id"] = json!(device);
        node.post(LOGIN, &body)
    };
    let first = on("PHONE").send().await.ok_string("access_token");
    let other = on("LAPTOP").send().await.ok_string("access_token");
    let second = on("PHONE").send().await;
    assert_eq!(second.ok_string("device_id"), "PHONE");
    node.get(WHOAMI).token(&first).send().await.expect_error(401, "M_UNKNOWN_TOKEN");
    for token in [&second.ok_string("access_token"), &other, &alice.access_token] {
        node.get(WHOAMI).token(token).send().await.ok();
    }
}

#[tokio::test]
async fn a_device_of_the_same_id_of_another_user_goes_on() {
    let node = TestNode::start_without_limits().await;
    node.register("alice").await;
    node.register("bob").await;
    let mut tokens = Vec::new();
    for name in ["alice", "bob"] {
        let mut body = json!({"type": "m.login.password", "identifier": user(name), "password": PASSWORD});
        body["device_id"] = json!("PHONE");
        tokens.push(node.post(LOGIN, &body).send().await.ok_string("access_token"));
    }
    for (token, name) in tokens.iter().zip(["@alice:localhost", "@bob:localhost"]) {
        assert_eq!(node.get(WHOAMI).token(token).send().await.ok_string("user_id"), name);
    }
}

#[tokio::test]
async fn wrong_passwords_close_an_account_for_a_while_and_no_other() {
    let node = TestNode::start_with(|config| {
        config.limits.login_failures_per_account_and_network_per_hour = NonZeroU32::new(3).unwrap();
    })
    .await;
    let alice = node.register("alice").await;
    node.register("bob").await;
    for _ in 0..3 {
        log_in(&node, &user("alice"), "wrong").send().await.expect_error(403, "M_FORBIDDEN");
    }
    for password in ["wrong", PASSWORD] {
        let limited = log_in(&node, &user("alice"), password).send().await;
        limited.expect_error(429, "M_LIMIT_EXCEEDED");
        assert_eq!(limited.header("retry-after"), Some("1200"));
        assert_eq!(limited.json()["retry_after_ms"], json!(1_200_000));
    }
    // Who is logged in stays so, and other accounts go on.
    node.get(WHOAMI).token(&alice.access_token).send().await.ok();
    log_in(&node, &user("bob"), PASSWORD).send().await.ok();
    node.let_pass(Duration::from_secs(1200)).await;
    log_in(&node, &user("alice"), PASSWORD).send().await.ok();
}

#[tokio::test]
async fn a_network_logs_in_only_so_often() {
    let node = TestNode::start_with(|config| {
        config.limits.logins_per_network_per_minute = NonZeroU32::new(2).unwrap();
    })
    .await;
    node.register("alice").await;
    let from = |address| log_in(&node, &user("alice"), PASSWORD).from(address);
    from("198.51.100.7").send().await.ok();
    from("198.51.100.7").send().await.ok();
    from("198.51.100.7").send().await.expect_error(429, "M_LIMIT_EXCEEDED");
    from("198.51.100.8").send().await.ok();
    node.let_pass(Duration::from_secs(30)).await;
    from("198.51.100.7").send().await.ok();
}
