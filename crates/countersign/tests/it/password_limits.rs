//! How often a password may be guessed, however the account is named and wherever the guess is made.

use std::{num::NonZeroU32, time::Duration};

use countersign_api::client::{login::LOGIN, threepid::ADD};
use serde_json::{Value, json};

use crate::{
    steps::{password_auth, send_all},
    support::{PASSWORD, TestNode},
    wire::{Answer, Call},
};

/// A node that lets three passwords be wrong from one network, six from all.
async fn start() -> TestNode {
    TestNode::start_with(|config| {
        config.limits.logins_per_network_per_minute = NonZeroU32::new(1000).expect("not 0");
        config.limits.login_failures_per_account_and_network_per_hour = NonZeroU32::new(3).expect("not 0");
        config.limits.login_failures_per_account_per_hour = NonZeroU32::new(6).expect("not 0");
    })
    .await
}

fn user(name: &str) -> Value {
    json!({"type": "m.id.user", "user": name})
}

fn email(address: &str) -> Value {
    json!({"type": "m.id.thirdparty", "medium": "email", "address": address})
}

fn log_in(node: &TestNode, identifier: &Value, password: &str) -> Call {
    node.post(LOGIN, &json!({"type": "m.login.password", "identifier": identifier, "password": password}))
}

fn statuses(answers: &[Answer]) -> Vec<u16> {
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    statuses
}

#[tokio::test]
async fn limits_do_not_tell_whether_an_account_is_there() {
    let node = start().await;
    let alice = node.register("alice").await;
    node.give_email(&alice, "alice@example.org").await;
    let phone = json!({"type": "m.id.phone", "country": "GB", "phone": "07700900009"});
    let mut stories = Vec::new();
    for identifier in [
        user("alice"),
        user("nobody"),
        user("@alice:example.org"),
        email("alice@example.org"),
        email("nobody@example.org"),
        phone,
    ] {
        let mut story = Vec::new();
        for _ in 0..5 {
            let answer = log_in(&node, &identifier, "wrong").send().await;
            story.push((answer.status, answer.header("retry-after").map(str::to_owned)));
        }
        stories.push(story);
    }
    assert_eq!(stories[0].iter().map(|(status, _)| *status).collect::<Vec<_>>(), [403, 403, 403, 429, 429]);
    for story in &stories {
        assert_eq!(*story, stories[0]);
    }
}

#[tokio::test]
async fn guesses_by_name_do_not_tell_which_address_the_account_has() {
    let node = start().await;
    let alice = node.register("alice").await;
    node.give_email(&alice, "alice@example.org").await;
    for _ in 0..4 {
        log_in(&node, &user("alice"), "wrong").send().await;
    }
    for address in ["alice@example.org", "nobody@example.org"] {
        log_in(&node, &email(address), "wrong").send().await.expect_error(403, "M_FORBIDDEN");
    }
}

#[tokio::test]
async fn guesses_at_once_get_no_more_than_their_share() {
    let node = start().await;
    let alice = node.register("alice").await;
    let calls = (0..40).map(|count| log_in(&node, &user("alice"), &format!("wrong{count}"))).collect();
    let answers = send_all(calls).await;
    assert_eq!(statuses(&answers).iter().filter(|status| **status == 403).count(), 3);
    assert_eq!(statuses(&answers).iter().filter(|status| **status == 429).count(), 37);
    // The right one is not compared any more either.
    log_in(&node, &user("alice"), PASSWORD).send().await.expect_error(429, "M_LIMIT_EXCEEDED");
    let body = json!({"sid": "x", "client_secret": "x", "auth": password_auth(&alice, PASSWORD)});
    node.post(ADD, &body).token(&alice.access_token).send().await.expect_error(429, "M_LIMIT_EXCEEDED");
}

#[tokio::test]
async fn right_passwords_cost_nothing() {
    let node = start().await;
    node.register("alice").await;
    for _ in 0..10 {
        log_in(&node, &user("alice"), PASSWORD).send().await.ok();
    }
    for _ in 0..2 {
        log_in(&node, &user("alice"), "wrong").send().await.expect_error(403, "M_FORBIDDEN");
    }
    for _ in 0..5 {
        log_in(&node, &user("alice"), PASSWORD).send().await.ok();
    }
    log_in(&node, &user("alice"), "wrong").send().await.expect_error(403, "M_FORBIDDEN");
    log_in(&node, &user("alice"), "wrong").send().await.expect_error(429, "M_LIMIT_EXCEEDED");
}

#[tokio::test]
async fn wrong_passwords_from_elsewhere_do_not_lock_the_owner_out_until_there_are_many() {
    let node = start().await;
    node.register("alice").await;
    let from = |address: &str, password: &str| log_in(&node, &user("alice"), password).from(address);
    for _ in 0..3 {
        from("198.51.100.7", "wrong").send().await.expect_error(403, "M_FORBIDDEN");
    }
    from("198.51.100.7", PASSWORD).send().await.expect_error(429, "M_LIMIT_EXCEEDED");
    from("198.51.100.8", PASSWORD).send().await.ok();
    for _ in 0..3 {
        from("198.51.100.8", "wrong").send().await.expect_error(403, "M_FORBIDDEN");
    }
    let limited = from("198.51.100.9", PASSWORD).send().await;
    limited.expect_error(429, "M_LIMIT_EXCEEDED");
    assert_eq!(limited.header("retry-after"), Some("600"));
    node.let_pass(Duration::from_secs(600)).await;
    from("198.51.100.9", PASSWORD).send().await.ok();
}

#[tokio::test]
async fn a_password_stage_never_looks_at_a_strangers_password() {
    let node = start().await;
    let (alice, bob) = (node.register("alice").await, node.register("bob").await);
    let mut stories = Vec::new();
    for password in [PASSWORD, "wrong"] {
        let body = json!({"sid": "x", "client_secret": "x", "auth": password_auth(&bob, password)});
        let answer = node.post(ADD, &body).token(&alice.access_token).send().await;
        let mut body = answer.json();
        body["session"] = json!(null);
        stories.push((answer.status, body));
    }
    assert_eq!(stories[0], stories[1]);
    let body = json!({"sid": "x", "client_secret": "x", "auth": password_auth(&bob, "wrong")});
    let guess = || node.post(ADD, &body).token(&alice.access_token);
    guess().send().await.expect_error(401, "M_FORBIDDEN");
    guess().send().await.expect_error(429, "M_LIMIT_EXCEEDED");
    // The caller paid, the stranger did not.
    for _ in 0..3 {
        log_in(&node, &user("bob"), "wrong").send().await.expect_error(403, "M_FORBIDDEN");
    }
}
