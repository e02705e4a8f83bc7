//! Version 1 of the identity API, as homeservers use it that have addresses proven elsewhere.

mod homeservers;

use std::time::Duration;

use countersign_api::identity::v1;
use serde_json::{Value, json};

use self::homeservers::{Dendrite, Synapse};
use crate::{
    steps::{identity, other_code},
    support::{START, TestNode},
    wire::Call,
};

const EMAIL: &str = "alice@example.org";

fn post(node: &TestNode, path: &str, body: &Value) -> Call {
    Call::post_json(&format!("{}{}", node.identity_v1_url, identity(path)), body)
}

fn msisdn_body() -> Value {
    json!({"client_secret": "monkeys", "country": "GB", "phone_number": "07700900001", "send_attempt": 1})
}

#[tokio::test]
async fn synapse_has_a_number_proven() {
    let node = TestNode::start().await;
    let synapse = Synapse::delegating_to(&node.identity_v1_url);
    let (status, answer) = synapse.request_msisdn_token("GB", "07700900001", "monkeys", 1).await;
    assert_eq!(status, 200, "{answer}");
    let sid = answer["sid"].as_str().expect("a sid").to_owned();
    let code = node.sms.wait_for(1).await.swap_remove(0).code.expect("a code");

    assert_eq!(synapse.validated(&sid, "monkeys").await, None, "not yet");
    let (status, refusal) = synapse.submit_msisdn_token("monkeys", &sid, &other_code(&code)).await;
    assert_eq!((status, &refusal["errcode"]), (400, &json!("M_TOKEN_INCORRECT")));
    let (status, refusal) = synapse.submit_msisdn_token("other", &sid, &code).await;
    assert_eq!((status, &refusal["errcode"]), (400, &json!("M_UNKNOWN")));
    assert_eq!(synapse.submit_msisdn_token("monkeys", &sid, &code).await, (200, json!({"success": true})));
    let expected = json!({"medium": "msisdn", "address": "447700900001", "validated_at": START.as_millis()});
    assert_eq!(synapse.validated(&sid, "monkeys").await, Some(expected));
    assert_eq!(synapse.validated(&sid, "other").await, None);
    node.let_pass(Duration::from_secs(24 * 60 * 60 + 1)).await;
    assert_eq!(synapse.validated(&sid, "monkeys").await, None, "no longer");
    let (status, refusal) = synapse.submit_msisdn_token("monkeys", &sid, &code).await;
    assert_eq!((status, &refusal["errcode"]), (400, &json!("M_SESSION_EXPIRED")));
}

#[tokio::test]
async fn synapse_hands_on_where_its_client_wants_to_go() {
    let node = TestNode::start().await;
    let synapse = Synapse::delegating_to(&node.identity_v1_url);
    let next_link = "https://app.example.org/?a=\u{e4}";
    let (status, answer) = synapse.request_msisdn_token_with_next_link("07700900001", next_link).await;
    assert_eq!(status, 200, "{answer}");
    node.sms.wait_for(1).await;
    let (status, refusal) =
        synapse.request_msisdn_token_with_next_link("07700900002", "javascript:alert(1)").await;
    assert_eq!((status, &refusal["errcode"]), (400, &json!("M_INVALID_PARAM")));
}

#[tokio::test]
async fn dendrite_has_an_address_proven_by_a_form() {
    let node = TestNode::start().await;
    let dendrite = Dendrite::trusting(&node.identity_v1_url);
    let sid = dendrite.create_session("monkeys", EMAIL, 1).await;
    assert_eq!(dendrite.create_session("monkeys", EMAIL, 1).await, sid, "no other mail");
    node.until_outbox_is_empty().await;
    assert_eq!(dendrite.check_association(&sid, "monkeys").await, Ok(None));
    node.press_newest_link().await;
    let proven = (EMAIL.to_owned(), "email".to_owned());
    assert_eq!(dendrite.check_association(&sid, "monkeys").await, Ok(Some(proven)));
    dendrite.check_association(&sid, "other").await.expect_err("there is no such session");
    assert_eq!(node.mailer.messages().len(), 1);
}

#[tokio::test]
async fn codes_by_mail_are_taken_as_a_form_too() {
    let node = TestNode::start().await;
    let dendrite = Dendrite::trusting(&node.identity_v1_url);
    let sid = dendrite.create_session("monkeys", EMAIL, 1).await;
    let code = node.mailer.wait_for(1).await.swap_remove(0).code.expect("a code");
    for content_type in ["application/x-www-form-urlencoded", "application/x-form-www-urlencoded"] {
        let url = format!("{}{}", node.identity_v1_url, identity(v1::EMAIL_SUBMIT_TOKEN));
        let form = format!("sid={sid}&client_secret=monkeys&token={code}");
        let call = Call::post_to(&url).header("content-type", content_type).body(form);
        assert_eq!(call.send().await.ok(), json!({"success": true}), "{content_type}");
    }
}

#[tokio::test]
async fn both_prefixes_answer() {
    let node = TestNode::start().await;
    let mut sids = Vec::new();
    for prefix in ["/_matrix", "/_api"] {
        let url = format!("{}{prefix}{}", node.identity_v1_url, v1::MSISDN_REQUEST_TOKEN);
        sids.push(Call::post_json(&url, &msisdn_body()).send().await.ok_string("sid"));
    }
    assert_eq!(sids[0], sids[1]);
    node.sms.wait_for(1).await;
}

#[tokio::test]
async fn who_is_not_listed_is_refused() {
    let node = TestNode::start_with(|config| {
        config.identity.v1.allowed_sources = vec!["192.0.2.0/24".parse().expect("a network")];
    })
    .await;
    let call = || post(&node, v1::MSISDN_REQUEST_TOKEN, &msisdn_body());
    call().send().await.expect_error(403, "M_FORBIDDEN");
    // Through a proxy that is trusted it is the client that counts, and not the proxy.
    call().from("198.51.100.1").send().await.expect_error(403, "M_FORBIDDEN");
    assert_eq!(node.messages_queued(), 0);
    call().from("192.0.2.7").send().await.ok();
    node.sms.wait_for(1).await;
}

#[tokio::test]
async fn a_proxy_in_front_lets_nobody_in_by_its_own_address() {
    let node = TestNode::start().await;
    let call = post(&node, v1::MSISDN_REQUEST_TOKEN, &msisdn_body()).from("198.51.100.1");
    call.send().await.expect_error(403, "M_FORBIDDEN");
    assert_eq!(node.messages_queued(), 0);
}

#[tokio::test]
async fn nothing_else_is_served_beside_it_and_it_is_not_served_elsewhere() {
    let node = TestNode::start().await;
    post(&node, "/identity/v2/account/register", &json!({})).send().await.expect_error(404, "M_UNRECOGNIZED");
    post(&node, "/identity/api/v1/3pid/bind", &json!({})).send().await.expect_error(404, "M_UNRECOGNIZED");
    post(&node, v1::GET_VALIDATED_3PID, &json!({})).send().await.expect_error(405, "M_UNRECOGNIZED");
    for path in [v1::MSISDN_REQUEST_TOKEN, v1::EMAIL_SUBMIT_TOKEN, v1::GET_VALIDATED_3PID] {
        node.identity_post(path, &msisdn_body()).send().await.expect_error(404, "M_UNRECOGNIZED");
        node.identity_get(path).send().await.expect_error(404, "M_UNRECOGNIZED");
    }
}

#[tokio::test]
async fn it_works_where_the_rest_of_the_identity_api_is_off() {
    let node = TestNode::start_with(|config| config.identity.enabled = false).await;
    post(&node, v1::MSISDN_REQUEST_TOKEN, &msisdn_body()).send().await.ok();
    node.sms.wait_for(1).await;
}

#[tokio::test]
async fn a_homeserver_asks_for_many_people_but_each_address_has_its_limit() {
    let node = TestNode::start_with(|config| {
        config.limits.requests_per_network_per_hour = std::num::NonZeroU32::MIN;
        config.limits.requests_per_network_burst = std::num::NonZeroU32::MIN;
        config.limits.misses_per_network_per_hour = std::num::NonZeroU32::MIN;
        config.limits.messages_per_address_per_hour = std::num::NonZeroU32::MIN;
    })
    .await;
    let synapse = Synapse::delegating_to(&node.identity_v1_url);
    for number in ["07700900001", "07700900002", "07700900003"] {
        let (status, answer) = synapse.request_msisdn_token("GB", number, "monkeys", 1).await;
        assert_eq!(status, 200, "{answer}");
        let sid = answer["sid"].as_str().expect("a sid").to_owned();
        let (status, answer) = synapse.submit_msisdn_token("monkeys", &sid, "wrong").await;
        assert_eq!((status, &answer["errcode"]), (400, &json!("M_TOKEN_INCORRECT")));
    }
    let (status, answer) = synapse.request_msisdn_token("GB", "07700900001", "monkeys", 2).await;
    assert_eq!((status, &answer["errcode"]), (429, &json!("M_LIMIT_EXCEEDED")));
    assert!(answer["retry_after_ms"].is_i64(), "{answer}");
    node.sms.wait_for(3).await;
}

#[tokio::test]
async fn bad_bodies_have_the_codes_of_the_identity_api() {
    let node = TestNode::start().await;
    for (body, errcode) in [
        (json!({}), "M_MISSING_PARAMS"),
        (json!([]), "M_BAD_JSON"),
        (
            json!({"client_secret": "a b", "country": "GB", "phone_number": "07700900001", "send_attempt": 1}),
            "M_INVALID_PARAM",
        ),
        (
            json!({"client_secret": "x", "country": "GB", "phone_number": "abc", "send_attempt": 1}),
            "M_INVALID_ADDRESS",
        ),
    ] {
        let answer = post(&node, v1::MSISDN_REQUEST_TOKEN, &body).send().await;
        assert_eq!(answer.error(), (400, errcode.to_owned()), "{body}");
    }
    let empty = post(&node, v1::MSISDN_REQUEST_TOKEN, &json!({})).body("").send().await;
    empty.expect_error(400, "M_NOT_JSON");
}
