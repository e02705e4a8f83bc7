//! Proving e-mail addresses to the identity service.

mod visits;

use std::{num::NonZeroU32, time::Duration};

use axum::http::Method;
use countersign_api::{
    client::threepid::ADD,
    identity::{validate_email, validate_msisdn},
};
use serde_json::{Value, json};

use crate::{
    steps::{link_token, other_code, password_auth, send_all},
    support::{PASSWORD, START, TestNode},
    wire::{Answer, Call},
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const TICK: Duration = Duration::from_millis(1);

const EMAIL: &str = "alice@example.org";

fn submit(node: &TestNode, token: &str, sid: &str, secret: &str, code: &str) -> Call {
    let body = json!({"sid": sid, "client_secret": secret, "token": code});
    node.identity_post(validate_email::SUBMIT_TOKEN, &body).token(token)
}

/// A session whose mail has come.
struct Sent {
    sid: String,
    code: String,
    link: String,
}

async fn send_mail(node: &TestNode, token: &str, secret: &str) -> Sent {
    let came = node.mailer.messages().len();
    let sid = node.ask_identity_email(token, secret, EMAIL, 1).send().await.ok_string("sid");
    let mail = node.mailer.wait_for(came + 1).await.swap_remove(came);
    Sent { sid, code: mail.code.expect("a code"), link: mail.link.expect("a link") }
}

#[tokio::test]
async fn an_address_is_proven_by_the_code_of_a_mail() {
    let node = TestNode::start().await;
    let token = node.identity_user("alice").await;
    let asked = node.ask_identity_email(&token, "monkeys", "Alice@Example.ORG", 1).send().await;
    assert_eq!(asked.ok_keys(), ["sid"]);
    let sid = asked.ok_string("sid");
    let mail = node.mailer.wait_for(1).await.swap_remove(0);
    assert_eq!(mail.to, EMAIL);
    node.get_validated(&token, &sid, "monkeys").send().await.expect_error(400, "M_SESSION_NOT_VALIDATED");
    let code = mail.code.expect("a code");
    for _ in 0..2 {
        let submitted = submit(&node, &token, &sid, "monkeys", &code).send().await;
        assert_eq!(submitted.ok(), json!({"success": true}));
        // The first time stays.
        node.clock.advance(TICK);
    }
    let validated = node.get_validated(&token, &sid, "monkeys").send().await.ok();
    let expected = json!({"medium": "email", "address": EMAIL, "validated_at": START.as_millis()});
    assert_eq!(validated, expected);
}

#[tokio::test]
async fn the_mails_own_link_proves_it_too_by_its_button() {
    let node = TestNode::start().await;
    let token = node.identity_user("alice").await;
    let Sent { sid, .. } = send_mail(&node, &token, "monkeys").await;
    node.press_newest_link().await;
    node.get_validated(&token, &sid, "monkeys").send().await.ok();
}

#[tokio::test]
async fn a_repeated_attempt_sends_nothing_and_a_higher_one_sends_again() {
    let node = TestNode::start().await;
    let token = node.identity_user("alice").await;
    let ask = |attempt| node.ask_identity_email(&token, "monkeys", EMAIL, attempt);
    let sid = ask(3).send().await.ok_string("sid");
    node.until_outbox_is_empty().await;
    for attempt in [3, 2, 0, -1] {
        assert_eq!(ask(attempt).send().await.ok_string("sid"), sid, "{attempt}");
    }
    assert_eq!(node.messages_queued(), 1);
    assert_eq!(ask(7).send().await.ok_string("sid"), sid);
    node.mailer.wait_for(2).await;
}

#[tokio::test]
async fn requests_at_once_open_one_session_and_send_one_mail() {
    let node = TestNode::start_without_limits().await;
    let token = node.identity_user("alice").await;
    let calls = (0..16).map(|_| node.ask_identity_email(&token, "monkeys", EMAIL, 1)).collect();
    let mut sids: Vec<_> = send_all(calls).await.iter().map(|answer| answer.ok_string("sid")).collect();
    sids.dedup();
    assert_eq!(sids.len(), 1);
    node.until_outbox_is_empty().await;
    assert_eq!(node.mailer.messages().len(), 1);
}

#[tokio::test]
async fn an_attempt_may_be_integer_text() {
    let node = TestNode::start().await;
    let token = node.identity_user("alice").await;
    let ask = |attempt: Value| {
        let body = json!({"client_secret": "x", "email": EMAIL, "send_attempt": attempt});
        node.identity_post(validate_email::REQUEST_TOKEN, &body).token(&token)
    };
    let sid = ask(json!("1")).send().await.ok_string("sid");
    assert_eq!(ask(json!(1)).send().await.ok_string("sid"), sid);
    for wrong in [json!("one"), json!(""), json!("1.0"), json!(1.5), json!(true)] {
        ask(wrong).send().await.expect_error(400, "M_INVALID_PARAM");
    }
    node.until_outbox_is_empty().await;
    assert_eq!(node.mailer.messages().len(), 1);
}

#[tokio::test]
async fn an_address_on_an_account_is_proven_like_any_other() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    node.give_email(&alice, EMAIL).await;
    let token = node.identity_user("bob").await;
    node.identity_email(&token, "monkeys", EMAIL).await;
}

#[tokio::test]
async fn failures_have_the_codes_of_this_api_and_no_status_of_success() {
    let node = TestNode::start().await;
    let token = node.identity_user("alice").await;
    let Sent { sid, code, .. } = send_mail(&node, &token, "monkeys").await;
    let cases = [
        (submit(&node, &token, &sid, "monkeys", &other_code(&code)), "M_TOKEN_INCORRECT"),
        (submit(&node, &token, "unknown", "monkeys", &code), "M_INVALID_PARAM"),
        (submit(&node, &token, &sid, "other", &code), "M_INVALID_PARAM"),
        (submit(&node, &token, &sid, "a b", &code), "M_INVALID_PARAM"),
        (submit(&node, &token, &sid, "monkeys", &"x".repeat(256)), "M_INVALID_PARAM"),
        (node.identity_post(validate_email::SUBMIT_TOKEN, &json!({})).token(&token), "M_MISSING_PARAMS"),
    ];
    for (call, errcode) in cases {
        call.send().await.expect_error(400, errcode);
    }
    // Nobody learns whether it is the session or the secret.
    let unknown = submit(&node, &token, "unknown", "monkeys", &code).send().await;
    assert_eq!(unknown.text, submit(&node, &token, &sid, "other", &code).send().await.text);
    submit(&node, &token, &sid, "monkeys", &code).send().await.ok();
}

#[tokio::test]
async fn a_mails_token_does_not_belong_to_the_endpoint_for_phones() {
    let node = TestNode::start().await;
    let token = node.identity_user("alice").await;
    let Sent { sid, code, .. } = send_mail(&node, &token, "monkeys").await;
    let body = json!({"sid": sid, "client_secret": "monkeys", "token": code});
    let answer = node.identity_post(validate_msisdn::SUBMIT_TOKEN, &body).token(&token).send().await;
    answer.expect_error(400, "M_INVALID_PARAM");
    submit(&node, &token, &sid, "monkeys", &code).send().await.ok();
}

#[tokio::test]
async fn guesses_end_a_session() {
    let node = TestNode::start().await;
    let token = node.identity_user("alice").await;
    let Sent { sid, code, .. } = send_mail(&node, &token, "monkeys").await;
    for _ in 0..5 {
        let wrong = submit(&node, &token, &sid, "monkeys", &other_code(&code)).send().await;
        wrong.expect_error(400, "M_TOKEN_INCORRECT");
    }
    submit(&node, &token, &sid, "monkeys", &code).send().await.expect_error(400, "M_SESSION_EXPIRED");
    node.get_validated(&token, &sid, "monkeys").send().await.expect_error(400, "M_SESSION_EXPIRED");
}

#[tokio::test]
async fn what_was_proven_is_told_in_the_order_unknown_over_not_yet() {
    let node = TestNode::start().await;
    let token = node.identity_user("alice").await;
    let Sent { sid, .. } = send_mail(&node, &token, "monkeys").await;
    let get = |sid: &str, secret: &str| node.get_validated(&token, sid, secret);
    for (sid, secret) in [("unknown", "monkeys"), (sid.as_str(), "other")] {
        get(sid, secret).send().await.expect_error(404, "M_NO_VALID_SESSION");
    }
    get(&sid, "monkeys").send().await.expect_error(400, "M_SESSION_NOT_VALIDATED");
    node.let_pass(DAY).await;
    get(&sid, "monkeys").send().await.expect_error(400, "M_SESSION_NOT_VALIDATED");
    node.let_pass(TICK).await;
    get(&sid, "monkeys").send().await.expect_error(400, "M_SESSION_EXPIRED");
    get(&sid, "other").send().await.expect_error(404, "M_NO_VALID_SESSION");
    get(&sid, "a%20b").send().await.expect_error(400, "M_INVALID_PARAM");
    let without = node.identity_get(&format!("/identity/v2/3pid/getValidated3pid?sid={sid}")).token(&token);
    without.send().await.expect_error(400, "M_MISSING_PARAMS");
}

#[tokio::test]
async fn a_proof_is_good_for_a_day_from_the_proof_on() {
    let node = TestNode::start().await;
    let token = node.identity_user("alice").await;
    let Sent { sid, link, .. } = send_mail(&node, &token, "monkeys").await;
    node.let_pass(DAY).await;
    submit(&node, &token, &sid, "monkeys", &link_token(&link)).send().await.ok();
    node.let_pass(DAY).await;
    node.get_validated(&token, &sid, "monkeys").send().await.ok();
    node.let_pass(TICK).await;
    node.get_validated(&token, &sid, "monkeys").send().await.expect_error(400, "M_SESSION_EXPIRED");
}

#[tokio::test]
async fn a_session_of_this_api_is_unknown_to_the_node() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let token = node.identity_token(&alice).await;
    let Sent { sid, code, .. } = send_mail(&node, &token, "monkeys").await;
    node.submit(&sid, "monkeys", &code).send().await.expect_error(400, "M_INVALID_PARAM");
    submit(&node, &token, &sid, "monkeys", &code).send().await.ok();
    let auth = password_auth(&alice, PASSWORD);
    let body = json!({"sid": sid, "client_secret": "monkeys", "auth": auth});
    let add = node.post(ADD, &body).token(&alice.access_token).send().await;
    add.expect_error(400, "M_THREEPID_AUTH_FAILED");
}

#[tokio::test]
async fn a_session_of_the_node_is_unknown_to_this_api() {
    let node = TestNode::start().await;
    let token = node.identity_user("alice").await;
    let sid = node.ask_email("monkeys", EMAIL, 1).send().await.ok_string("sid");
    let code = node.mailer.wait_for(1).await.swap_remove(0).code.expect("a code");
    submit(&node, &token, &sid, "monkeys", &code).send().await.expect_error(400, "M_INVALID_PARAM");
    node.submit(&sid, "monkeys", &code).send().await.ok();
    node.get_validated(&token, &sid, "monkeys").send().await.expect_error(404, "M_NO_VALID_SESSION");
    // The same secret and address at both: two sessions.
    let other = node.ask_identity_email(&token, "monkeys", EMAIL, 1).send().await.ok_string("sid");
    assert_ne!(other, sid);
    node.mailer.wait_for(2).await;
}

#[tokio::test]
async fn an_address_that_is_none_has_the_code_for_it() {
    let node = TestNode::start().await;
    let token = node.identity_user("alice").await;
    for email in ["", "alice", "a@b@example.org", "alice@bücher.example", "Alice <alice@example.org>"] {
        let answer = node.ask_identity_email(&token, "x", email, 1).send().await;
        assert_eq!(answer.error(), (400, "M_INVALID_EMAIL".to_owned()), "{email}");
    }
    node.ask_identity_email(&token, "a b", EMAIL, 1).send().await.expect_error(400, "M_INVALID_PARAM");
}

#[tokio::test]
async fn a_next_link_must_be_one_that_the_operator_allows() {
    let node = TestNode::start().await;
    let token = node.identity_user("alice").await;
    for link in ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "/x", "http://example.org/"]
    {
        let body = json!({"client_secret": "x", "email": EMAIL, "send_attempt": 1, "next_link": link});
        let answer = node.identity_post(validate_email::REQUEST_TOKEN, &body).token(&token).send().await;
        assert_eq!(answer.error(), (400, "M_INVALID_PARAM".to_owned()), "{link}");
    }
}

#[tokio::test]
async fn where_no_mail_is_sent_the_medium_is_unrecognized() {
    let node = TestNode::start_with(|config| config.email = None).await;
    let token = node.identity_user("alice").await;
    for email in [EMAIL, "nonsense"] {
        let answer = node.ask_identity_email(&token, "x", email, 1).send().await;
        answer.expect_error(400, "M_UNRECOGNIZED");
    }
}

#[tokio::test]
async fn limits_have_their_code_and_count_both_apis_together() {
    let node = TestNode::start_with(|config| {
        config.limits.messages_per_address_per_hour = NonZeroU32::new(2).expect("not 0");
    })
    .await;
    let token = node.identity_user("alice").await;
    node.ask_email("one", EMAIL, 1).send().await.ok();
    node.ask_identity_email(&token, "two", EMAIL, 1).send().await.ok();
    let limited: Answer = node.ask_identity_email(&token, "three", EMAIL, 1).send().await;
    limited.expect_error(429, "M_LIMIT_EXCEEDED");
    assert_eq!(limited.json()["retry_after_ms"], json!(30 * 60 * 1000));
    assert_eq!(limited.header("retry-after"), Some("1800"));
    node.mailer.wait_for(2).await;
}

#[tokio::test]
async fn the_mails_page_says_who_asked() {
    let node = TestNode::start().await;
    let token = node.identity_user("alice").await;
    let Sent { link, .. } = send_mail(&node, &token, "monkeys").await;
    let link = url::Url::parse(&link).expect("a URL");
    let path = format!("{}?{}", link.path(), link.query().expect("a query"));
    let page = node.call(Method::GET, &path).send().await;
    assert!(page.text.contains("@alice:localhost"), "{page:?}");
}
