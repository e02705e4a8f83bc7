//! Accounts without a password: an address takes its place, and where there is none, the access token is all there is.

use std::time::Duration;

use countersign_api::client::{
    account::WHOAMI,
    deactivate::DEACTIVATE,
    login::LOGIN,
    password::PASSWORD as CHANGE_PASSWORD,
    request_token::PASSWORD_EMAIL,
    threepid::{ADD, DELETE},
};
use serde_json::{Value, json};

use crate::{
    steps::{SECRET, creds_auth},
    support::{PASSWORD, TestNode, TestUser},
    wire::Call,
};

const EMAIL: &str = "m.login.email.identity";

/// A node that needs no passwords, with Alice, who has nothing but her access token.
async fn start() -> (TestNode, TestUser) {
    let node = TestNode::start_with(|config| {
        config.limits.enabled = false;
        config.registration.password_required = false;
    })
    .await;
    let alice = register(&node, "alice").await;
    (node, alice)
}

async fn register(node: &TestNode, name: &str) -> TestUser {
    let registered = node.register_round(json!({"username": name}), dummy()).send().await;
    let access_token = registered.ok_string("access_token");
    let client = node.client.with_access_token(&access_token);
    TestUser { user_id: registered.ok_string("user_id"), client, access_token }
}

fn dummy() -> Value {
    json!({"type": "m.login.dummy"})
}

fn post(node: &TestNode, user: &TestUser, path: &str, body: &Value) -> Call {
    node.post(path, body).token(&user.access_token)
}

fn log_in(node: &TestNode, password: &str) -> Call {
    node.post(LOGIN, &json!({"type": "m.login.password", "user": "alice", "password": password}))
}

/// The body of a request to add what a session proves.
fn adding(sid: &str, client_secret: &str, auth: &Value) -> Value {
    json!({"sid": sid, "client_secret": client_secret, "auth": auth})
}

/// Proves an address and adds it; nothing else may be asked for than the access token.
async fn give_first_email(node: &TestNode, user: &TestUser, email: &str) {
    let sid = node.validate_email("first", email).await;
    post(node, user, ADD, &adding(&sid, "first", &dummy())).send().await.ok();
}

#[tokio::test]
async fn an_account_that_has_nothing_else_is_changed_by_its_access_token() {
    let (node, alice) = start().await;
    let sid = node.validate_email("monkeys", "alice@example.org").await;
    for (path, body) in [
        (CHANGE_PASSWORD, json!({"new_password": PASSWORD})),
        (ADD, json!({"sid": sid, "client_secret": "monkeys"})),
        (DEACTIVATE, json!({})),
    ] {
        // Never without `auth`.
        let asked = post(&node, &alice, path, &body).send().await;
        assert_eq!(asked.status, 401, "{asked:?}");
        assert_eq!(asked.json()["flows"], json!([{"stages": ["m.login.dummy"]}]), "{path}");
        // Nor without the access token.
        let open = node.post(path, &body).send().await;
        assert!(!open.text.contains("m.login.dummy"), "{path}: {open:?}");
    }
    assert!(node.addresses_of(&alice).await.is_empty());
}

#[tokio::test]
async fn a_first_password_is_set_and_is_asked_for_from_then_on() {
    let (node, alice) = start().await;
    let change = |body: &Value| post(&node, &alice, CHANGE_PASSWORD, body);
    let session = change(&json!({"new_password": PASSWORD})).send().await.json()["session"].clone();
    let body = json!({"auth": {"type": "m.login.dummy", "session": session}});
    // The second time after a lost answer.
    for _ in 0..2 {
        assert_eq!(change(&body).send().await.ok(), json!({}));
    }
    log_in(&node, PASSWORD).send().await.ok();
    let stolen = json!({"new_password": "stolen for good", "auth": dummy()});
    assert_eq!(change(&stolen).send().await.stage_errcode().as_deref(), Some("M_UNRECOGNIZED"));
    let stolen = json!({"new_password": "stolen for good", "auth": {"session": session}});
    change(&stolen).send().await.expect_error(403, "M_FORBIDDEN");
    log_in(&node, PASSWORD).send().await.ok();
}

#[tokio::test]
async fn a_first_address_is_added_and_is_asked_for_from_then_on() {
    let (node, alice) = start().await;
    let first = node.validate_email("first", "alice@example.org").await;
    let asked = post(&node, &alice, ADD, &adding(&first, "first", &json!(null))).send().await;
    let session = asked.json()["session"].clone();
    let body = adding(&first, "first", &json!({"type": "m.login.dummy", "session": session}));
    for _ in 0..2 {
        assert_eq!(post(&node, &alice, ADD, &body).send().await.ok(), json!({}));
    }
    assert_eq!(node.addresses_of(&alice).await, ["email alice@example.org"]);
    let second = node.validate_email("second", "thief@example.org").await;
    let password = json!({"new_password": "stolen for good", "auth": dummy()});
    for (path, body) in [
        (ADD, adding(&second, "second", &dummy())),
        (CHANGE_PASSWORD, password),
        (DEACTIVATE, json!({"auth": dummy()})),
    ] {
        let refused = post(&node, &alice, path, &body).send().await;
        assert_eq!(refused.stage_errcode().as_deref(), Some("M_UNRECOGNIZED"), "{path}");
    }
    assert_eq!(node.addresses_of(&alice).await, ["email alice@example.org"]);
}

#[tokio::test]
async fn what_the_access_token_began_ends_when_there_is_more_to_ask_for() {
    let (node, alice) = start().await;
    // The stage is done; only then there is no password.
    let without = json!({"auth": dummy()});
    let session = post(&node, &alice, CHANGE_PASSWORD, &json!({})).send().await.json()["session"].clone();
    let mut done = without;
    done["auth"]["session"] = session.clone();
    post(&node, &alice, CHANGE_PASSWORD, &done).send().await.expect_error(400, "M_MISSING_PARAM");
    give_first_email(&node, &alice, "alice@example.org").await;
    let stolen = json!({"new_password": "stolen for good", "auth": {"session": session}});
    let refused = post(&node, &alice, CHANGE_PASSWORD, &stolen).send().await;
    assert_eq!(refused.json()["flows"][0], json!({"stages": [EMAIL]}), "{refused:?}");
    log_in(&node, "stolen for good").send().await.expect_error(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn an_account_that_has_nothing_else_can_be_ended() {
    let (node, alice) = start().await;
    let ended = post(&node, &alice, DEACTIVATE, &json!({"auth": dummy()})).send().await;
    assert_eq!(ended.ok(), json!({"id_server_unbind_result": "success"}));
    node.get(WHOAMI).token(&alice.access_token).send().await.expect_error(401, "M_UNKNOWN_TOKEN");
}

#[tokio::test]
async fn a_proof_allows_one_change_and_that_one_again() {
    let (node, alice) = start().await;
    give_first_email(&node, &alice, "alice@example.org").await;
    let proof = node.prove_email_to_reset("alice@example.org").await;
    let auth = creds_auth(&json!(null), EMAIL, &proof);
    let second = node.validate_msisdn("second", "GB", "07700 900123").await;
    let third = node.validate_email("third", "third@example.org").await;
    // Two authentications rest on one proof.
    let other = post(&node, &alice, ADD, &adding(&third, "third", &json!(null))).send().await;
    let other = other.json()["session"].clone();
    let other_stage =
        json!({"client_secret": "third", "sid": "none", "auth": creds_auth(&other, EMAIL, &proof)});
    post(&node, &alice, ADD, &other_stage).send().await.expect_error(403, "M_FORBIDDEN");
    let deactivation = post(&node, &alice, DEACTIVATE, &json!({})).send().await.json()["session"].clone();
    for _ in 0..2 {
        let added = post(&node, &alice, ADD, &adding(&second, "second", &auth)).send().await;
        assert_eq!(added.ok(), json!({}));
    }
    assert_eq!(node.addresses_of(&alice).await.len(), 2);
    for (path, body) in [
        (ADD, adding(&third, "third", &creds_auth(&other, EMAIL, &proof))),
        (DEACTIVATE, json!({"auth": creds_auth(&deactivation, EMAIL, &proof)})),
        (CHANGE_PASSWORD, json!({"new_password": "stolen for good", "auth": auth})),
    ] {
        let refused = post(&node, &alice, path, &body).send().await;
        assert_eq!(refused.stage_errcode().as_deref(), Some("M_UNAUTHORIZED"), "{path}");
    }
    let reset = json!({"new_password": "stolen for good", "auth": auth});
    let refused = node.post(CHANGE_PASSWORD, &reset).send().await;
    assert_eq!(refused.stage_errcode().as_deref(), Some("M_UNAUTHORIZED"));
    assert_eq!(node.addresses_of(&alice).await.len(), 2);
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn a_proof_that_was_used_after_its_stage_ends_no_account() {
    let (node, alice) = start().await;
    give_first_email(&node, &alice, "alice@example.org").await;
    let proof = node.prove_email_to_reset("alice@example.org").await;
    let second = node.validate_email("second", "second@example.org").await;
    // The stage of an authentication is done, and what it is for lacks something.
    let session = post(&node, &alice, CHANGE_PASSWORD, &json!({})).send().await.json()["session"].clone();
    let stage = json!({"auth": creds_auth(&session, EMAIL, &proof)});
    post(&node, &alice, CHANGE_PASSWORD, &stage).send().await.expect_error(400, "M_MISSING_PARAM");
    let added = adding(&second, "second", &creds_auth(&json!(null), EMAIL, &proof));
    post(&node, &alice, ADD, &added).send().await.ok();
    let late = json!({"new_password": "stolen for good", "auth": {"session": session}});
    let refused = post(&node, &alice, CHANGE_PASSWORD, &late).send().await;
    refused.expect_error(400, "M_THREEPID_AUTH_FAILED");
    log_in(&node, "stolen for good").send().await.expect_error(403, "M_FORBIDDEN");
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn an_account_is_ended_by_a_proof_of_its_address() {
    let (node, alice) = start().await;
    give_first_email(&node, &alice, "alice@example.org").await;
    let proof = node.prove_email_to_reset("alice@example.org").await;
    let body = json!({"auth": creds_auth(&json!(null), EMAIL, &proof)});
    let ended = post(&node, &alice, DEACTIVATE, &body).send().await;
    assert_eq!(ended.ok(), json!({"id_server_unbind_result": "no-support"}));
    assert_eq!(node.look_up_count("select count(*) from accounts where deactivated_at is not null"), 1);
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn a_proof_by_who_had_the_address_before_changes_nothing() {
    let (node, alice) = start().await;
    let bob = node.register("bob").await;
    node.give_email(&bob, "shared@example.org").await;
    let body = json!({"client_secret": SECRET, "email": "shared@example.org", "send_attempt": 1});
    let by_bob = node.post(PASSWORD_EMAIL, &body).send().await.ok_string("sid");
    node.press_newest_link().await;
    let shared = json!({"medium": "email", "address": "shared@example.org"});
    node.post(DELETE, &shared).token(&bob.access_token).send().await.ok();
    node.let_pass(Duration::from_secs(60)).await;
    give_first_email(&node, &alice, "shared@example.org").await;
    // Whoever holds the old proof and stole an access token of the account still can't do anything with both.
    let second = node.validate_email("second", "thief@example.org").await;
    let auth = creds_auth(&json!(null), EMAIL, &by_bob);
    for (path, body) in [
        (ADD, adding(&second, "second", &auth)),
        (CHANGE_PASSWORD, json!({"new_password": "stolen for good", "auth": auth})),
        (DEACTIVATE, json!({ "auth": auth })),
    ] {
        let refused = post(&node, &alice, path, &body).send().await;
        assert_eq!(refused.stage_errcode().as_deref(), Some("M_UNAUTHORIZED"), "{path}");
    }
    assert_eq!(node.addresses_of(&alice).await, ["email shared@example.org"]);
    node.until_outbox_is_empty().await;
}
