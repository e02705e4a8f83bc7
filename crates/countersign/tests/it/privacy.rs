//! `privacy.hide_accounts`: a stranger can't tell whose address it is, and its owner hears of it.

use axum::http::Method;
use countersign_api::client::{
    request_token::{PASSWORD_EMAIL, PASSWORD_MSISDN, REGISTER_EMAIL, REGISTER_MSISDN},
    threepid::DELETE,
};
use serde_json::json;

use crate::{support::TestNode, wire::Answer};

/// A node where Alice has `alice@example.org` and `447700900001`; the messages for that are the first of each kind.
async fn start() -> TestNode {
    let node = TestNode::start_with(|config| {
        config.privacy.hide_accounts = true;
        // What the owner hears of changes would be counted with what strangers cause.
        config.notices.enabled = false;
        config.limits.requests_per_network_burst = std::num::NonZeroU32::new(30).expect("not 0");
    })
    .await;
    let alice = node.register("alice").await;
    node.give_email(&alice, "alice@example.org").await;
    let sid = node.validate_msisdn("given", "GB", "07700900001").await;
    node.add(&alice, &sid, "given").send().await.ok();
    node
}

/// An answer without what differs from session to session.
fn shape(answer: &Answer) -> (u16, Vec<String>, Option<String>) {
    let url = answer.ok()["submit_url"].as_str().map(str::to_owned);
    let sid_length = answer.ok_string("sid").len().to_string();
    let keys = answer.ok_keys().into_iter().chain([sid_length]).collect();
    (answer.status, keys, url)
}

#[tokio::test]
async fn an_address_in_use_is_answered_like_a_free_one() {
    let node = start().await;
    let free = node.ask_email("monkeys", "free@example.org", 1).send().await;
    let used = node.ask_email("monkeys", "alice@example.org", 1).send().await;
    assert_eq!(shape(&used), shape(&free));
    let names = |answer: &Answer| answer.headers.keys().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names(&used), names(&free));
    let free = node.ask_msisdn("monkeys", "GB", "07700900002", 1).send().await;
    let used = node.ask_msisdn("monkeys", "GB", "07700900001", 1).send().await;
    assert_eq!(shape(&used), shape(&free));
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn a_repeat_has_the_same_session_and_sends_nothing() {
    let node = start().await;
    let ask = |attempt| node.ask_email("monkeys", "Alice@example.org", attempt);
    let sid = ask(1).send().await.ok_string("sid");
    for (attempt, mails) in [(1, 2), (0, 2), (2, 3), (2, 3)] {
        assert_eq!(ask(attempt).send().await.ok_string("sid"), sid);
        assert_eq!(node.mailer.wait_for(mails).await.len(), mails);
        node.until_outbox_is_empty().await;
        assert_eq!(node.mailer.messages().len(), mails, "{attempt}");
    }
}

#[tokio::test]
async fn the_owner_gets_a_notice_without_code_or_link() {
    let node = start().await;
    let proofs = (node.mailer.messages().swap_remove(0), node.sms.messages().swap_remove(0));
    node.ask_email("monkeys", "alice@example.org", 1).send().await.ok();
    node.ask_msisdn("monkeys", "GB", "07700900001", 1).send().await.ok();
    let mail = node.mailer.wait_for(2).await.swap_remove(1);
    assert_eq!(mail.to, "alice@example.org");
    assert_ne!(mail.template, proofs.0.template);
    assert!(mail.code.is_none(), "{mail:?}");
    assert!(
        !mail.text.contains("/_countersign/v1/confirm") && !mail.html.contains("/_countersign/v1/confirm")
    );
    let sms = node.sms.wait_for(2).await.swap_remove(1);
    assert_eq!(sms.to, "447700900001");
    assert_ne!(sms.template, proofs.1.template);
    assert!(sms.code.is_none(), "{sms:?}");
}

#[tokio::test]
async fn guesses_at_a_hidden_session_end_like_guesses_at_a_real_one() {
    let node = start().await;
    let mut stories = Vec::new();
    for email in ["free@example.org", "alice@example.org"] {
        let sid = node.ask_email("monkeys", email, 1).send().await.ok_string("sid");
        node.until_outbox_is_empty().await;
        let mut story = Vec::new();
        // A text that is no code is sure to be wrong.
        for token in ["wrong", "", "0000000", "123 456", "x", "wrong", "wrong"] {
            let answer = node.submit(&sid, "monkeys", token).send().await;
            story.push((answer.status, answer.text));
        }
        let other_secret = node.submit(&sid, "other", "wrong").send().await;
        story.push((other_secret.status, other_secret.text));
        // Ended, it is replaced by another.
        let again = node.ask_email("monkeys", email, 1).send().await;
        story.push((again.status, (again.ok_string("sid") == sid).to_string()));
        stories.push(story);
    }
    assert_eq!(stories[0], stories[1]);
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn no_code_validates_a_hidden_session() {
    let node = start().await;
    let sid = node.ask_email("monkeys", "alice@example.org", 1).send().await.ok_string("sid");
    node.until_outbox_is_empty().await;
    // Codes of the next generations of the same session are derived from it: none may fit by their form alone.
    for code in ["000000", "123456", "999999"] {
        node.submit(&sid, "monkeys", code).send().await.expect_error(400, "M_TOKEN_INCORRECT");
    }
    let bob = node.register("bob").await;
    node.add(&bob, &sid, "monkeys").send().await.expect_error(400, "M_THREEPID_AUTH_FAILED");
}

#[tokio::test]
async fn limits_are_those_of_a_free_address() {
    let node = start().await;
    let mut stories = Vec::new();
    // One message went to each before.
    node.validate_email("before", "free@example.org").await;
    for email in ["free@example.org", "alice@example.org"] {
        let mut story = Vec::new();
        for attempt in 1..=6 {
            let answer = node.ask_email("monkeys", email, attempt).send().await;
            let retry_after = answer.header("retry-after").map(str::to_owned);
            story.push((answer.status, retry_after));
        }
        stories.push(story);
    }
    assert_eq!(stories[0], stories[1]);
    assert_eq!(stories[0][4].0, 429);
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn an_address_that_becomes_free_is_proven_in_the_session_that_was_asked_for() {
    let node = start().await;
    let sid = node.ask_email("monkeys", "alice@example.org", 1).send().await.ok_string("sid");
    node.until_outbox_is_empty().await;
    let body = json!({
        "type": "m.login.password",
        "user": "alice",
        "password": crate::support::PASSWORD,
    });
    let token = node.post("/login", &body).send().await.ok_string("access_token");
    let body = json!({"medium": "email", "address": "alice@example.org"});
    node.post(DELETE, &body).token(&token).send().await.ok();
    assert_eq!(node.ask_email("monkeys", "alice@example.org", 2).send().await.ok_string("sid"), sid);
    let mail = node.mailer.wait_for(3).await.swap_remove(2);
    node.submit(&sid, "monkeys", &mail.code.unwrap()).send().await.ok();
}

#[tokio::test]
async fn nothing_else_tells_whether_an_address_is_known() {
    let node = start().await;
    // A login by an unknown address and one by a known address with a wrong password are one answer.
    let mut answers = Vec::new();
    for address in ["free@example.org", "alice@example.org"] {
        let body = json!({
            "type": "m.login.password",
            "identifier": {"type": "m.id.thirdparty", "medium": "email", "address": address},
            "password": "wrong",
        });
        let answer = node.call(Method::POST, "/_api/client/v3/login").json(&body).send().await;
        answers.push((answer.status, answer.text));
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn registering_with_an_address_in_use_looks_like_any_other() {
    let node = start().await;
    let by_mail = |email: &str| {
        node.post(REGISTER_EMAIL, &json!({"client_secret": "monkeys", "email": email, "send_attempt": 1}))
    };
    let by_sms = |number: &str| {
        let body = json!({
            "client_secret": "monkeys", "country": "GB", "phone_number": number, "send_attempt": 1,
        });
        node.post(REGISTER_MSISDN, &body)
    };
    let (free, used) = (by_mail("free@example.org").send().await, by_mail("Alice@example.org").send().await);
    assert_eq!(shape(&used), shape(&free));
    assert_eq!(by_mail("alice@example.org").send().await.ok_string("sid"), used.ok_string("sid"));
    let (free, used) = (by_sms("07700900002").send().await, by_sms("07700900001").send().await);
    assert_eq!(shape(&used), shape(&free));
    node.until_outbox_is_empty().await;
    let notice = node.mailer.messages().into_iter().rfind(|mail| mail.to == "alice@example.org");
    let notice = notice.expect("a mail");
    assert!(notice.code.is_none() && notice.text.contains("create an account"), "{notice:?}");
    let sms = node.sms.messages().into_iter().rfind(|sms| sms.to == "447700900001");
    assert!(sms.expect("an SMS").code.is_none());
}

#[tokio::test]
async fn resetting_an_unknown_password_looks_like_any_other() {
    let node = start().await;
    let by_mail = |email: &str| {
        node.post(PASSWORD_EMAIL, &json!({"client_secret": "monkeys", "email": email, "send_attempt": 1}))
    };
    let by_sms = |number: &str| {
        let body = json!({
            "client_secret": "monkeys", "country": "GB", "phone_number": number, "send_attempt": 1,
        });
        node.post(PASSWORD_MSISDN, &body)
    };
    let (known, unknown) =
        (by_mail("alice@example.org").send().await, by_mail("free@example.org").send().await);
    assert_eq!(shape(&unknown), shape(&known));
    let again = by_mail("FREE@example.org").send().await;
    assert_eq!(again.ok_string("sid"), unknown.ok_string("sid"));
    let (known, hidden) = (by_sms("07700900001").send().await, by_sms("07700900002").send().await);
    assert_eq!(shape(&hidden), shape(&known));
    node.until_outbox_is_empty().await;
    let mail = node.mailer.messages().into_iter().find(|mail| mail.to == "free@example.org");
    let mail = mail.expect("a mail says that there is no account");
    assert!(mail.link.is_none() && mail.code.is_none() && mail.text.contains("No account"), "{mail:?}");
    // The session of an unknown address waits for ever, as that of a known one does until its link is clicked.
    for sid in [known.ok_string("sid"), unknown.ok_string("sid")] {
        let creds = json!({"sid": sid, "client_secret": "monkeys"});
        let auth = json!({"type": "m.login.email.identity", "threepid_creds": creds});
        let body = json!({"new_password": "another good password", "auth": auth});
        let waiting = node.post("/account/password", &body).send().await;
        assert_eq!(waiting.stage_errcode().as_deref(), Some("M_UNAUTHORIZED"));
    }
}
