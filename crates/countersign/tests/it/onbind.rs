//! What the homeserver of a user who bound an address hears of the invitations that waited for it.

use std::time::Duration;

use axum::http::Method;
use countersign_api::{
    federation::onbind::ONBIND,
    identity::{account::REGISTER, store_invite::STORE_INVITE},
};
use countersign_core::{PublicKey, PublicKeys, ServerName, SigningKeyId, verify_json};
use serde_json::{Value, json};

use crate::support::{OtherHomeserver, TestNode};

const EMAIL: &str = "bob@example.org";
const PUT: &str = "PUT /_matrix/federation/v1/3pid/onbind HTTP/1.1";
const POST: &str = "POST /_matrix/federation/v1/3pid/onbind HTTP/1.1";

/// A node that trusts another homeserver, an invitation of Alice's that waits there, and the token of Bob, who is of the
/// other. Answers Bob's id too.
async fn start(other: &OtherHomeserver) -> (TestNode, String, String, String) {
    let node = TestNode::start_with(|config| other.be_trusted_by(config)).await;
    let alice = node.identity_user("alice").await;
    let wish = json!({
        "medium": "email", "address": EMAIL, "room_id": "!room:localhost", "sender": "@alice:localhost",
    });
    let invitation = node.identity_post(STORE_INVITE, &wish).token(&alice).send().await.ok_string("token");
    node.until_outbox_is_empty().await;
    let user_id = format!("@bob:{}", other.name);
    other.answer(200, json!({ "sub": user_id }));
    let openid = json!({"access_token": "x", "matrix_server_name": other.name});
    let bob = node.identity_post(REGISTER, &openid).send().await.ok_string("token");
    (node, invitation, bob, user_id)
}

async fn assert_signed(node: &TestNode, object: &Value) {
    let keys = node.call(Method::GET, "/_matrix/key/v2/server").send().await.ok();
    let (id, key) = keys["verify_keys"].as_object().expect("keys").iter().next().expect("one");
    let key = PublicKey::parse(key["key"].as_str().expect("a string")).expect("a key");
    let keys = PublicKeys::from([(SigningKeyId::parse(id).expect("an id"), key)]);
    let name = ServerName::parse("localhost").expect("a name");
    verify_json(object.as_object().expect("an object"), &name, &keys).expect("a good signature");
}

#[tokio::test]
async fn the_users_homeserver_hears_of_what_waited_once() {
    let other = OtherHomeserver::start(200, &json!({})).await;
    let (node, invitation, bob, user_id) = start(&other).await;
    node.bind_email(&bob, EMAIL, &user_id).await;
    node.until_outbox_is_empty().await;
    let told = other.bodies(PUT).pop().expect("it was told");
    assert_signed(&node, &told).await;
    assert_eq!((&told["address"], &told["mxid"]), (&json!(EMAIL), &json!(user_id)));
    let invite = &told["invites"][0];
    for (field, value) in [
        ("medium", "email"),
        ("address", EMAIL),
        ("mxid", &user_id),
        ("room_id", "!room:localhost"),
        ("sender", "@alice:localhost"),
    ] {
        assert_eq!(invite[field], value, "{field}");
    }
    let mut signed: Vec<_> = invite["signed"].as_object().expect("an object").keys().cloned().collect();
    signed.sort();
    assert_eq!(signed, ["mxid", "signatures", "token"]);
    assert_eq!(invite["signed"]["token"], invitation.as_str());
    assert_signed(&node, &invite["signed"]).await;
    // Bound once more, nothing waits any more.
    node.bind_email(&bob, EMAIL, &user_id).await;
    node.until_outbox_is_empty().await;
    assert_eq!(other.bodies(PUT).len(), 1);
}

#[tokio::test]
async fn an_invitation_that_cannot_be_read_keeps_no_other_back() {
    let other = OtherHomeserver::start(200, &json!({})).await;
    let (node, _, bob, user_id) = start(&other).await;
    let carol = node.identity_user("carol").await;
    let wish = json!({
        "medium": "email", "address": EMAIL, "room_id": "!other:localhost", "sender": "@carol:localhost",
    });
    node.identity_post(STORE_INVITE, &wish).token(&carol).send().await.ok();
    node.until_outbox_is_empty().await;
    let damage = "update invitations set sealed_details = token_hash where sender = '@alice:localhost' returning sender";
    node.look_up(damage);
    node.bind_email(&bob, EMAIL, &user_id).await;
    node.until_outbox_is_empty().await;
    let told = other.bodies(PUT).pop().expect("it was told");
    let rooms: Vec<_> =
        told["invites"].as_array().expect("a list").iter().map(|invite| invite["room_id"].clone()).collect();
    assert_eq!(rooms, ["!other:localhost"]);
    let waiting = "select sender from invitations where handed_over_at is null";
    assert_eq!(node.look_up(waiting), ["@alice:localhost"]);
}

#[tokio::test]
async fn a_homeserver_that_knows_no_put_hears_it_by_post_and_one_that_fails_again_and_again() {
    let other = OtherHomeserver::start(200, &json!({})).await;
    let (node, _, bob, user_id) = start(&other).await;
    other.answer(404, json!({"errcode": "M_UNRECOGNIZED", "error": "no"}));
    node.bind_email(&bob, EMAIL, &user_id).await;
    node.until_retried().await;
    assert!(!other.bodies(POST).is_empty());
    other.answer(200, json!({}));
    node.let_pass(Duration::from_secs(3600)).await;
    node.until_outbox_is_empty().await;
    let waiting = "select count(*) from invitations where handed_over_at is null";
    assert_eq!(node.look_up_count(waiting), 0);
}

#[tokio::test]
async fn a_homeserver_that_never_hears_is_given_up_after_a_week() {
    let other = OtherHomeserver::start(200, &json!({})).await;
    let (node, _, bob, user_id) = start(&other).await;
    other.answer(500, "");
    node.bind_email(&bob, EMAIL, &user_id).await;
    node.until_retried().await;
    node.let_pass(Duration::from_secs(7 * 24 * 3600 + 1)).await;
    node.until_outbox_is_empty().await;
    // It is told when the address is bound anew.
    let waiting = "select count(*) from invitations where handed_over_at is null";
    assert_eq!(node.look_up_count(waiting), 1);
}

#[tokio::test]
async fn users_of_the_node_itself_are_told_nothing_for_there_are_no_rooms() {
    let node = TestNode::start().await;
    let (alice, bob) = (node.identity_user("alice").await, node.identity_user("bob").await);
    let wish = json!({
        "medium": "email", "address": EMAIL, "room_id": "!room:localhost", "sender": "@alice:localhost",
    });
    node.identity_post(STORE_INVITE, &wish).token(&alice).send().await.ok();
    node.bind_email(&bob, EMAIL, "@bob:localhost").await;
    node.until_outbox_is_empty().await;
    assert_eq!(node.look_up_count("select count(*) from invitations where handed_over_at is null"), 0);
}

#[tokio::test]
async fn a_node_that_is_told_answers_and_does_nothing() {
    let node = TestNode::start().await;
    let told = json!({"medium": "email", "address": EMAIL, "mxid": "@bob:localhost", "invites": []});
    for prefix in ["/_matrix", "/_api"] {
        for method in [Method::PUT, Method::POST] {
            let call = |body: &Value| {
                node.call(method.clone(), &format!("{prefix}{ONBIND}")).body(body.to_string()).send()
            };
            assert_eq!(call(&told).await.ok(), json!({}));
            call(&json!({"medium": "email"})).await.expect_error(400, "M_MISSING_PARAM");
        }
    }
    assert_eq!(node.messages_queued(), 0);
}
