//! Proving phone numbers to the identity service.

use std::time::Duration;

use axum::http::Method;
use countersign::config::{Countries, DelegateConfig, DelegatedMedium, PeerUrl, Secret};
use countersign_api::identity::{validate_email, validate_msisdn};
use serde_json::json;

use crate::{
    steps::{identity, other_code},
    support::{START, TestNode},
    wire::Call,
};

const NUMBER: &str = "07700 900001";

fn submit(node: &TestNode, token: &str, sid: &str, code: &str) -> Call {
    let body = json!({"sid": sid, "client_secret": "monkeys", "token": code});
    node.identity_post(validate_msisdn::SUBMIT_TOKEN, &body).token(token)
}

async fn send_sms(node: &TestNode, token: &str) -> (String, String) {
    let asked = node.ask_identity_msisdn(token, "monkeys", NUMBER, 1).send().await;
    assert_eq!(asked.ok_keys(), ["sid"]);
    let sms = node.sms.wait_for(1).await.swap_remove(0);
    (asked.ok_string("sid"), sms.code.expect("an SMS carries a code"))
}

#[tokio::test]
async fn a_number_is_proven_by_the_code_of_an_sms() {
    let node = TestNode::start().await;
    let token = node.identity_user("alice").await;
    let (sid, code) = send_sms(&node, &token).await;
    submit(&node, &token, &sid, &other_code(&code)).send().await.expect_error(400, "M_TOKEN_INCORRECT");
    for _ in 0..2 {
        assert_eq!(submit(&node, &token, &sid, &code).send().await.ok(), json!({"success": true}));
    }
    let validated = node.get_validated(&token, &sid, "monkeys").send().await.ok();
    let expected = json!({"medium": "msisdn", "address": "447700900001", "validated_at": START.as_millis()});
    assert_eq!(validated, expected);
}

#[tokio::test]
async fn two_spellings_of_a_number_are_one_session_and_one_sms() {
    let node = TestNode::start().await;
    let token = node.identity_user("alice").await;
    let (sid, _) = send_sms(&node, &token).await;
    for number in ["+44 7700 900001", "0044 7700 900001", "7700900001"] {
        let asked = node.ask_identity_msisdn(&token, "monkeys", number, 1).send().await;
        assert_eq!(asked.ok_string("sid"), sid, "{number}");
    }
    node.until_outbox_is_empty().await;
    assert_eq!(node.sms.messages().len(), 1);
}

#[tokio::test]
async fn a_code_by_sms_does_not_belong_to_the_endpoint_for_mail() {
    let node = TestNode::start().await;
    let token = node.identity_user("alice").await;
    let (sid, code) = send_sms(&node, &token).await;
    let body = json!({"sid": sid, "client_secret": "monkeys", "token": code});
    let answer = node.identity_post(validate_email::SUBMIT_TOKEN, &body).token(&token).send().await;
    answer.expect_error(400, "M_INVALID_PARAM");
    submit(&node, &token, &sid, &code).send().await.ok();
}

#[tokio::test]
async fn a_browser_hands_in_a_code_by_its_link() {
    let node = TestNode::start().await;
    let token = node.identity_user("alice").await;
    let (sid, code) = send_sms(&node, &token).await;
    let visit = |path: &str| {
        let path = format!("{}?sid={sid}&client_secret=monkeys&token={code}", identity(path));
        node.call(Method::GET, &path).send()
    };
    assert_eq!(visit(validate_email::SUBMIT_TOKEN).await.status, 404);
    assert_eq!(visit(validate_msisdn::SUBMIT_TOKEN).await.status, 200);
    node.get_validated(&token, &sid, "monkeys").send().await.ok();
}

#[tokio::test]
async fn numbers_countries_and_destinations_have_codes_of_their_own() {
    let node = TestNode::start_with(|config| {
        let sms = config.sms.as_mut().expect("dev sends SMS");
        sms.countries = Countries::Only(vec!["GB".to_owned()]);
    })
    .await;
    let token = node.identity_user("alice").await;
    for (country, number, errcode) in [
        ("GB", "abc", "M_INVALID_ADDRESS"),
        ("GB", "12", "M_INVALID_ADDRESS"),
        ("GB", "", "M_INVALID_ADDRESS"),
        ("GB", "07700900001 ext. 5", "M_INVALID_ADDRESS"),
        ("gb", NUMBER, "M_INVALID_PARAM"),
        ("ZZ", NUMBER, "M_INVALID_PARAM"),
        ("DE", "0151 23456789", "M_DESTINATION_REJECTED"),
        ("GB", "+49 151 23456789", "M_DESTINATION_REJECTED"),
    ] {
        let body =
            json!({"client_secret": "x", "country": country, "phone_number": number, "send_attempt": 1});
        let answer = node.identity_post(validate_msisdn::REQUEST_TOKEN, &body).token(&token).send().await;
        assert_eq!(answer.error(), (400, errcode.to_owned()), "{country} {number}");
    }
    assert_eq!(node.messages_queued(), 0);
}

#[tokio::test]
async fn an_attempt_may_be_integer_text() {
    let node = TestNode::start().await;
    let token = node.identity_user("alice").await;
    let body = json!({"client_secret": "x", "country": "GB", "phone_number": NUMBER, "send_attempt": "1"});
    node.identity_post(validate_msisdn::REQUEST_TOKEN, &body).token(&token).send().await.ok();
    node.sms.wait_for(1).await;
}

#[tokio::test]
async fn where_no_sms_is_sent_the_medium_is_unrecognized() {
    let node = TestNode::start_with(|config| config.sms = None).await;
    let token = node.identity_user("alice").await;
    node.ask_identity_msisdn(&token, "x", NUMBER, 1).send().await.expect_error(400, "M_UNRECOGNIZED");
}

#[tokio::test]
async fn two_people_may_prove_one_number() {
    let node = TestNode::start().await;
    let (alice, bob) = (node.identity_user("alice").await, node.identity_user("bob").await);
    let of_alice = node.identity_msisdn(&alice, "alices", NUMBER).await;
    let of_bob = node.identity_msisdn(&bob, "bobs", NUMBER).await;
    assert_ne!(of_alice, of_bob);
    for (token, sid, secret) in [(&alice, &of_alice, "alices"), (&bob, &of_bob, "bobs")] {
        node.get_validated(token, sid, secret).send().await.ok();
    }
}

#[tokio::test]
async fn another_service_proves_numbers_for_this_one_which_asks_before_it_tells() {
    let service = TestNode::start().await;
    let access_token = service.identity_user("countersign").await;
    let node = TestNode::start_with(|config| {
        config.sms = None;
        config.validation.delegate = Some(DelegateConfig {
            url: PeerUrl::parse(&service.url).expect("a URL"),
            access_token: Some(Secret::new(access_token)),
            access_token_file: None,
            media: vec![DelegatedMedium::Msisdn],
            timeout: Duration::from_secs(10),
            ca_file: None,
        });
    })
    .await;
    let token = node.identity_user("alice").await;
    let sid = node.ask_identity_msisdn(&token, "monkeys", NUMBER, 1).send().await.ok_string("sid");
    let code = service.sms.wait_for(1).await.swap_remove(0).code.expect("a code");
    node.until_outbox_is_empty().await;
    let validated = || node.get_validated(&token, &sid, "monkeys").send();
    validated().await.expect_error(400, "M_SESSION_NOT_VALIDATED");
    submit(&node, &token, &sid, &other_code(&code)).send().await.expect_error(400, "M_TOKEN_INCORRECT");
    assert_eq!(submit(&node, &token, &sid, &code).send().await.ok(), json!({"success": true}));
    assert_eq!(validated().await.ok()["address"], "447700900001");
}
