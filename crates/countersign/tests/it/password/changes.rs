//! Who is logged in changes the password.

use countersign_api::client::{
    capabilities::CAPABILITIES,
    refresh::REFRESH,
    request_token::{PASSWORD_EMAIL, PASSWORD_MSISDN},
};
use serde_json::json;

use super::{NEW, change, give_alice_addresses, log_in, start, works};
use crate::{
    steps::{creds_auth, password_auth, send_all},
    support::{PASSWORD, TestNode},
};

#[tokio::test]
async fn the_old_password_lets_set_another() {
    let (node, alice) = start().await;
    let body = json!({"new_password": NEW, "auth": password_auth(&alice, PASSWORD)});
    assert_eq!(change(&node, &body).token(&alice.access_token).send().await.ok(), json!({}));
    log_in(&node, PASSWORD).send().await.expect_error(403, "M_FORBIDDEN");
    log_in(&node, NEW).send().await.ok();
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn a_wrong_password_or_another_users_changes_nothing() {
    let (node, alice) = start().await;
    let bob = node.register("bob").await;
    for auth in [password_auth(&alice, "wrong"), password_auth(&bob, PASSWORD)] {
        let body = json!({"new_password": NEW, "auth": auth});
        let refused = change(&node, &body).token(&alice.access_token).send().await;
        assert_eq!(refused.stage_errcode().as_deref(), Some("M_FORBIDDEN"));
    }
    log_in(&node, PASSWORD).send().await.ok();
    log_in(&node, NEW).send().await.expect_error(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn an_address_of_the_account_lets_set_another() {
    let (node, alice) = start().await;
    let by_mail = node.prove_email_to_reset("alice@example.org").await;
    let by_sms = node.prove_msisdn_to_reset("GB", "07700900001").await;
    for (stage, sid, password) in [
        ("m.login.email.identity", by_mail, "the first new one"),
        ("m.login.msisdn", by_sms, "the second new one"),
    ] {
        let asked = change(&node, &json!({"new_password": password})).token(&alice.access_token).send().await;
        let flows = json!([
            {"stages": ["m.login.password"]},
            {"stages": ["m.login.email.identity"]},
            {"stages": ["m.login.msisdn"]},
        ]);
        assert_eq!(asked.json()["flows"], flows);
        let auth = creds_auth(&asked.json()["session"], stage, &sid);
        let body = json!({"new_password": password, "auth": auth});
        change(&node, &body).token(&alice.access_token).send().await.ok();
        log_in(&node, password).send().await.ok();
        assert!(works(&node, &alice.access_token).await);
    }
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn the_callers_device_stays_and_the_others_go() {
    let (node, alice) = start().await;
    let body =
        json!({"type": "m.login.password", "user": "alice", "password": PASSWORD, "refresh_token": true});
    let log_in = async || node.post("/login", &body).send().await.ok();
    let (caller, other) = (log_in().await, log_in().await);
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let change_body = json!({"new_password": NEW, "auth": password_auth(&alice, PASSWORD)});
    change(&node, &change_body).token(&text(&caller["access_token"])).send().await.ok();
    assert!(works(&node, &text(&caller["access_token"])).await);
    for gone in [alice.access_token.clone(), text(&other["access_token"])] {
        assert!(!works(&node, &gone).await);
    }
    assert_eq!((node.count("devices"), node.count("refresh_tokens")), (1, 1));
    let refresh = |token: &serde_json::Value| node.post(REFRESH, &json!({ "refresh_token": token }));
    refresh(&other["refresh_token"]).send().await.expect_error(401, "M_UNKNOWN_TOKEN");
    refresh(&caller["refresh_token"]).send().await.ok();
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn no_device_goes_if_the_caller_says_so() {
    let (node, alice) = start().await;
    let other = log_in(&node, PASSWORD).send().await.ok_string("access_token");
    let auth = password_auth(&alice, PASSWORD);
    let body = json!({"new_password": NEW, "logout_devices": false, "auth": auth});
    change(&node, &body).token(&alice.access_token).send().await.ok();
    assert!(works(&node, &alice.access_token).await && works(&node, &other).await);
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn a_later_round_may_leave_everything_out_but_auth() {
    let (node, alice) = start().await;
    let other = log_in(&node, PASSWORD).send().await.ok_string("access_token");
    let body = json!({"new_password": NEW, "logout_devices": false});
    let asked = change(&node, &body).token(&alice.access_token).send().await;
    let mut auth = password_auth(&alice, PASSWORD);
    auth["session"] = asked.json()["session"].clone();
    change(&node, &json!({ "auth": auth })).token(&alice.access_token).send().await.ok();
    log_in(&node, NEW).send().await.ok();
    assert!(works(&node, &other).await);
    let bytes = node.database_bytes();
    assert!(
        !bytes.windows(NEW.len()).any(|window| window == NEW.as_bytes()),
        "the password is in the database"
    );
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn a_password_is_taken_as_it_is() {
    let (node, alice) = start().await;
    let odd = "  Ünïcode\u{301}\tand blanks  ";
    let body = json!({"new_password": odd, "auth": password_auth(&alice, PASSWORD)});
    change(&node, &body).token(&alice.access_token).send().await.ok();
    for not_it in [odd.trim(), &odd.to_lowercase(), "  Ünïcodé\tand blanks  "] {
        log_in(&node, not_it).send().await.expect_error(403, "M_FORBIDDEN");
    }
    log_in(&node, odd).send().await.ok();
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn a_weak_password_is_told_before_any_authentication() {
    let node = TestNode::start_with(|config| {
        config.limits.enabled = false;
        config.passwords.min_length = 10;
        config.passwords.require = vec![countersign::config::CharacterClass::Digit];
    })
    .await;
    // The password of test accounts has no digit: what exists is not judged.
    let body = json!({
        "username": "alice.with.1.long.name",
        "password": "password 1",
        "auth": {"type": "m.login.dummy"},
    });
    let alice = node.post("/register", &body).send().await.ok_string("access_token");
    for weak in ["", "short 1", "no digit at all", "alice.with.1.long.name", &format!("1{}", "a".repeat(512))]
    {
        let refused = change(&node, &json!({"new_password": weak})).token(&alice).send().await;
        refused.expect_error(400, "M_WEAK_PASSWORD");
    }
    let asked = change(&node, &json!({"new_password": "long enough 1"})).token(&alice).send().await;
    assert_eq!(asked.stage_errcode(), None);
}

#[tokio::test]
async fn without_a_password_there_is_nothing_to_set() {
    let (node, alice) = start().await;
    let call = |body| change(&node, &body).token(&alice.access_token);
    assert_eq!(call(json!({})).send().await.stage_errcode(), None);
    let body = json!({"auth": password_auth(&alice, PASSWORD)});
    call(body).send().await.expect_error(400, "M_MISSING_PARAM");
    call(json!({"new_password": 1})).send().await.expect_error(400, "M_INVALID_PARAM");
    log_in(&node, PASSWORD).send().await.ok();
}

#[tokio::test]
async fn a_lost_answer_may_be_asked_for_again() {
    let (node, alice) = start().await;
    let asked = change(&node, &json!({"new_password": NEW})).token(&alice.access_token).send().await;
    let mut auth = password_auth(&alice, PASSWORD);
    auth["session"] = asked.json()["session"].clone();
    let session = json!({"session": asked.json()["session"]});
    let body = json!({"new_password": NEW, "auth": auth});
    let call = |body| change(&node, &body).token(&alice.access_token);
    call(body.clone()).send().await.ok();
    node.until_outbox_is_empty().await;
    let told = node.mailer.messages().len();
    for repeat in [body, json!({ "auth": session }), json!({"new_password": NEW, "auth": session})] {
        assert_eq!(call(repeat).send().await.ok(), json!({}));
    }
    let other = json!({"new_password": "yet another password", "auth": session});
    call(other).send().await.expect_error(403, "M_FORBIDDEN");
    log_in(&node, NEW).send().await.ok();
    node.until_outbox_is_empty().await;
    assert_eq!(node.mailer.messages().len(), told, "a repeat has no effect, and so tells nobody");
}

#[tokio::test]
async fn of_several_at_once_in_one_session_one_has_its_effect() {
    let (node, alice) = start().await;
    let asked = change(&node, &json!({"new_password": NEW})).token(&alice.access_token).send().await;
    let session = asked.json()["session"].clone();
    let mut auth = password_auth(&alice, PASSWORD);
    auth["session"] = session;
    let passwords: Vec<_> = (0..4).map(|number| format!("password number {number}")).collect();
    let calls = passwords
        .iter()
        .map(|password| json!({"new_password": password, "auth": auth}))
        .map(|body| change(&node, &body).token(&alice.access_token));
    let answers = send_all(calls.collect()).await;
    let mut set = Vec::new();
    for (password, answer) in passwords.iter().zip(&answers) {
        match answer.status {
            200 => set.push(password),
            // The password changed under the stage of one that came later.
            401 => assert_eq!(answer.stage_errcode().as_deref(), Some("M_FORBIDDEN")),
            _ => answer.expect_error(403, "M_FORBIDDEN"),
        }
    }
    let [set] = set[..] else { panic!("not one: {answers:?}") };
    log_in(&node, set).send().await.ok();
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn what_is_switched_off_is_forbidden_and_said_so() {
    let node = TestNode::start().await;
    give_alice_addresses(&node).await;
    let node = node.restart(|config| config.passwords.change = false).await;
    let alice = log_in(&node, PASSWORD).send().await.ok_string("access_token");
    let by_mail = json!({"client_secret": "x", "email": "alice@example.org", "send_attempt": 1});
    let by_sms =
        json!({"client_secret": "x", "country": "GB", "phone_number": "07700900001", "send_attempt": 1});
    change(&node, &json!({"new_password": NEW})).token(&alice).send().await.expect_error(403, "M_FORBIDDEN");
    change(&node, &json!({"new_password": NEW})).send().await.expect_error(403, "M_FORBIDDEN");
    node.post(PASSWORD_EMAIL, &by_mail).send().await.expect_error(403, "M_FORBIDDEN");
    node.post(PASSWORD_MSISDN, &by_sms).send().await.expect_error(403, "M_FORBIDDEN");
    let capabilities = node.get(CAPABILITIES).token(&alice).send().await.ok();
    assert_eq!(capabilities["capabilities"]["m.change_password"], json!({"enabled": false}));
}
