//! Who forgot the password proves an address of the account.

use std::time::Duration;

use countersign_api::client::{
    login::LOGIN,
    request_token::{PASSWORD_EMAIL, PASSWORD_MSISDN},
    threepid::DELETE,
};
use serde_json::{Value, json};

use super::{NEW, change, log_in, start, works};
use crate::{
    steps::{SECRET, creds_auth, password_auth, send_all},
    support::{PASSWORD, TestNode},
    wire::Call,
};

/// What a client sends again and again until the link was clicked.
fn poll(node: &TestNode, session: &Value, sid: &str) -> Call {
    let auth = creds_auth(session, "m.login.email.identity", sid);
    change(node, &json!({"new_password": NEW, "auth": auth}))
}

#[tokio::test]
async fn a_reset_waits_for_its_link() {
    let (node, alice) = start().await;
    let asked = change(&node, &json!({"new_password": NEW})).send().await;
    let flows = json!([{"stages": ["m.login.email.identity"]}, {"stages": ["m.login.msisdn"]}]);
    assert_eq!(asked.json()["flows"], flows);
    let session = asked.json()["session"].clone();
    let sid = node.ask_by_mail(PASSWORD_EMAIL, "Alice@Example.org").await;
    for _ in 0..3 {
        let waiting = poll(&node, &session, &sid).send().await;
        assert_eq!(waiting.stage_errcode().as_deref(), Some("M_UNAUTHORIZED"));
        assert!(waiting.completed().is_empty());
    }
    log_in(&node, PASSWORD).send().await.ok();
    node.press_newest_link().await;
    node.press_newest_link().await;
    assert_eq!(poll(&node, &session, &sid).send().await.ok(), json!({}));
    log_in(&node, PASSWORD).send().await.expect_error(403, "M_FORBIDDEN");
    log_in(&node, NEW).send().await.ok();
    assert!(!works(&node, &alice.access_token).await, "without a token all devices go");
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn a_reset_by_sms_takes_its_code() {
    let (node, _) = start().await;
    let sid = node.prove_msisdn_to_reset("GB", "07700 900001").await;
    let auth = creds_auth(&json!(null), "m.login.msisdn", &sid);
    change(&node, &json!({"new_password": NEW, "auth": auth})).send().await.ok();
    log_in(&node, NEW).send().await.ok();
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn a_reset_mail_goes_to_the_stored_address_and_has_a_link_only() {
    let (node, _) = start().await;
    let body = json!({"client_secret": SECRET, "email": "ALICE@example.org", "send_attempt": 1});
    let asked = node.post(PASSWORD_EMAIL, &body).send().await;
    assert_eq!(asked.ok_keys(), ["sid"]);
    node.until_outbox_is_empty().await;
    let mail = node.mailer.messages().pop().unwrap();
    assert_eq!(mail.to, "alice@example.org");
    assert!(mail.code.is_none() && mail.link.is_some());
}

#[tokio::test]
async fn devices_stay_if_the_client_says_so() {
    let (node, alice) = start().await;
    let sid = node.prove_email_to_reset("alice@example.org").await;
    let auth = creds_auth(&json!(null), "m.login.email.identity", &sid);
    let body = json!({"new_password": NEW, "logout_devices": false, "auth": auth});
    change(&node, &body).send().await.ok();
    assert!(works(&node, &alice.access_token).await);
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn an_address_that_was_taken_from_the_account_resets_nothing() {
    let (node, alice) = start().await;
    let sid = node.prove_email_to_reset("alice@example.org").await;
    let body = json!({"medium": "email", "address": "alice@example.org"});
    node.post(DELETE, &body).token(&alice.access_token).send().await.ok();
    let refused = poll(&node, &json!(null), &sid).send().await;
    refused.expect_error(400, "M_THREEPID_NOT_FOUND");
    log_in(&node, PASSWORD).send().await.ok();
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn a_proof_is_used_once() {
    let (node, _) = start().await;
    let sid = node.prove_email_to_reset("alice@example.org").await;
    let first = change(&node, &json!({})).send().await.json()["session"].clone();
    let second = change(&node, &json!({})).send().await.json()["session"].clone();
    poll(&node, &first, &sid).send().await.ok();
    // The answer may have been lost, but nobody gets a second password out of one mail.
    poll(&node, &first, &sid).send().await.ok();
    let refused = poll(&node, &second, &sid).send().await;
    assert_eq!(refused.stage_errcode().as_deref(), Some("M_UNAUTHORIZED"));
    let auth = creds_auth(&first, "m.login.email.identity", &sid);
    let other = json!({"new_password": "yet another password", "auth": auth});
    change(&node, &other).send().await.expect_error(403, "M_FORBIDDEN");
    log_in(&node, NEW).send().await.ok();
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn a_proof_that_was_used_between_stage_and_effect_is_refused() {
    let (node, _) = start().await;
    let sid = node.prove_email_to_reset("alice@example.org").await;
    let first = change(&node, &json!({})).send().await.json()["session"].clone();
    let second = change(&node, &json!({})).send().await.json()["session"].clone();
    // Both stages pass; only then a password comes.
    for session in [&first, &second] {
        let auth = creds_auth(session, "m.login.email.identity", &sid);
        change(&node, &json!({ "auth": auth })).send().await.expect_error(400, "M_MISSING_PARAM");
    }
    let finish = |session: &Value, password: &str| {
        change(&node, &json!({"new_password": password, "auth": {"session": session}}))
    };
    finish(&first, NEW).send().await.ok();
    finish(&second, "yet another password").send().await.expect_error(400, "M_THREEPID_AUTH_FAILED");
    log_in(&node, NEW).send().await.ok();
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn no_login_by_the_old_password_outlives_a_reset() {
    let (node, _) = start().await;
    let sid = node.prove_email_to_reset("alice@example.org").await;
    let calls = (0..6).map(|_| log_in(&node, PASSWORD)).chain([poll(&node, &json!(null), &sid)]);
    let mut answers = send_all(calls.collect()).await;
    answers.pop().unwrap().ok();
    for answer in answers {
        match answer.status {
            200 => assert!(!works(&node, &answer.ok_string("access_token")).await, "{answer:?}"),
            _ => answer.expect_error(403, "M_FORBIDDEN"),
        }
    }
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn the_accounts_own_name_is_no_new_password() {
    let node = TestNode::start_without_limits().await;
    let alice = node.register("alice.in.wonderland").await;
    node.give_email(&alice, "alice@example.org").await;
    let sid = node.prove_email_to_reset("alice@example.org").await;
    let auth = creds_auth(&json!(null), "m.login.email.identity", &sid);
    let body = json!({"new_password": "Alice.in.Wonderland", "auth": auth});
    change(&node, &body).send().await.expect_error(400, "M_WEAK_PASSWORD");
    poll(&node, &json!(null), &sid).send().await.ok();
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn the_accounts_own_name_is_no_new_password_in_two_rounds_either() {
    let node = TestNode::start_without_limits().await;
    let alice = node.register("alice.in.wonderland").await;
    node.give_email(&alice, "alice@example.org").await;
    let sid = node.prove_email_to_reset("alice@example.org").await;
    // The first round does not know yet whose password it is, and the later ones leave it out.
    let reset = async |password: &str| {
        let asked = change(&node, &json!({ "new_password": password })).send().await;
        let auth = creds_auth(&asked.json()["session"], "m.login.email.identity", &sid);
        change(&node, &json!({ "auth": auth })).send().await
    };
    for name in ["alice.in.wonderland", "Alice.In.Wonderland", "ALICE.IN.WONDERLAND"] {
        reset(name).await.expect_error(400, "M_WEAK_PASSWORD");
    }
    reset("bob.in.wonderland").await.ok();
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn an_address_that_moved_resets_nothing_of_the_account_that_got_it() {
    let (node, alice) = start().await;
    let bob = node.register("bob").await;
    let by_who_had_it = node.prove_email_to_reset("alice@example.org").await;
    let body = json!({"medium": "email", "address": "alice@example.org"});
    node.post(DELETE, &body).token(&alice.access_token).send().await.ok();
    node.let_pass(Duration::from_secs(60)).await;
    node.give_email(&bob, "alice@example.org").await;

    let refused = poll(&node, &json!(null), &by_who_had_it).send().await;
    refused.expect_error(400, "M_THREEPID_AUTH_FAILED");
    let auth = creds_auth(&json!(null), "m.login.email.identity", &by_who_had_it);
    let with_token = json!({"new_password": NEW, "auth": auth});
    let refused = change(&node, &with_token).token(&bob.access_token).send().await;
    assert_eq!(refused.stage_errcode().as_deref(), Some("M_UNAUTHORIZED"));
    for name in ["alice", "bob"] {
        let body = json!({"type": "m.login.password", "user": name, "password": PASSWORD});
        node.post(LOGIN, &body).send().await.ok();
    }
    // Who has it now resets the own password, and nobody else's.
    let by_bob = json!({"client_secret": "bobs", "email": "alice@example.org", "send_attempt": 1});
    let sid = node.post(PASSWORD_EMAIL, &by_bob).send().await.ok_string("sid");
    node.press_newest_link().await;
    let creds = json!({"sid": sid, "client_secret": "bobs"});
    let auth = json!({"type": "m.login.email.identity", "threepid_creds": creds});
    change(&node, &json!({"new_password": NEW, "auth": auth})).send().await.ok();
    let body = json!({"type": "m.login.password", "user": "bob", "password": NEW});
    node.post(LOGIN, &body).send().await.ok();
    log_in(&node, PASSWORD).send().await.ok();
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn no_change_by_the_old_password_comes_after_a_reset() {
    let (node, alice) = start().await;
    for round in 0..4 {
        let old = if round == 0 { PASSWORD.to_owned() } else { format!("the password of round {round}") };
        let new = format!("the password of round {}", round + 1);
        let token = log_in(&node, &old).send().await.ok_string("access_token");
        node.until_outbox_is_empty().await;
        node.let_pass(Duration::from_secs(1)).await;
        let body = json!({"client_secret": SECRET, "email": "alice@example.org", "send_attempt": round});
        let sid = node.post(PASSWORD_EMAIL, &body).send().await.ok_string("sid");
        node.press_newest_link().await;
        let auth = creds_auth(&json!(null), "m.login.email.identity", &sid);
        let reset = change(&node, &json!({"new_password": new, "auth": auth}));
        // A thief's, at the same moment, without a session that the reset could end.
        let theft = json!({"new_password": "stolen for good", "auth": password_auth(&alice, &old)});
        let thefts = (0..5).map(|_| change(&node, &theft).token(&token));
        let mut answers = send_all(thefts.chain([reset]).collect()).await;
        answers.pop().unwrap().ok();
        log_in(&node, "stolen for good").send().await.expect_error(403, "M_FORBIDDEN");
        log_in(&node, &new).send().await.ok();
    }
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn an_address_on_no_account_gets_no_message() {
    let node = TestNode::start().await;
    let by_mail = json!({"client_secret": "x", "email": "nobody@example.org", "send_attempt": 1});
    let by_sms =
        json!({"client_secret": "x", "country": "GB", "phone_number": "07700900009", "send_attempt": 1});
    node.post(PASSWORD_EMAIL, &by_mail).send().await.expect_error(400, "M_THREEPID_NOT_FOUND");
    node.post(PASSWORD_MSISDN, &by_sms).send().await.expect_error(400, "M_THREEPID_NOT_FOUND");
    assert_eq!(node.messages_queued(), 0);
}

#[tokio::test]
async fn without_a_token_no_password_counts() {
    let (node, alice) = start().await;
    let body = json!({"new_password": NEW, "auth": password_auth(&alice, PASSWORD)});
    let refused = change(&node, &body).send().await;
    assert_eq!(refused.stage_errcode().as_deref(), Some("M_UNRECOGNIZED"));
    log_in(&node, PASSWORD).send().await.ok();
}

#[tokio::test]
async fn a_country_that_was_closed_since_still_resets() {
    let (node, _) = start().await;
    let node = node
        .restart(|config| {
            config.limits.enabled = false;
            config.sms.as_mut().unwrap().countries =
                countersign::config::Countries::Only(vec!["DE".to_owned()]);
        })
        .await;
    let sid = node.prove_msisdn_to_reset("GB", "07700900001").await;
    let auth = creds_auth(&json!(null), "m.login.msisdn", &sid);
    change(&node, &json!({"new_password": NEW, "auth": auth})).send().await.ok();
    node.until_outbox_is_empty().await;
}
