//! The six endpoints: what they have in common, who may have the address, and what their sessions are good for.

use countersign::config::{Config, Countries};
use countersign_api::client::{
    password::PASSWORD as CHANGE_PASSWORD,
    register::REGISTER,
    request_token::{
        PASSWORD_EMAIL, PASSWORD_MSISDN, REGISTER_EMAIL, REGISTER_MSISDN, THREEPID_EMAIL, THREEPID_MSISDN,
    },
};
use serde_json::{Value, json};

use crate::{
    steps::{SECRET, creds_auth},
    support::{PASSWORD, TestNode, TestUser},
};

const BY_MAIL: [&str; 3] = [REGISTER_EMAIL, THREEPID_EMAIL, PASSWORD_EMAIL];
const BY_SMS: [&str; 3] = [REGISTER_MSISDN, THREEPID_MSISDN, PASSWORD_MSISDN];

/// A node where Alice has `alice@example.org` and `447700900001`.
async fn start(change: impl FnOnce(&mut Config)) -> (TestNode, TestUser) {
    let node = TestNode::start_with(|config| {
        config.limits.enabled = false;
        config.notices.enabled = false;
        change(config);
    })
    .await;
    let alice = node.register("alice").await;
    node.give_email(&alice, "alice@example.org").await;
    let sid = node.validate_msisdn("given", "GB", "07700900001").await;
    node.add(&alice, &sid, "given").send().await.ok();
    node.until_outbox_is_empty().await;
    (node, alice)
}

/// A body that the endpoint takes: an address that is Alice's for a reset, and nobody's else.
fn body(path: &str) -> Value {
    let is_reset = [PASSWORD_EMAIL, PASSWORD_MSISDN].contains(&path);
    if BY_MAIL.contains(&path) {
        let email = if is_reset { "alice@example.org" } else { "free@example.org" };
        json!({"client_secret": SECRET, "email": email, "send_attempt": 1})
    } else {
        let number = if is_reset { "07700900001" } else { "07700900002" };
        json!({"client_secret": SECRET, "country": "GB", "phone_number": number, "send_attempt": 1})
    }
}

/// The same body with other values.
fn with(path: &str, changes: Value) -> Value {
    let mut body = body(path);
    for (key, value) in changes.as_object().expect("an object") {
        body[key] = value.clone();
    }
    body
}

fn paths() -> impl Iterator<Item = &'static str> {
    BY_MAIL.into_iter().chain(BY_SMS)
}

#[tokio::test]
async fn each_sends_a_message_and_answers_with_its_session() {
    let (node, _) = start(|_| {}).await;
    for path in paths() {
        let answer = node.post(path, &body(path)).send().await;
        // A password is reset by link only, and a link is not handed in.
        let expected: &[&str] = if path == PASSWORD_EMAIL { &["sid"] } else { &["sid", "submit_url"] };
        assert_eq!(answer.ok_keys(), expected, "{path}");
        let again = node.post(path, &body(path)).send().await;
        assert_eq!(again.ok(), answer.ok(), "{path}");
    }
    node.until_outbox_is_empty().await;
    assert_eq!(node.messages_queued(), 2 + 6);
}

#[tokio::test]
async fn each_refuses_malformed_bodies_in_the_same_way() {
    let (node, _) = start(|_| {}).await;
    for path in paths() {
        for secret in ["", "a b", "a\n", "ä", "a/b", &"x".repeat(256)] {
            let refused = node.post(path, &with(path, json!({"client_secret": secret}))).send().await;
            assert_eq!(refused.error(), (400, "M_INVALID_PARAM".to_owned()), "{path} {secret:?}");
        }
        for attempt in [json!("1"), json!(1.5), json!(true), json!([1])] {
            let refused = node.post(path, &with(path, json!({"send_attempt": attempt}))).send().await;
            assert_eq!(refused.error(), (400, "M_INVALID_PARAM".to_owned()), "{path} {attempt}");
        }
        for link in [json!("javascript:alert(1)"), json!("/relative"), json!(1), json!("file:///etc/passwd")]
        {
            let refused = node.post(path, &with(path, json!({"next_link": link}))).send().await;
            assert_eq!(refused.error(), (400, "M_INVALID_PARAM".to_owned()), "{path} {link}");
        }
        let required = body(path);
        for key in required.as_object().unwrap().keys() {
            let mut body = required.clone();
            body.as_object_mut().unwrap().remove(key);
            let refused = node.post(path, &body).send().await;
            assert_eq!(refused.error(), (400, "M_MISSING_PARAM".to_owned()), "{path} without {key}");
        }
    }
    for path in BY_MAIL {
        let refused = node.post(path, &with(path, json!({"email": "nonsense"}))).send().await;
        assert_eq!(refused.error(), (400, "M_INVALID_PARAM".to_owned()), "{path}");
    }
    for path in BY_SMS {
        for change in
            [json!({"phone_number": "nonsense"}), json!({"country": "gb"}), json!({"country": "XX"})]
        {
            let refused = node.post(path, &with(path, change)).send().await;
            assert_eq!(refused.error(), (400, "M_INVALID_PARAM".to_owned()), "{path}");
        }
    }
    assert_eq!(node.messages_queued(), 2);
}

#[tokio::test]
async fn each_ignores_bad_tokens_and_identity_servers() {
    let (node, alice) = start(|_| {}).await;
    for path in paths() {
        let sid = node.post(path, &body(path)).send().await.ok_string("sid");
        for token in ["wrong", alice.access_token.as_str()] {
            let ignored = json!({"id_server": "127.0.0.1:1", "id_access_token": "secret"});
            let answer = node.post(path, &with(path, ignored)).token(token).send().await;
            assert_eq!(answer.ok_string("sid"), sid, "{path}");
        }
    }
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn each_looks_at_the_owner_in_its_own_way() {
    let (node, _) = start(|_| {}).await;
    let free = json!({"email": "nobody@example.org", "phone_number": "07700900009"});
    let used = json!({"email": "ALICE@example.org", "phone_number": "+44 7700 900001"});
    for path in paths() {
        let answer = |change: &Value| node.post(path, &with(path, change.clone())).send();
        if [PASSWORD_EMAIL, PASSWORD_MSISDN].contains(&path) {
            answer(&free).await.expect_error(400, "M_THREEPID_NOT_FOUND");
            answer(&used).await.ok();
        } else {
            answer(&used).await.expect_error(400, "M_THREEPID_IN_USE");
            answer(&free).await.ok();
        }
    }
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn a_medium_without_transport_is_supported_by_none() {
    let node = TestNode::start_with(|config| config.sms = None).await;
    for path in BY_SMS {
        let refused = node.post(path, &body(path)).send().await;
        assert_eq!(refused.error(), (400, "M_THREEPID_MEDIUM_NOT_SUPPORTED".to_owned()), "{path}");
    }
    let node = TestNode::start_with(|config| config.email = None).await;
    for path in BY_MAIL {
        let refused = node.post(path, &body(path)).send().await;
        assert_eq!(refused.error(), (400, "M_THREEPID_MEDIUM_NOT_SUPPORTED".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn a_closed_country_is_denied_to_new_numbers() {
    let only_gb = |config: &mut Config| {
        config.sms.as_mut().unwrap().countries = Countries::Only(vec!["GB".to_owned()]);
    };
    let german = json!({"country": "DE", "phone_number": "0151 23456789"});
    let (node, _) = start(only_gb).await;
    for path in [REGISTER_MSISDN, THREEPID_MSISDN] {
        let refused = node.post(path, &with(path, german.clone())).send().await;
        assert_eq!(refused.error(), (403, "M_THREEPID_DENIED".to_owned()), "{path}");
    }
    // An unknown number would get no message here, so that there is nothing to deny.
    let unknown = node.post(PASSWORD_MSISDN, &with(PASSWORD_MSISDN, german.clone())).send().await;
    unknown.expect_error(400, "M_THREEPID_NOT_FOUND");
    let (hiding, _) = start(|config| {
        only_gb(config);
        config.privacy.hide_accounts = true;
    })
    .await;
    let denied = hiding.post(PASSWORD_MSISDN, &with(PASSWORD_MSISDN, german)).send().await;
    denied.expect_error(403, "M_THREEPID_DENIED");
    assert_eq!(hiding.sms.messages().len(), 1);
}

#[tokio::test]
async fn what_is_switched_off_is_forbidden_before_anyone_looks_at_the_address() {
    let (node, _) = start(|_| {}).await;
    let node = node
        .restart(|config| {
            config.registration.enabled = false;
            config.threepids.changes = false;
            config.passwords.change = false;
            config.sms = None;
        })
        .await;
    for path in paths() {
        for change in [json!({}), json!({"email": "nonsense", "phone_number": "nonsense"})] {
            let refused = node.post(path, &with(path, change)).send().await;
            assert_eq!(refused.error(), (403, "M_FORBIDDEN".to_owned()), "{path}");
        }
        let malformed = node.post(path, &with(path, json!({"client_secret": ""}))).send().await;
        assert_eq!(malformed.error(), (400, "M_INVALID_PARAM".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn the_message_says_what_it_is_for() {
    let (node, _) = start(|_| {}).await;
    for (path, words) in [
        (REGISTER_EMAIL, "creating an account"),
        (THREEPID_EMAIL, "add this e-mail address"),
        (PASSWORD_EMAIL, "reset the password"),
    ] {
        node.post(path, &body(path)).send().await.ok();
        node.until_outbox_is_empty().await;
        let mail = node.mailer.messages().pop().unwrap();
        assert!(mail.text.contains(words), "{path}: {}", mail.text);
    }
}

/// What a proof might be used for: adding its address, a new password, a new account.
async fn try_effects(node: &TestNode, alice: &TestUser, stage: &str, sid: &str) -> [u16; 3] {
    let add = node.add(alice, sid, SECRET).send().await;
    let auth = creds_auth(&json!(null), stage, sid);
    let reset = json!({"new_password": PASSWORD, "logout_devices": false, "auth": auth});
    let reset = node.post(CHANGE_PASSWORD, &reset).send().await;
    let register = json!({"password": PASSWORD, "auth": auth});
    let register = node.post(REGISTER, &register).send().await;
    [add.status, reset.status, register.status]
}

async fn proven(node: &TestNode, path: &str) -> String {
    let sid = node.post(path, &body(path)).send().await.ok_string("sid");
    node.until_outbox_is_empty().await;
    if BY_MAIL.contains(&path) {
        node.press_newest_link().await;
    } else {
        let code = node.sms.messages().pop().expect("an SMS").code.expect("a code");
        node.submit(&sid, SECRET, &code).send().await.ok();
    }
    sid
}

#[tokio::test]
async fn no_purpose_serves_another() {
    for (path, expected) in [
        (THREEPID_EMAIL, [200, 401, 401]),
        (PASSWORD_EMAIL, [400, 200, 401]),
        (REGISTER_EMAIL, [400, 401, 200]),
        (THREEPID_MSISDN, [200, 401, 401]),
        (PASSWORD_MSISDN, [400, 200, 401]),
        (REGISTER_MSISDN, [400, 401, 200]),
    ] {
        let (node, alice) = start(|config| {
            use countersign::config::Stage::{Dummy, EmailIdentity, Msisdn};
            config.registration.flows = vec![vec![EmailIdentity], vec![Msisdn], vec![Dummy]];
        })
        .await;
        let stage = if BY_MAIL.contains(&path) { "m.login.email.identity" } else { "m.login.msisdn" };
        let sid = proven(&node, path).await;
        assert_eq!(try_effects(&node, &alice, stage, &sid).await, expected, "{path}");
        node.until_outbox_is_empty().await;
    }
}

#[tokio::test]
async fn all_count_for_the_same_limits() {
    let node = TestNode::start_with(|config| config.notices.enabled = false).await;
    let ask = |path: &str, email: &str| {
        let body = json!({"client_secret": SECRET, "email": email, "send_attempt": 1});
        node.post(path, &body)
    };
    for _ in 0..2 {
        // What no session comes of is charged too, or it could be asked for ever.
        ask(PASSWORD_EMAIL, "free@example.org").send().await.expect_error(400, "M_THREEPID_NOT_FOUND");
    }
    ask(REGISTER_EMAIL, "free@example.org").send().await.ok();
    ask(THREEPID_EMAIL, "free@example.org").send().await.ok();
    ask(PASSWORD_EMAIL, "free@example.org").send().await.expect_error(400, "M_THREEPID_NOT_FOUND");
    for path in BY_MAIL {
        let refused = ask(path, "free@example.org").send().await;
        // A repeat costs nothing.
        match path {
            PASSWORD_EMAIL => refused.expect_error(429, "M_LIMIT_EXCEEDED"),
            _ => drop(refused.ok()),
        }
    }
    let other = json!({"client_secret": "other", "email": "free@example.org", "send_attempt": 1});
    for path in BY_MAIL {
        node.post(path, &other).send().await.expect_error(429, "M_LIMIT_EXCEEDED");
    }
    node.until_outbox_is_empty().await;
}
