//! `GET …/submitToken`: a browser follows a link that validates at once.

use std::{num::NonZeroU32, time::Duration};

use axum::http::Method;
use countersign_api::identity::{validate_email, validate_msisdn};
use serde_json::json;

use super::{EMAIL, Sent, send_mail};
use crate::{
    steps::{identity, other_code},
    support::TestNode,
    wire::{Answer, Call},
};

fn visit(node: &TestNode, query: &str) -> Call {
    node.call(Method::GET, &format!("{}?{query}", identity(validate_email::SUBMIT_TOKEN)))
}

#[track_caller]
fn assert_page(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{answer:?}");
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{answer:?}");
    assert!(answer.header("location").is_none(), "{answer:?}");
}

/// Asks for a mail that leads on to `next_link`; answers the session and its code.
async fn send_mail_with(node: &TestNode, token: &str, next_link: &str) -> (String, String) {
    let body = json!({"client_secret": "monkeys", "email": EMAIL, "send_attempt": 1, "next_link": next_link});
    let asked = node.identity_post(validate_email::REQUEST_TOKEN, &body).token(token).send().await;
    let code = node.mailer.wait_for(1).await.swap_remove(0).code.expect("a code");
    (asked.ok_string("sid"), code)
}

#[tokio::test]
async fn the_right_link_validates_at_once_without_an_access_token_and_again() {
    let node = TestNode::start().await;
    let token = node.identity_user("alice").await;
    let Sent { sid, code, .. } = send_mail(&node, &token, "monkeys").await;
    for _ in 0..2 {
        let page = visit(&node, &format!("sid={sid}&client_secret=monkeys&token={code}")).send().await;
        assert_page(&page, 200);
        assert!(!page.text.contains(EMAIL), "the address is masked");
    }
    node.get_validated(&token, &sid, "monkeys").send().await.ok();
}

#[tokio::test]
async fn the_page_is_in_the_readers_language() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("de")).expect("a folder");
    for page in ["confirmed", "link_invalid"] {
        let file = folder.path().join(format!("de/{page}.html"));
        std::fs::write(file, "<!doctype html><html lang=\"de\"><title>Adresse</title>").expect("a file");
    }
    let pages_folder = folder.path().to_owned();
    let node = TestNode::start_with(|config| config.templates.pages_folder = Some(pages_folder)).await;
    let token = node.identity_user("alice").await;
    let Sent { sid, code, .. } = send_mail(&node, &token, "monkeys").await;
    for (language, query) in [
        ("de", format!("sid={sid}&client_secret=monkeys&token={code}")),
        ("en", format!("sid={sid}&client_secret=monkeys&token={code}")),
        ("de", "sid=unknown&client_secret=monkeys&token=x".to_owned()),
        ("en", "sid=unknown&client_secret=monkeys&token=x".to_owned()),
    ] {
        let page = visit(&node, &query).header("accept-language", language).send().await;
        assert_eq!(page.header("content-language"), Some(language), "{page:?}");
    }
}

#[tokio::test]
async fn every_failure_is_a_page_with_a_status_of_failure() {
    let node = TestNode::start().await;
    let token = node.identity_user("alice").await;
    let Sent { sid, code, .. } = send_mail(&node, &token, "monkeys").await;
    let wrong = other_code(&code);
    for (query, status) in [
        (String::new(), 400),
        (format!("client_secret=monkeys&token={code}"), 400),
        (format!("sid={sid}&token={code}"), 400),
        (format!("sid={sid}&client_secret=monkeys"), 400),
        (format!("sid={sid}&client_secret=a%20b&token={code}"), 400),
        (format!("sid={sid}&client_secret=monkeys&token={}", "x".repeat(256)), 400),
        (format!("sid={sid}&client_secret=monkeys&token={wrong}"), 404),
        (format!("sid={sid}&client_secret=other&token={code}"), 404),
        (format!("sid=unknown&client_secret=monkeys&token={code}"), 404),
    ] {
        assert_page(&visit(&node, &query).send().await, status);
    }
    let at_msisdn =
        format!("{}?sid={sid}&client_secret=monkeys&token={code}", identity(validate_msisdn::SUBMIT_TOKEN));
    assert_page(&node.call(Method::GET, &at_msisdn).send().await, 404);
    node.let_pass(super::DAY + super::TICK).await;
    let late = visit(&node, &format!("sid={sid}&client_secret=monkeys&token={code}")).send().await;
    assert_page(&late, 410);
    node.get_validated(&token, &sid, "monkeys").send().await.expect_error(400, "M_SESSION_EXPIRED");
}

#[tokio::test]
async fn too_many_wrong_links_have_a_page_that_says_when_to_try_again() {
    let node = TestNode::start_with(|config| {
        config.limits.misses_per_network_per_hour = NonZeroU32::new(2).expect("not 0");
    })
    .await;
    let token = node.identity_user("alice").await;
    let Sent { sid, code, .. } = send_mail(&node, &token, "monkeys").await;
    let wrong = other_code(&code);
    for _ in 0..2 {
        assert_page(
            &visit(&node, &format!("sid={sid}&client_secret=monkeys&token={wrong}")).send().await,
            404,
        );
    }
    let limited = visit(&node, &format!("sid={sid}&client_secret=monkeys&token={wrong}")).send().await;
    assert_page(&limited, 429);
    assert_eq!(limited.header("retry-after"), Some("1800"));
    node.let_pass(Duration::from_secs(1800)).await;
    assert_page(&visit(&node, &format!("sid={sid}&client_secret=monkeys&token={code}")).send().await, 200);
}

#[tokio::test]
async fn nothing_of_the_query_comes_back_as_markup() {
    let node = TestNode::start().await;
    let script = "%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    for query in [
        format!("sid={script}&client_secret=monkeys&token=x"),
        format!("sid=x&client_secret={script}&token=x"),
        format!("sid=x&client_secret=monkeys&token={script}"),
        script.to_owned(),
    ] {
        let page = visit(&node, &query).send().await;
        assert!((400..500).contains(&page.status), "{page:?}");
        assert!(!page.text.contains("alert(1)"), "{page:?}");
    }
}

#[tokio::test]
async fn a_success_leads_on_by_the_sessions_own_link_and_never_by_the_query() {
    let node = TestNode::start_with(|config| {
        config.validation.next_link_hosts = vec!["app.example.org".to_owned()];
    })
    .await;
    let token = node.identity_user("alice").await;
    let (sid, code) = send_mail_with(&node, &token, "https://app.example.org/#/done?x=1").await;
    let evil = "next_link=https%3A%2F%2Fevil.example%2F&nextLink=https%3A%2F%2Fevil.example%2F";
    let wrong = visit(&node, &format!("sid={sid}&client_secret=monkeys&token=x&{evil}")).send().await;
    assert_page(&wrong, 404);
    let right = visit(&node, &format!("sid={sid}&client_secret=monkeys&token={code}&{evil}")).send().await;
    assert_eq!(right.status, 303, "{right:?}");
    let expected = format!("https://app.example.org/#/done?x=1&sid={sid}");
    assert_eq!(right.header("location"), Some(expected.as_str()));
    assert_eq!(right.header("access-control-allow-origin"), Some("*"));
}

#[tokio::test]
async fn a_host_that_is_not_listed_is_led_to_by_a_link_and_not_without_a_click() {
    let node = TestNode::start().await;
    let token = node.identity_user("alice").await;
    let (sid, code) = send_mail_with(&node, &token, "https://app.example.org/#/done?x=1").await;
    for _ in 0..2 {
        let page = visit(&node, &format!("sid={sid}&client_secret=monkeys&token={code}")).send().await;
        assert_page(&page, 200);
        assert!(page.text.contains("href=\"https:&#x2f;&#x2f;app.example.org"), "{page:?}");
    }
    node.get_validated(&token, &sid, "monkeys").send().await.ok();
}

#[tokio::test]
async fn without_a_link_of_its_own_the_session_leads_nowhere_whatever_the_query_says() {
    let node = TestNode::start().await;
    let token = node.identity_user("alice").await;
    let Sent { sid, code, .. } = send_mail(&node, &token, "monkeys").await;
    let query =
        format!("sid={sid}&client_secret=monkeys&token={code}&next_link=https%3A%2F%2Fevil.example%2F");
    let page = visit(&node, &query).send().await;
    assert_page(&page, 200);
    assert!(!page.text.contains("evil.example"), "{page:?}");
}

#[tokio::test]
async fn a_token_that_comes_as_json_leads_nowhere() {
    let node = TestNode::start().await;
    let token = node.identity_user("alice").await;
    let (sid, code) = send_mail_with(&node, &token, "https://app.example.org/").await;
    let answer = super::submit(&node, &token, &sid, "monkeys", &code).send().await;
    assert_eq!((answer.ok(), answer.header("location")), (json!({"success": true}), None));
}
