//! The `submit_url`: right, wrong, too often and too late.

use std::time::Duration;

use serde_json::json;

use crate::{
    steps::{link_token, other_code, send_all},
    support::TestNode,
    wire::Answer,
};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const TICK: Duration = Duration::from_millis(1);

/// A session whose message was delivered.
struct Sent {
    sid: String,
    code: String,
    link_token: String,
}

async fn send_mail(node: &TestNode, client_secret: &str, email: &str) -> Sent {
    let came = node.mailer.messages().len();
    let sid = node.ask_email(client_secret, email, 1).send().await.ok_string("sid");
    let mail = node.mailer.wait_for(came + 1).await.swap_remove(came);
    Sent { sid, code: mail.code.expect("a code"), link_token: link_token(&mail.link.expect("a link")) }
}

#[track_caller]
fn assert_limited(answer: &Answer) {
    answer.expect_error(429, "M_LIMIT_EXCEEDED");
    let millis = answer.json()["retry_after_ms"].as_u64().expect("a number");
    let seconds: u64 = answer.header("retry-after").expect("a header").parse().expect("a number");
    assert!(0 < millis);
    assert_eq!(seconds, millis.div_ceil(1000));
}

#[tokio::test]
async fn the_right_code_validates_and_does_so_again() {
    let node = TestNode::start().await;
    let Sent { sid, code, .. } = send_mail(&node, "monkeys", "alice@example.org").await;
    for _ in 0..3 {
        let answer = node.submit(&sid, "monkeys", &code).send().await;
        assert_eq!(answer.ok(), json!({"success": true}));
    }
}

#[tokio::test]
async fn the_right_code_by_sms_validates() {
    let node = TestNode::start().await;
    let sid = node.ask_msisdn("monkeys", "GB", "07700900001", 1).send().await.ok_string("sid");
    let code = node.sms.wait_for(1).await.swap_remove(0).code.unwrap();
    node.submit(&sid, "monkeys", &other_code(&code)).send().await.expect_error(400, "M_TOKEN_INCORRECT");
    assert_eq!(node.submit(&sid, "monkeys", &code).send().await.ok(), json!({"success": true}));
}

#[tokio::test]
async fn the_links_token_validates_too() {
    let node = TestNode::start().await;
    let Sent { sid, link_token, .. } = send_mail(&node, "monkeys", "alice@example.org").await;
    for _ in 0..2 {
        let answer = node.submit(&sid, "monkeys", &link_token).send().await;
        assert_eq!(answer.ok(), json!({"success": true}));
    }
}

#[tokio::test]
async fn no_access_token_is_asked_for_and_a_bad_one_does_no_harm() {
    let node = TestNode::start().await;
    let Sent { sid, code, .. } = send_mail(&node, "monkeys", "alice@example.org").await;
    node.submit(&sid, "monkeys", &code).token("wrong").send().await.ok();
}

#[tokio::test]
async fn every_request_at_once_is_answered_alike() {
    let node = TestNode::start().await;
    let Sent { sid, code, .. } = send_mail(&node, "monkeys", "alice@example.org").await;
    for answer in send_all((0..16).map(|_| node.submit(&sid, "monkeys", &code)).collect()).await {
        assert_eq!(answer.ok(), json!({"success": true}));
    }
}

#[tokio::test]
async fn what_is_nearly_the_code_is_wrong() {
    let node = TestNode::start_with(|config| {
        config.limits.misses_per_session = std::num::NonZeroU32::new(20).unwrap();
    })
    .await;
    let Sent { sid, code, link_token, .. } = send_mail(&node, "monkeys", "alice@example.org").await;
    let wide: String =
        code.chars().map(|c| char::from_u32(c as u32 - '0' as u32 + '０' as u32).unwrap()).collect();
    let reversed: String = link_token.chars().rev().collect();
    for wrong in [
        other_code(&code),
        format!(" {code}"),
        format!("{code} "),
        format!("{code}\n"),
        format!("0{code}"),
        code[..5].to_owned(),
        wide,
        String::new(),
        format!("{link_token}="),
        link_token[..42].to_owned(),
        reversed,
        "ä".repeat(255),
    ] {
        let answer = node.submit(&sid, "monkeys", &wrong).send().await;
        assert_eq!(answer.error(), (400, "M_TOKEN_INCORRECT".to_owned()), "{wrong:?}");
    }
    node.submit(&sid, "monkeys", &code).send().await.ok();
}

#[tokio::test]
async fn five_wrong_tokens_end_a_session_even_for_the_right_one() {
    let node = TestNode::start().await;
    let Sent { sid, code, link_token } = send_mail(&node, "monkeys", "alice@example.org").await;
    for _ in 0..5 {
        let answer = node.submit(&sid, "monkeys", &other_code(&code)).send().await;
        answer.expect_error(400, "M_TOKEN_INCORRECT");
    }
    for token in [&code, &link_token, &other_code(&code)] {
        let answer = node.submit(&sid, "monkeys", token).send().await;
        answer.expect_error(400, "M_SESSION_EXPIRED");
        assert_eq!(answer.json().get("resend"), None);
    }
    // Asking again opens another session.
    let next = send_mail(&node, "monkeys", "alice@example.org").await;
    assert_ne!(next.sid, sid);
    node.submit(&next.sid, "monkeys", &next.code).send().await.ok();
}

#[tokio::test]
async fn guesses_at_once_are_all_counted() {
    let node = TestNode::start_without_limits().await;
    let Sent { sid, code, .. } = send_mail(&node, "monkeys", "alice@example.org").await;
    let wrong = other_code(&code);
    let answers = send_all((0..32).map(|_| node.submit(&sid, "monkeys", &wrong)).collect()).await;
    let errors: Vec<_> = answers.iter().map(|answer| answer.error().1).collect();
    assert_eq!(errors.iter().filter(|errcode| *errcode == "M_TOKEN_INCORRECT").count(), 5);
    assert_eq!(errors.iter().filter(|errcode| *errcode == "M_SESSION_EXPIRED").count(), 27);
}

#[tokio::test]
async fn asking_for_another_message_does_not_forgive_guesses() {
    let node = TestNode::start().await;
    let Sent { sid, code, .. } = send_mail(&node, "monkeys", "alice@example.org").await;
    for attempt in 2..=4 {
        node.submit(&sid, "monkeys", &other_code(&code)).send().await.expect_error(400, "M_TOKEN_INCORRECT");
        node.ask_email("monkeys", "alice@example.org", attempt).send().await.ok();
    }
    for _ in 0..2 {
        node.submit(&sid, "monkeys", &other_code(&code)).send().await.expect_error(400, "M_TOKEN_INCORRECT");
    }
    node.submit(&sid, "monkeys", &code).send().await.expect_error(400, "M_SESSION_EXPIRED");
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn an_unknown_session_and_a_wrong_secret_are_one_answer() {
    let node = TestNode::start().await;
    let Sent { sid, code, .. } = send_mail(&node, "monkeys", "alice@example.org").await;
    let unknown = node.submit("AAAAAAAAAAAAAAAAAAAAAA", "monkeys", &code).send().await;
    unknown.expect_error(400, "M_INVALID_PARAM");
    let ill_formed = node.submit("no/sid", "monkeys", &code).send().await;
    let wrong_secret = node.submit(&sid, "Monkeys", &code).send().await;
    assert_eq!(unknown.text, ill_formed.text);
    assert_eq!(unknown.text, wrong_secret.text);
    // A wrong secret is no guess: it could end other people's sessions.
    for _ in 0..10 {
        node.submit(&sid, "other", "000000").send().await.expect_error(400, "M_INVALID_PARAM");
    }
    node.submit(&sid, "monkeys", &code).send().await.ok();
    let wrong_secret = node.submit(&sid, "other", &code).send().await;
    assert_eq!(unknown.text, wrong_secret.text);
    node.let_pass(DAY + TICK).await;
    let wrong_secret = node.submit(&sid, "other", &code).send().await;
    assert_eq!(unknown.text, wrong_secret.text);
}

#[tokio::test]
async fn a_code_that_is_too_old_asks_for_a_resend_which_works() {
    let node = TestNode::start().await;
    let Sent { sid, code, .. } = send_mail(&node, "monkeys", "alice@example.org").await;
    node.let_pass(30 * MINUTE + TICK).await;
    let late = node.submit(&sid, "monkeys", &code).send().await;
    late.expect_error(400, "M_SESSION_EXPIRED");
    assert_eq!(late.json()["resend"], json!(true));
    assert_eq!(node.ask_email("monkeys", "alice@example.org", 2).send().await.ok_string("sid"), sid);
    let fresh = node.mailer.wait_for(2).await.swap_remove(1).code.unwrap();
    node.submit(&sid, "monkeys", &fresh).send().await.ok();
    // Validated, it stays so.
    node.let_pass(31 * MINUTE).await;
    node.submit(&sid, "monkeys", &fresh).send().await.ok();
}

#[tokio::test]
async fn a_code_works_to_the_end_of_its_life() {
    let node = TestNode::start().await;
    let mail = send_mail(&node, "monkeys", "alice@example.org").await;
    let sid = node.ask_msisdn("monkeys", "GB", "07700900001", 1).send().await.ok_string("sid");
    let code = node.sms.wait_for(1).await.swap_remove(0).code.unwrap();
    node.let_pass(10 * MINUTE).await;
    node.submit(&sid, "monkeys", &code).send().await.ok();
    node.let_pass(20 * MINUTE).await;
    node.submit(&mail.sid, "monkeys", &mail.code).send().await.ok();
}

#[tokio::test]
async fn an_old_sms_code_asks_for_a_resend_after_ten_minutes() {
    let node = TestNode::start().await;
    let sid = node.ask_msisdn("monkeys", "GB", "07700900001", 1).send().await.ok_string("sid");
    let code = node.sms.wait_for(1).await.swap_remove(0).code.unwrap();
    node.let_pass(10 * MINUTE + TICK).await;
    let late = node.submit(&sid, "monkeys", &code).send().await;
    late.expect_error(400, "M_SESSION_EXPIRED");
    assert_eq!(late.json()["resend"], json!(true));
}

#[tokio::test]
async fn a_links_token_works_for_a_day_and_then_the_session_is_over() {
    let node = TestNode::start().await;
    let early = send_mail(&node, "monkeys", "alice@example.org").await;
    let late = send_mail(&node, "monkeys", "bob@example.org").await;
    node.let_pass(DAY).await;
    node.submit(&early.sid, "monkeys", &early.link_token).send().await.ok();
    node.let_pass(TICK).await;
    for token in [&late.link_token, &late.code] {
        let answer = node.submit(&late.sid, "monkeys", token).send().await;
        answer.expect_error(400, "M_SESSION_EXPIRED");
        assert_eq!(answer.json().get("resend"), None);
    }
    // Validation began a day of its own.
    node.let_pass(DAY - TICK).await;
    node.submit(&early.sid, "monkeys", &early.link_token).send().await.ok();
    node.let_pass(TICK).await;
    node.submit(&early.sid, "monkeys", &early.link_token).send().await.expect_error(400, "M_SESSION_EXPIRED");
}

#[tokio::test]
async fn twenty_wrong_codes_close_an_address_for_codes_in_all_sessions_but_not_for_links() {
    let node = TestNode::start_with(|config| {
        config.limits.messages_per_address_per_hour = std::num::NonZeroU32::new(10).unwrap();
    })
    .await;
    for round in 0..4 {
        let secret = format!("secret{round}");
        let Sent { sid, code, .. } = send_mail(&node, &secret, "alice@example.org").await;
        for _ in 0..5 {
            let answer = node.submit(&sid, &secret, &other_code(&code)).send().await;
            answer.expect_error(400, "M_TOKEN_INCORRECT");
        }
    }
    let Sent { sid, code, link_token } = send_mail(&node, "last", "alice@example.org").await;
    assert_limited(&node.submit(&sid, "last", &code).send().await);
    assert_limited(&node.submit(&sid, "last", &other_code(&code)).send().await);
    // Other addresses go on.
    let other = send_mail(&node, "other", "bob@example.org").await;
    node.submit(&other.sid, "other", &other.code).send().await.ok();
    node.submit(&sid, "last", &link_token).send().await.ok();
}

#[tokio::test]
async fn wrong_codes_from_one_network_close_it_and_no_other() {
    let node = TestNode::start_with(|config| {
        config.limits.misses_per_network_per_hour = std::num::NonZeroU32::new(2).unwrap();
    })
    .await;
    let Sent { sid, code, .. } = send_mail(&node, "monkeys", "alice@example.org").await;
    let guess = |token: &str, from| node.submit(&sid, "monkeys", token).from(from);
    for _ in 0..2 {
        guess(&other_code(&code), "198.51.100.7").send().await.expect_error(400, "M_TOKEN_INCORRECT");
    }
    assert_limited(&guess(&code, "198.51.100.7").send().await);
    guess(&code, "198.51.100.8").send().await.ok();
}

#[tokio::test]
async fn a_code_validates_its_own_session_only() {
    let node = TestNode::start().await;
    let alice = send_mail(&node, "monkeys", "alice@example.org").await;
    let bob = send_mail(&node, "monkeys", "bob@example.org").await;
    // One in a million runs draws the same code twice.
    if alice.code != bob.code {
        node.submit(&bob.sid, "monkeys", &alice.code).send().await.expect_error(400, "M_TOKEN_INCORRECT");
    }
    let answer = node.submit(&bob.sid, "monkeys", &alice.link_token).send().await;
    answer.expect_error(400, "M_TOKEN_INCORRECT");
}
