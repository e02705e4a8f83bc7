//! The stages of an authentication: their order, what proves what, and rounds that are sent again.

use axum::http::Method;
use countersign::config::Stage;
use countersign_api::client::{password::PASSWORD as CHANGE, register::REGISTER, threepid::ADD};
use countersign_core::UIA_SESSION_LIFETIME;
use serde_json::{Value, json};

use crate::{
    steps::{SECRET, creds_auth, password_auth, send_all},
    support::{PASSWORD, TestNode},
};

const EMAIL: &str = "m.login.email.identity";
const MSISDN: &str = "m.login.msisdn";
const DUMMY: &str = "m.login.dummy";

async fn node_with(flows: &[&[Stage]]) -> TestNode {
    TestNode::start_with(|config| {
        config.registration.flows = flows.iter().map(|flow| flow.to_vec()).collect();
    })
    .await
}

fn body() -> Value {
    json!({"username": "alice", "password": PASSWORD})
}

fn dummy(session: &Value) -> Value {
    json!({"type": DUMMY, "session": session})
}

#[tokio::test]
async fn the_order_of_a_flow_is_enforced_and_told() {
    let node = node_with(&[&[Stage::EmailIdentity, Stage::Msisdn, Stage::Dummy]]).await;
    let session = node.begin_registration(body()).await;
    let email = node.prove_email_to_register("alice@example.org").await;
    let msisdn = node.prove_msisdn_to_register("GB", "07700 900123").await;
    for auth in [creds_auth(&session, MSISDN, &msisdn), dummy(&session)] {
        let early = node.register_round(body(), auth).send().await;
        assert_eq!(early.stage_errcode().as_deref(), Some("M_FORBIDDEN"));
        assert!(early.completed().is_empty());
    }
    let first = node.register_round(body(), creds_auth(&session, EMAIL, &email)).send().await;
    assert_eq!((first.stage_errcode(), first.completed()), (None, vec![EMAIL.to_owned()]));
    let early = node.register_round(body(), dummy(&session)).send().await;
    assert_eq!(early.stage_errcode().as_deref(), Some("M_FORBIDDEN"));
    assert_eq!(early.completed(), [EMAIL], "a failure keeps what is done");
    let second = node.register_round(body(), creds_auth(&session, MSISDN, &msisdn)).send().await;
    assert_eq!(second.completed(), [EMAIL, MSISDN]);
    node.register_round(body(), dummy(&session)).send().await.ok();
}

#[tokio::test]
async fn a_completed_stage_is_not_checked_again() {
    let node = node_with(&[&[Stage::EmailIdentity, Stage::Dummy]]).await;
    let session = node.begin_registration(body()).await;
    let sid = node.prove_email_to_register("alice@example.org").await;
    let proof = creds_auth(&session, EMAIL, &sid);
    node.register_round(body(), proof.clone()).send().await.completed();
    // The same again, with what proves nothing, and with nothing but the session.
    let nonsense = creds_auth(&session, EMAIL, "nonsense");
    for auth in [proof, nonsense, json!({"type": EMAIL, "session": session}), json!({"session": session})] {
        let again = node.register_round(body(), auth).send().await;
        assert_eq!((again.stage_errcode(), again.completed()), (None, vec![EMAIL.to_owned()]));
    }
    node.register_round(body(), dummy(&session)).send().await.ok();
}

#[tokio::test]
async fn a_proof_that_expires_after_its_stage_makes_no_account() {
    let node = node_with(&[&[Stage::EmailIdentity, Stage::Dummy]]).await;
    let sid = node.prove_email_to_register("alice@example.org").await;
    node.let_pass(std::time::Duration::from_secs(23 * 60 * 60)).await;
    let session = node.begin_registration(body()).await;
    node.register_round(body(), creds_auth(&session, EMAIL, &sid)).send().await.completed();
    node.let_pass(std::time::Duration::from_secs(2 * 60 * 60)).await;
    let refused = node.register_round(body(), dummy(&session)).send().await;
    refused.expect_error(400, "M_THREEPID_AUTH_FAILED");
    assert_eq!(node.count("accounts"), 0);
}

#[tokio::test]
async fn a_stage_waits_until_the_link_is_pressed() {
    let node = node_with(&[&[Stage::EmailIdentity]]).await;
    let session = node.begin_registration(body()).await;
    let sid = node.ask_by_mail("/register/email/requestToken", "alice@example.org").await;
    let auth = creds_auth(&session, EMAIL, &sid);
    for _ in 0..3 {
        let waiting = node.register_round(body(), auth.clone()).send().await;
        assert_eq!(waiting.stage_errcode().as_deref(), Some("M_UNAUTHORIZED"));
        assert!(waiting.completed().is_empty());
    }
    node.press_newest_link().await;
    node.register_round(body(), auth).send().await.ok();
}

#[tokio::test]
async fn asking_again_and_again_without_a_session_keeps_one() {
    let node = TestNode::start_with(|config| {
        config.registration.flows = vec![vec![Stage::EmailIdentity]];
        config.limits.uia_sessions_per_network_per_hour = std::num::NonZeroU32::MIN;
        config.limits.name_checks_per_network_per_minute = std::num::NonZeroU32::MIN;
    })
    .await;
    let sid = node.ask_by_mail("/register/email/requestToken", "alice@example.org").await;
    let auth = json!({"type": EMAIL, "threepid_creds": {"sid": sid, "client_secret": SECRET}});
    let mut sessions = Vec::new();
    for _ in 0..5 {
        let waiting = node.register_round(body(), auth.clone()).send().await;
        assert_eq!(waiting.stage_errcode().as_deref(), Some("M_UNAUTHORIZED"));
        sessions.push(waiting.json()["session"].clone());
    }
    sessions.dedup();
    assert_eq!((sessions.len(), node.count("uia_sessions")), (1, 1));
    node.press_newest_link().await;
    let registered = node.register_round(body(), auth.clone()).send().await;
    // Again, after a lost answer.
    let again = node.register_round(body(), auth).send().await;
    assert_eq!(again.ok_string("user_id"), registered.ok_string("user_id"));
    assert_eq!((node.count("uia_sessions"), node.count("accounts")), (1, 1));
}

#[tokio::test]
async fn a_proof_without_a_session_is_processed_at_once_and_has_one_effect() {
    let node = node_with(&[&[Stage::EmailIdentity]]).await;
    let sid = node.prove_email_to_register("alice@example.org").await;
    let auth = json!({"type": EMAIL, "threepid_creds": {"sid": sid, "client_secret": SECRET}});
    let registered = node.register_round(body(), auth.clone()).send().await;
    // Again, after a lost answer.
    let again = node.register_round(body(), auth).send().await;
    assert_eq!(again.ok_string("user_id"), registered.ok_string("user_id"));
    assert_eq!((node.count("accounts"), node.count("account_threepids")), (1, 1));
}

#[tokio::test]
async fn first_rounds_at_once_with_one_proof_share_a_session() {
    let node = node_with(&[&[Stage::EmailIdentity, Stage::Dummy]]).await;
    let sid = node.prove_email_to_register("alice@example.org").await;
    let auth = json!({"type": EMAIL, "threepid_creds": {"sid": sid, "client_secret": SECRET}});
    let rounds = (0..6).map(|_| node.register_round(body(), auth.clone()));
    for answer in send_all(rounds.collect()).await {
        assert_eq!(answer.completed(), [EMAIL], "{answer:?}");
    }
    assert_eq!(node.count("uia_sessions"), 1);
}

#[tokio::test]
async fn a_proof_of_another_medium_or_purpose_proves_nothing() {
    let node = TestNode::start_with(|config| {
        config.registration.flows = vec![vec![Stage::EmailIdentity], vec![Stage::Msisdn], vec![Stage::Dummy]];
    })
    .await;
    let alice = node.register("alice").await;
    node.give_email(&alice, "alice@example.org").await;
    let body = json!({"username": "bob", "password": PASSWORD});
    let session = node.begin_registration(body.clone()).await;
    let to_register = node.prove_msisdn_to_register("GB", "07700 900123").await;
    let to_reset = node.prove_email_to_reset("alice@example.org").await;
    let to_add = node.validate_email(SECRET, "bob@example.org").await;
    for (stage, sid) in [
        (EMAIL, to_register.as_str()),
        (MSISDN, &to_reset),
        (EMAIL, &to_reset),
        (EMAIL, &to_add),
        (EMAIL, ""),
    ] {
        let refused = node.register_round(body.clone(), creds_auth(&session, stage, sid)).send().await;
        assert_eq!(refused.stage_errcode().as_deref(), Some("M_UNAUTHORIZED"), "{stage}");
    }
    let mut wrong = creds_auth(&session, MSISDN, &to_register);
    wrong["threepid_creds"]["client_secret"] = json!("another_secret");
    let refused = node.register_round(body.clone(), wrong).send().await;
    assert_eq!(refused.stage_errcode().as_deref(), Some("M_UNAUTHORIZED"));
    // Neither does a proof to register reset a password.
    let email = node.prove_email_to_register("carol@example.org").await;
    let reset = json!({
        "new_password": "another password",
        "auth": {"type": EMAIL, "threepid_creds": {"sid": email, "client_secret": SECRET}},
    });
    let refused = node.post(CHANGE, &reset).send().await;
    assert_eq!(refused.stage_errcode().as_deref(), Some("M_UNAUTHORIZED"));
    node.register_round(body, creds_auth(&session, MSISDN, &to_register)).send().await.ok();
}

#[tokio::test]
async fn someone_elses_address_proves_nothing() {
    let node = TestNode::start().await;
    let (alice, bob) = (node.register("alice").await, node.register("bob").await);
    node.give_email(&bob, "bob@example.org").await;
    let sid = node.prove_email_to_reset("bob@example.org").await;
    let change = |user: &crate::support::TestUser| {
        let auth = json!({"type": EMAIL, "threepid_creds": {"sid": sid, "client_secret": SECRET}});
        let body = json!({"new_password": "another password", "auth": auth});
        node.post(CHANGE, &body).token(&user.access_token)
    };
    let refused = change(&alice).send().await;
    assert_eq!(refused.stage_errcode().as_deref(), Some("M_UNAUTHORIZED"));
    change(&bob).send().await.ok();
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn an_unknown_session_is_no_new_one() {
    let node = TestNode::start().await;
    for session in ["nonsense", ""] {
        for auth in [json!({"session": session}), json!({"type": DUMMY, "session": session})] {
            let refused = node.register_round(body(), auth).send().await;
            refused.expect_error(400, "M_INVALID_PARAM");
            assert_eq!(refused.json().get("flows"), None);
        }
    }
    let session = node.begin_registration(body()).await;
    node.let_pass(UIA_SESSION_LIFETIME + std::time::Duration::from_millis(1)).await;
    let late = node.register_round(body(), dummy(&session)).send().await;
    late.expect_error(400, "M_INVALID_PARAM");
}

#[tokio::test]
async fn a_session_counts_under_every_prefix_and_for_one_operation() {
    let node = TestNode::start().await;
    let path = |prefix: &str| format!("{prefix}{REGISTER}");
    let asked = node.post_to(&path("/_api/client/r0"), &body()).send().await;
    let session = asked.json()["session"].clone();
    let mut last = body();
    last["auth"] = dummy(&session);
    let alice = node.post_to(&path("/_matrix/client/v3"), &last).send().await;
    let token = alice.ok_string("access_token");
    // A session to register is none to add, and one of Alice's is none of Bob's.
    let session = node.begin_registration(json!({})).await;
    let add = |session: &Value, token: &str| {
        let body = json!({"sid": "x", "client_secret": "x", "auth": {"session": session}});
        node.post(ADD, &body).token(token)
    };
    add(&session, &token).send().await.expect_error(403, "M_FORBIDDEN");
    let bob = node.register("bob").await;
    let of_alice = node.post(ADD, &json!({"sid": "x", "client_secret": "x"})).token(&token).send().await;
    let of_alice = of_alice.json()["session"].clone();
    add(&of_alice, &bob.access_token).send().await.expect_error(403, "M_FORBIDDEN");
    assert_eq!(add(&of_alice, &token).send().await.status, 401);
}

#[tokio::test]
async fn a_later_round_to_add_may_send_auth_alone() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let sid = node.validate_email("monkeys", "alice@example.org").await;
    let add = |body: &Value| node.post(ADD, body).token(&alice.access_token);
    let asked = add(&json!({"sid": sid, "client_secret": "monkeys"})).send().await;
    let mut auth = password_auth(&alice, PASSWORD);
    auth["session"] = asked.json()["session"].clone();
    add(&json!({"auth": auth})).send().await.ok();
    assert_eq!(node.addresses_of(&alice).await, ["email alice@example.org"]);
    add(&json!({"auth": {"session": auth["session"]}})).send().await.ok();
}

#[tokio::test]
async fn what_a_stage_lacks_is_told_inside_the_authentication() {
    let node = node_with(&[&[Stage::EmailIdentity], &[Stage::Msisdn], &[Stage::RegistrationToken]]).await;
    for stage in [EMAIL, MSISDN, "m.login.registration_token"] {
        let refused = node.register_round(body(), json!({"type": stage})).send().await;
        assert_eq!(refused.stage_errcode().as_deref(), Some("M_MISSING_PARAM"), "{stage}");
    }
    for creds in [json!({"sid": "x"}), json!({"client_secret": "x"})] {
        let refused =
            node.register_round(body(), json!({"type": EMAIL, "threepid_creds": creds})).send().await;
        refused.expect_error(400, "M_MISSING_PARAM");
    }
    let creds = json!({"sid": "x", "client_secret": "not a secret\n"});
    let refused = node.register_round(body(), json!({"type": EMAIL, "threepid_creds": creds})).send().await;
    refused.expect_error(400, "M_INVALID_PARAM");
    // The camel case of old specifications is none of ours.
    let creds = json!({"sid": "x", "clientSecret": "x"});
    let old = json!({"type": EMAIL, "threepidCreds": creds});
    let refused = node.register_round(body(), old).send().await;
    assert_eq!(refused.stage_errcode().as_deref(), Some("M_MISSING_PARAM"));
}

#[tokio::test]
async fn an_account_without_a_password_proves_an_address_in_its_place() {
    let node = TestNode::start_with(|config| {
        config.registration.flows = vec![vec![Stage::EmailIdentity]];
        config.registration.password_required = false;
    })
    .await;
    let sid = node.prove_email_to_register("alice@example.org").await;
    let body = json!({"username": "alice"});
    let auth = json!({"type": EMAIL, "threepid_creds": {"sid": sid, "client_secret": SECRET}});
    let token = node.register_round(body, auth).send().await.ok_string("access_token");
    let new = node.validate_msisdn("monkeys", "GB", "07700 900123").await;
    let add = |auth: Value| {
        let body = json!({"sid": new, "client_secret": "monkeys", "auth": auth});
        node.post(ADD, &body).token(&token)
    };
    let asked = add(Value::Null).send().await.json();
    assert_eq!(asked["flows"], json!([{"stages": [EMAIL]}, {"stages": [MSISDN]}]));
    let proof = node.prove_email_to_reset("alice@example.org").await;
    add(creds_auth(&asked["session"], EMAIL, &proof)).send().await.ok();
    let listed = node.call(Method::GET, "/_matrix/client/v3/account/3pid").token(&token).send().await.ok();
    assert_eq!(listed["threepids"].as_array().map(Vec::len), Some(2));
}
