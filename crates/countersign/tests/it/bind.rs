//! Publishing whose an address is, and taking it back.

use std::time::Duration;

use axum::http::Method;
use countersign_api::identity::{threepid::UNBIND, validate_email::REQUEST_TOKEN};
use countersign_core::{PublicKey, PublicKeys, ServerName, SigningKey, SigningKeyId, sign_json, verify_json};
use serde_json::{Value, json};

use crate::{
    steps::identity,
    support::{OtherHomeserver, START, TestNode},
    wire::Call,
};

const EMAIL: &str = "alice@example.org";
const ALICE: &str = "@alice:localhost";

fn unbind(node: &TestNode, body: &Value) -> Call {
    node.identity_post(UNBIND, body)
}

fn wish(mxid: &str, address: &str) -> Value {
    json!({"mxid": mxid, "threepid": {"medium": "email", "address": address}})
}

fn proven_wish(mxid: &str, address: &str, sid: &str, secret: &str) -> Value {
    let mut wish = wish(mxid, address);
    wish["sid"] = sid.into();
    wish["client_secret"] = secret.into();
    wish
}

/// Fails unless the node's own key signed the object.
async fn assert_signed(node: &TestNode, object: &Value) {
    let signatures = object["signatures"]["localhost"].as_object().expect("signatures of the service");
    let id = signatures.keys().next().expect("one signature");
    let key = node.identity_get(&format!("/identity/v2/pubkey/{id}")).send().await.ok_string("public_key");
    let key = PublicKey::parse(&key).expect("a key");
    let keys = PublicKeys::from([(SigningKeyId::parse(id).expect("an id"), key)]);
    let name = ServerName::parse("localhost").expect("a name");
    verify_json(object.as_object().expect("an object"), &name, &keys).expect("a good signature");
}

#[tokio::test]
async fn an_association_is_signed_and_good_for_a_hundred_years() {
    let node = TestNode::start().await;
    let token = node.identity_user("alice").await;
    let bound = node.bind_email(&token, "Alice@Example.org", ALICE).await;
    let mut fields: Vec<_> = bound.as_object().expect("an object").keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["address", "medium", "mxid", "not_after", "not_before", "signatures", "ts"]);
    let now = node.clock_millis();
    for (field, value) in [
        ("address", json!(EMAIL)),
        ("medium", json!("email")),
        ("mxid", json!(ALICE)),
        ("ts", json!(now)),
        ("not_before", json!(now)),
        ("not_after", json!(now + 100 * 365 * 24 * 3_600_000_i64)),
    ] {
        assert_eq!(bound[field], value, "{field}");
    }
    assert_signed(&node, &bound).await;
    assert_eq!(node.look_up_email(&token, EMAIL).await.as_deref(), Some(ALICE));
}

#[tokio::test]
async fn a_phone_number_is_bound_too_and_a_session_good_for_more() {
    let node = TestNode::start().await;
    let token = node.identity_user("alice").await;
    let sid = node.identity_msisdn(&token, "phone", "07700900001").await;
    for _ in 0..2 {
        let bound = node.identity_bind(&token, &sid, "phone", ALICE).send().await.ok();
        assert_eq!((&bound["medium"], &bound["address"]), (&json!("msisdn"), &json!("447700900001")));
    }
    assert_eq!(node.count("associations"), 1);
}

#[tokio::test]
async fn users_bind_to_themselves_only() {
    let node = TestNode::start().await;
    let token = node.identity_user("alice").await;
    let sid = node.identity_email(&token, "monkeys", EMAIL).await;
    for other in ["@bob:localhost", "@Alice:localhost", "@alice:localhost:8448"] {
        let answer = node.identity_bind(&token, &sid, "monkeys", other).send().await;
        answer.expect_error(403, "M_FORBIDDEN");
    }
    node.identity_bind(&token, &sid, "monkeys", "alice").send().await.expect_error(400, "M_INVALID_PARAM");
    assert_eq!(node.count("associations"), 0);
}

#[tokio::test]
async fn what_proves_nothing_binds_nothing() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let token = node.identity_token(&alice).await;
    let bind = |sid: &str, secret: &str| node.identity_bind(&token, sid, secret, ALICE);
    bind("unknown", "monkeys").send().await.expect_error(404, "M_NO_VALID_SESSION");
    let body = json!({"client_secret": "monkeys", "email": EMAIL, "send_attempt": 1});
    let sid = node.identity_post(REQUEST_TOKEN, &body).token(&token).send().await.ok_string("sid");
    bind(&sid, "wrong").send().await.expect_error(404, "M_NO_VALID_SESSION");
    bind(&sid, "monkeys").send().await.expect_error(400, "M_SESSION_NOT_VALIDATED");
    // A session of the node is none of the identity service.
    let foreign = node.validate_email("nodes", "other@example.org").await;
    bind(&foreign, "nodes").send().await.expect_error(404, "M_NO_VALID_SESSION");
    let proven = node.identity_email(&token, "late", EMAIL).await;
    node.let_pass(Duration::from_secs(25 * 3600)).await;
    bind(&proven, "late").send().await.expect_error(400, "M_SESSION_EXPIRED");
    assert_eq!(node.count("associations"), 0);
}

#[tokio::test]
async fn a_new_bind_takes_the_place_of_the_old() {
    let node = TestNode::start().await;
    let (alice, bob) = (node.identity_user("alice").await, node.identity_user("bob").await);
    node.bind_email(&alice, EMAIL, ALICE).await;
    node.bind_email(&bob, EMAIL, "@bob:localhost").await;
    assert_eq!(node.look_up_email(&alice, EMAIL).await.as_deref(), Some("@bob:localhost"));
    assert_eq!(node.count("associations"), 1);
}

#[tokio::test]
async fn who_has_the_address_takes_it_back_from_whoever_it_is_bound_to() {
    let node = TestNode::start().await;
    let (alice, bob) = (node.identity_user("alice").await, node.identity_user("bob").await);
    node.bind_email(&alice, EMAIL, ALICE).await;
    let sid = node.identity_email(&bob, "monkeys", EMAIL).await;
    // Bound to someone else than named: nothing happens, and nobody is told.
    let other = proven_wish("@bob:localhost", EMAIL, &sid, "monkeys");
    assert_eq!(unbind(&node, &other).token(&bob).send().await.ok(), json!({}));
    assert_eq!(node.count("associations"), 1);
    for _ in 0..2 {
        let body = proven_wish(ALICE, "ALICE@example.org", &sid, "monkeys");
        assert_eq!(unbind(&node, &body).token(&bob).send().await.ok(), json!({}));
        assert_eq!(node.look_up_email(&alice, EMAIL).await, None);
    }
}

#[tokio::test]
async fn an_unbind_without_proof_is_refused_in_the_protocols_words() {
    let node = TestNode::start().await;
    let token = node.identity_user("alice").await;
    node.bind_email(&token, EMAIL, ALICE).await;
    let open = node.ask_identity_email(&token, "open", EMAIL, 1).send().await.ok_string("sid");
    let other = node.identity_email(&token, "other", "second@example.org").await;
    let proven = |sid: &str, secret: &str| unbind(&node, &proven_wish(ALICE, EMAIL, sid, secret));
    proven("unknown", "x").token(&token).send().await.expect_error(403, "M_NO_VALID_SESSION");
    proven(&open, "open").token(&token).send().await.expect_error(403, "M_SESSION_NOT_VALIDATED");
    proven(&other, "other").token(&token).send().await.expect_error(403, "M_FORBIDDEN");
    proven(&other, "other").send().await.expect_error(401, "M_UNAUTHORIZED");
    unbind(&node, &wish(ALICE, EMAIL)).token(&token).send().await.expect_error(401, "M_UNAUTHORIZED");
    unbind(&node, &wish(ALICE, EMAIL)).send().await.expect_error(401, "M_UNAUTHORIZED");
    let mut half = wish(ALICE, EMAIL);
    half["sid"] = open.into();
    unbind(&node, &half).token(&token).send().await.expect_error(401, "M_UNAUTHORIZED");
    unbind(&node, &json!({})).token(&token).send().await.expect_error(400, "M_MISSING_PARAMS");
    let odd = json!({"mxid": ALICE, "threepid": {"medium": "fax", "address": "1"}});
    unbind(&node, &odd).token(&token).send().await.expect_error(400, "M_INVALID_PARAM");
    let late = node.identity_email(&token, "late", EMAIL).await;
    node.let_pass(Duration::from_secs(25 * 3600)).await;
    proven(&late, "late").token(&token).send().await.expect_error(403, "M_SESSION_EXPIRED");
    assert_eq!(node.look_up_email(&token, EMAIL).await.as_deref(), Some(ALICE));
}

#[tokio::test]
async fn a_signature_that_is_not_the_users_servers_is_refused() {
    let node = TestNode::start().await;
    let token = node.identity_user("alice").await;
    node.bind_email(&token, EMAIL, ALICE).await;
    let signature = "A".repeat(86);
    let signed = |origin: &str, destination: &str| {
        let header = format!(
            r#"X-Matrix origin="{origin}",destination="{destination}",key="ed25519:a",sig="{signature}""#
        );
        unbind(&node, &wish(ALICE, EMAIL)).header("authorization", &header)
    };
    signed("example.org", "localhost").send().await.expect_error(403, "M_FORBIDDEN");
    signed("localhost", "elsewhere").send().await.expect_error(401, "M_UNAUTHORIZED");
    signed("localhost", "localhost").send().await.expect_error(403, "M_FORBIDDEN");
    let broken = node.call(Method::POST, &identity(UNBIND)).header("authorization", "X-Matrix origin");
    broken.json(&wish(ALICE, EMAIL)).send().await.expect_error(401, "M_UNAUTHORIZED");
    assert_eq!(node.look_up_email(&token, EMAIL).await.as_deref(), Some(ALICE));
}

#[tokio::test]
async fn a_homeserver_whose_key_is_known_takes_back_as_often_as_it_likes() {
    let other = OtherHomeserver::start(200, &json!({})).await;
    let node = TestNode::start_with(|config| {
        other.be_trusted_by(config);
        config.limits.server_keys_per_network_per_minute = std::num::NonZeroU32::MIN;
    })
    .await;
    let name = ServerName::parse(&other.name).expect("a name");
    let key = SigningKey::from_seed(SigningKeyId::parse("ed25519:a").expect("an id"), &[7; 32]);
    let document = json!({
        "server_name": other.name,
        "valid_until_ts": START.as_millis() + 86_400_000,
        "verify_keys": {"ed25519:a": {"key": key.public_key().to_base64()}},
    });
    let mut document = document.as_object().expect("an object").clone();
    sign_json(&mut document, &name, &key).expect("it can be signed");
    other.answer(200, Value::from(document));
    let unbind = |origin: &str, key: &str| {
        let signature = "A".repeat(86);
        let header =
            format!(r#"X-Matrix origin="{origin}",destination="localhost",key="{key}",sig="{signature}""#);
        unbind(&node, &wish(&format!("@bob:{origin}"), EMAIL)).header("authorization", &header)
    };
    // Judged by the key, which is fetched once; the signature is none.
    for _ in 0..3 {
        unbind(&other.name, "ed25519:a").send().await.expect_error(403, "M_FORBIDDEN");
    }
    unbind(&other.name, "ed25519:b").send().await.expect_error(403, "M_FORBIDDEN");
    assert_eq!(other.requests(), ["GET /_matrix/key/v2/server HTTP/1.1"]);
    unbind("127.0.0.1:1", "ed25519:a").send().await.expect_error(429, "M_LIMIT_EXCEEDED");
}
