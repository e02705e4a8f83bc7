//! A node that has another service prove addresses for it.

mod identity_service;
mod own_service;

use std::time::Duration;

use countersign::config::{Config, DelegateConfig, DelegatedMedium, PeerUrl, Secret, Stage};
use countersign_api::client::{
    password::PASSWORD as CHANGE_PASSWORD,
    request_token::{PASSWORD_EMAIL, REGISTER_EMAIL},
    threepid::{ADD, THREEPIDS},
};
use serde_json::{Value, json};

use self::identity_service::{ACCESS_TOKEN, CODE, IdentityService, Mood, VALIDATED_AT};
use crate::{
    steps::password_auth,
    support::{PASSWORD, TestNode, TestUser},
};

const EMAIL: &str = "alice@example.org";

fn delegating(url: &str, config: &mut Config) {
    delegating_to(url, ACCESS_TOKEN, config);
}

fn delegating_to(url: &str, access_token: &str, config: &mut Config) {
    (config.email, config.sms) = (None, None);
    config.validation.delegate = Some(DelegateConfig {
        url: PeerUrl::parse(url).expect("a URL"),
        access_token: Some(Secret::new(access_token)),
        access_token_file: None,
        media: vec![DelegatedMedium::Email, DelegatedMedium::Msisdn],
        timeout: Duration::from_secs(10),
        ca_file: None,
    });
}

async fn start_with(service: &IdentityService, change: impl FnOnce(&mut Config)) -> TestNode {
    TestNode::start_with(|config| {
        delegating(&service.url, config);
        change(config);
    })
    .await
}

/// An attempt to add the address of a session, with the password.
async fn add(node: &TestNode, user: &TestUser, sid: &str) -> (u16, Value) {
    let body = json!({"sid": sid, "client_secret": "secret", "auth": password_auth(user, PASSWORD)});
    let answer = node.post(ADD, &body).token(&user.access_token).send().await;
    (answer.status, answer.json()["errcode"].clone())
}

fn broken() -> Mood {
    Mood::Answer(500, json!({"errcode": "M_UNKNOWN", "error": "alice@example.org is to blame"}))
}

#[tokio::test]
async fn a_number_is_proven_by_the_code_of_the_other_services_sms() {
    let service = IdentityService::start().await;
    let node = start_with(&service, |_| {}).await;
    let alice = node.register("alice").await;
    let asked = node.ask_msisdn("secret", "GB", "07700900123", 1).send().await;
    assert!(asked.ok_string("submit_url").ends_with("/_countersign/v1/submit_token"));
    let sid = asked.ok_string("sid");
    let message = service.wait_for_messages(1).await.remove(0);
    assert_eq!(message["phone_number"], "+447700900123");
    assert_eq!((&message["country"], &message["send_attempt"]), (&json!("GB"), &json!(1)));
    assert_ne!(message["client_secret"], "secret", "the client's secret is the client's");
    node.until_outbox_is_empty().await;

    node.submit(&sid, "secret", "000000").send().await.expect_error(400, "M_TOKEN_INCORRECT");
    assert_eq!(add(&node, &alice, &sid).await, (400, json!("M_THREEPID_AUTH_FAILED")));
    node.submit(&sid, "wrong", CODE).send().await.expect_error(400, "M_INVALID_PARAM");
    assert_eq!(service.submissions().len(), 1, "a wrong secret never leaves the node");

    assert_eq!(node.submit(&sid, "secret", CODE).send().await.ok(), json!({"success": true}));
    assert_eq!(node.submit(&sid, "secret", CODE).send().await.ok(), json!({"success": true}));
    assert_eq!(add(&node, &alice, &sid).await, (200, Value::Null));
    let listed = node.get(THREEPIDS).token(&alice.access_token).send().await.ok();
    assert_eq!(listed["threepids"][0]["address"], "447700900123");
    assert_eq!(listed["threepids"][0]["validated_at"], VALIDATED_AT, "when the service saw the proof");
    assert!(node.mailer.messages().is_empty() && node.sms.messages().is_empty());
}

#[tokio::test]
async fn an_address_is_proven_by_the_link_of_the_other_services_mail() {
    let service = IdentityService::start().await;
    let node = start_with(&service, |_| {}).await;
    let alice = node.register("alice").await;
    let next_link = "https://app.example.org/settings";
    let body = json!({"client_secret": "secret", "email": "Alice@Example.org", "send_attempt": 1, "next_link": next_link});
    let asked = node.post("/account/3pid/email/requestToken", &body).send().await;
    assert_eq!(asked.ok_keys(), ["sid"], "a link leaves nothing to submit");
    let sid = asked.ok_string("sid");
    let message = service.wait_for_messages(1).await.remove(0);
    assert_eq!((&message["email"], &message["next_link"]), (&json!(EMAIL), &json!(next_link)));
    node.until_outbox_is_empty().await;
    assert_eq!(add(&node, &alice, &sid).await, (400, json!("M_THREEPID_AUTH_FAILED")));
    service.click_links();
    assert_eq!(add(&node, &alice, &sid).await, (200, Value::Null));
    assert_eq!(node.addresses_of(&alice).await, [format!("email {EMAIL}")]);
}

#[tokio::test]
async fn accounts_are_made_and_passwords_reset_by_what_the_service_proves() {
    let service = IdentityService::start().await;
    let node =
        start_with(&service, |config| config.registration.flows = vec![vec![Stage::EmailIdentity]]).await;
    let ask = async |path: &str| {
        let body = json!({"client_secret": "secret", "email": EMAIL, "send_attempt": 1});
        node.post(path, &body).send().await.ok_string("sid")
    };
    let stage = |sid: &str| json!({"type": "m.login.email.identity", "threepid_creds": {"sid": sid, "client_secret": "secret"}});
    let sid = ask(REGISTER_EMAIL).await;
    service.wait_for_messages(1).await;
    node.until_outbox_is_empty().await;
    let register = json!({"username": "alice", "password": PASSWORD, "auth": stage(&sid)});
    let waiting = node.post("/register", &register).send().await;
    assert_eq!((waiting.status, &waiting.json()["errcode"]), (401, &json!("M_UNAUTHORIZED")));
    service.click_links();
    let token = node.post("/register", &register).send().await.ok_string("access_token");
    let listed = node.get(THREEPIDS).token(&token).send().await.ok();
    assert_eq!(listed["threepids"][0]["address"], EMAIL);

    let sid = ask(PASSWORD_EMAIL).await;
    service.wait_for_messages(2).await;
    node.until_outbox_is_empty().await;
    let reset = json!({"new_password": "a wholly new password", "auth": stage(&sid)});
    assert_eq!(node.post(CHANGE_PASSWORD, &reset).send().await.status, 401);
    service.click_links();
    node.post(CHANGE_PASSWORD, &reset).send().await.ok();
    node.get(THREEPIDS).token(&token).send().await.expect_error(401, "M_UNKNOWN_TOKEN");
}

#[tokio::test]
async fn a_repeat_asks_nothing_and_a_higher_attempt_resends_in_the_same_session() {
    let service = IdentityService::start().await;
    let node = start_with(&service, |_| {}).await;
    let sid = node.ask_email("secret", EMAIL, 1).send().await.ok_string("sid");
    let first = service.wait_for_messages(1).await.remove(0);
    node.until_outbox_is_empty().await;
    assert_eq!(node.ask_email("secret", EMAIL, 1).send().await.ok_string("sid"), sid);
    assert_eq!(node.ask_email("secret", EMAIL, 7).send().await.ok_string("sid"), sid);
    let second = service.wait_for_messages(2).await.remove(1);
    assert_eq!(second["send_attempt"], 7);
    assert_eq!(second["client_secret"], first["client_secret"]);
    assert_eq!(node.count("delegated_sessions"), 1);
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn a_service_that_is_down_gets_the_request_later_and_sends_once() {
    let service = IdentityService::start().await;
    let node = start_with(&service, |_| {}).await;
    service.set_mood(Some(broken()));
    let sid = node.ask_msisdn("secret", "GB", "07700900123", 1).send().await.ok_string("sid");
    service.wait_for_tries(1).await;
    node.submit(&sid, "secret", CODE).send().await.expect_error(400, "M_TOKEN_INCORRECT");
    service.set_mood(None);
    node.let_pass(Duration::from_secs(60)).await;
    service.wait_for_messages(1).await;
    node.until_outbox_is_empty().await;
    node.submit(&sid, "secret", CODE).send().await.ok();
}

#[tokio::test]
async fn a_request_that_the_service_refuses_for_good_is_given_up_and_the_next_one_sends() {
    let service = IdentityService::start().await;
    let node = start_with(&service, |_| {}).await;
    let rejected = json!({"errcode": "M_DESTINATION_REJECTED", "error": "no"});
    service.set_mood(Some(Mood::Answer(400, rejected)));
    let sid = node.ask_msisdn("secret", "GB", "07700900123", 5).send().await.ok_string("sid");
    node.until_outbox_is_empty().await;
    service.set_mood(None);
    assert_eq!(node.ask_msisdn("secret", "GB", "07700900123", 5).send().await.ok_string("sid"), sid);
    service.wait_for_messages(1).await;
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn an_answer_that_cannot_be_used_is_a_502_and_proves_nothing() {
    let service = IdentityService::start().await;
    let node = start_with(&service, |config| {
        config.validation.delegate.as_mut().expect("a delegate").timeout = Duration::from_millis(300);
    })
    .await;
    let alice = node.register("alice").await;
    let sid = node.ask_msisdn("secret", "GB", "07700900123", 1).send().await.ok_string("sid");
    service.wait_for_messages(1).await;
    node.until_outbox_is_empty().await;
    let moods = [
        broken(),
        Mood::Answer(200, json!({"medium": "msisdn"})),
        Mood::Answer(401, json!({"errcode": "M_UNAUTHORIZED", "error": "who are you"})),
        Mood::Answer(403, json!({"errcode": "M_TERMS_NOT_SIGNED", "error": "sign"})),
        Mood::Silence,
    ];
    for mood in moods {
        let what = format!("{mood:?}");
        service.set_mood(Some(mood));
        let submitted = node.submit(&sid, "secret", CODE).send().await;
        assert_eq!(submitted.error(), (502, "M_UNKNOWN".to_owned()), "{what}");
        assert!(!submitted.text.contains("blame"), "{submitted:?}");
        assert_eq!(add(&node, &alice, &sid).await, (502, json!("M_UNKNOWN")), "{what}");
    }
    service.set_mood(None);
    assert_eq!(add(&node, &alice, &sid).await, (400, json!("M_THREEPID_AUTH_FAILED")));
    node.submit(&sid, "secret", CODE).send().await.ok();
}

#[tokio::test]
async fn what_the_service_says_of_a_token_is_passed_on() {
    let service = IdentityService::start().await;
    let node = start_with(&service, |_| {}).await;
    let sid = node.ask_msisdn("secret", "GB", "07700900123", 1).send().await.ok_string("sid");
    service.wait_for_messages(1).await;
    node.until_outbox_is_empty().await;
    let cases = [
        (Mood::Answer(400, json!({"errcode": "M_TOKEN_INCORRECT"})), "M_TOKEN_INCORRECT"),
        (Mood::Answer(200, json!({"success": false, "errcode": "M_NO_VALID_SESSION"})), "M_TOKEN_INCORRECT"),
        (Mood::Answer(404, json!({"errcode": "M_NO_VALID_SESSION"})), "M_TOKEN_INCORRECT"),
        (Mood::Answer(400, json!({"errcode": "M_SESSION_EXPIRED"})), "M_SESSION_EXPIRED"),
        (Mood::Answer(400, json!({"errcode": "M_INVALID_PARAM"})), "M_INVALID_PARAM"),
    ];
    for (mood, errcode) in cases {
        service.set_mood(Some(mood));
        node.submit(&sid, "secret", "000000").send().await.expect_error(400, errcode);
    }
}

#[tokio::test]
async fn guesses_are_limited_here_too_and_unanswered_ones_cost_nothing() {
    let service = IdentityService::start().await;
    let node = start_with(&service, |_| {}).await;
    let sid = node.ask_msisdn("secret", "GB", "07700900123", 1).send().await.ok_string("sid");
    service.wait_for_messages(1).await;
    node.until_outbox_is_empty().await;
    service.set_mood(Some(broken()));
    for _ in 0..5 {
        node.submit(&sid, "secret", "000000").send().await.expect_error(502, "M_UNKNOWN");
    }
    service.set_mood(None);
    for _ in 0..20 {
        node.submit(&sid, "secret", "000000").send().await.expect_error(400, "M_TOKEN_INCORRECT");
    }
    node.submit(&sid, "secret", CODE).send().await.expect_error(429, "M_LIMIT_EXCEEDED");
    assert_eq!(service.submissions().len(), 20, "the service is not asked any more");
}

#[tokio::test]
async fn another_address_than_the_sessions_own_proves_nothing() {
    let service = IdentityService::start().await;
    let node = start_with(&service, |_| {}).await;
    let alice = node.register("alice").await;
    let sid = node.ask_email("secret", EMAIL, 1).send().await.ok_string("sid");
    service.wait_for_messages(1).await;
    node.until_outbox_is_empty().await;
    service.click_links();
    for (medium, address) in
        [("email", "mallory@example.org"), ("msisdn", "447700900123"), ("email", "nonsense")]
    {
        service.change_address(medium, address);
        assert_eq!(add(&node, &alice, &sid).await, (400, json!("M_THREEPID_AUTH_FAILED")), "{address}");
    }
    service.change_address("email", EMAIL);
    assert_eq!(add(&node, &alice, &sid).await, (200, Value::Null));
}

#[tokio::test]
async fn a_refused_access_token_lets_the_request_wait() {
    let service = IdentityService::start().await;
    let mut node = start_with(&service, |config| {
        let delegate = config.validation.delegate.as_mut().expect("a delegate");
        delegate.access_token = Some(Secret::new("an old one"));
    })
    .await;
    node.allow_undelivered();
    node.ask_email("secret", EMAIL, 1).send().await.ok();
    service.wait_for_tries(1).await;
    let node = node.restart(|config| delegating(&service.url, config)).await;
    node.let_pass(Duration::from_secs(60)).await;
    service.wait_for_messages(1).await;
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn the_database_holds_neither_the_other_sid_nor_the_secret_there() {
    let service = IdentityService::start().await;
    let node = start_with(&service, |_| {}).await;
    node.ask_email("secret", EMAIL, 1).send().await.ok();
    let message = service.wait_for_messages(1).await.remove(0);
    node.until_outbox_is_empty().await;
    let secret = message["client_secret"].as_str().expect("a string");
    let bytes = node.database_bytes();
    for secret in [secret, "remote-email-", ACCESS_TOKEN] {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
    }
}

#[test]
fn a_delegate_and_a_section_of_the_same_medium_are_refused_together() {
    let problems = |change: fn(&mut Config)| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut config = Config::dev(folder.path(), 8008);
        delegating("https://identity.example.org", &mut config);
        change(&mut config);
        let keys: Vec<_> = config.check().into_iter().map(|problem| problem.key).collect();
        keys.into_iter().filter(|key| !key.starts_with("keys.")).collect::<Vec<_>>()
    };
    assert_eq!(problems(|_| {}), [""; 0]);
    let dev = |config: &mut Config| {
        let dev = Config::dev(std::path::Path::new("."), 8008);
        (config.email, config.sms) = (dev.email, dev.sms);
    };
    assert_eq!(problems(dev), ["validation.delegate.media"; 2]);
    assert_eq!(problems(|config| config.privacy.hide_accounts = true), ["privacy.hide_accounts"]);
    let of = |config: &mut Config| config.validation.delegate.as_mut().expect("a delegate").media.clear();
    assert_eq!(problems(of), ["validation.delegate.media"]);
}
