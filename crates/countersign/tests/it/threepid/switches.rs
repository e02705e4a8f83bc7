//! What an operator can switch: changes of addresses at all, and the deprecated way to add one.

use countersign::config::DeprecatedAdd;
use countersign_api::client::threepid::{ADD, DELETE, THREEPIDS};
use serde_json::json;

use crate::{
    steps::password_auth,
    support::{PASSWORD, TestNode, TestUser},
    wire::Call,
};

fn post_3pids(node: &TestNode, user: &TestUser, sid: &str) -> Call {
    // What names an identity server is required by the specification, and ignored.
    let body = json!({"three_pid_creds": {"sid": sid, "client_secret": "monkeys"}});
    node.post(THREEPIDS, &body).token(&user.access_token)
}

#[tokio::test]
async fn the_deprecated_way_to_add_is_not_there_by_default() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let sid = node.validate_email("monkeys", "alice@example.org").await;
    post_3pids(&node, &alice, &sid).send().await.expect_error(404, "M_UNRECOGNIZED");
    assert!(node.addresses_of(&alice).await.is_empty());
}

#[tokio::test]
async fn the_deprecated_way_adds_without_a_password_where_the_operator_wants_it() {
    let node = TestNode::start_with(|config| config.threepids.deprecated_add = DeprecatedAdd::Add).await;
    let (alice, bob) = (node.register("alice").await, node.register("bob").await);
    post_3pids(&node, &alice, "unknown").send().await.expect_error(403, "M_THREEPID_AUTH_FAILED");
    let unproven = node.ask_email("monkeys", "bob@example.org", 1).send().await.ok_string("sid");
    post_3pids(&node, &alice, &unproven).send().await.expect_error(403, "M_THREEPID_AUTH_FAILED");
    let sid = node.validate_email("monkeys", "alice@example.org").await;
    for _ in 0..2 {
        assert_eq!(post_3pids(&node, &alice, &sid).send().await.ok(), json!({}));
    }
    assert_eq!(node.addresses_of(&alice).await, ["email alice@example.org"]);
    post_3pids(&node, &bob, &sid).send().await.expect_error(403, "M_THREEPID_AUTH_FAILED");
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn the_deprecated_body_is_read_in_both_spellings() {
    let node = TestNode::start_with(|config| config.threepids.deprecated_add = DeprecatedAdd::Add).await;
    let alice = node.register("alice").await;
    for (number, key) in ["three_pid_creds", "threePidCreds"].into_iter().enumerate() {
        let sid = node.validate_email("monkeys", &format!("alice{number}@example.org")).await;
        let creds = json!({"sid": sid, "client_secret": "monkeys", "id_server": "x", "id_access_token": "x"});
        node.post(THREEPIDS, &json!({ key: creds })).token(&alice.access_token).send().await.ok();
    }
    assert_eq!(node.addresses_of(&alice).await.len(), 2);
    for (body, errcode) in [
        (json!({}), "M_MISSING_PARAM"),
        (json!({"three_pid_creds": 1}), "M_BAD_JSON"),
        (json!({"three_pid_creds": {"sid": "x"}}), "M_MISSING_PARAM"),
        (json!({"three_pid_creds": {"sid": "x", "client_secret": "a b"}}), "M_INVALID_PARAM"),
    ] {
        let answer = node.post(THREEPIDS, &body).token(&alice.access_token).send().await;
        assert_eq!(answer.error(), (400, errcode.to_owned()), "{body}");
    }
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn without_changes_addresses_can_only_be_read() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    node.give_email(&alice, "alice@example.org").await;
    let sid = node.validate_email("monkeys", "second@example.org").await;
    let node = node
        .restart(|config| {
            config.threepids.changes = false;
            config.threepids.deprecated_add = DeprecatedAdd::Add;
        })
        .await;
    let add = json!({"sid": sid, "client_secret": "monkeys"});
    let delete = json!({"medium": "email", "address": "alice@example.org"});
    for call in [
        node.ask_email("monkeys", "third@example.org", 1),
        node.ask_msisdn("monkeys", "GB", "07700900001", 1),
        node.post(ADD, &add).token(&alice.access_token),
        node.post(ADD, &json!({"auth": password_auth(&alice, PASSWORD)})).token(&alice.access_token),
        node.post(DELETE, &delete).token(&alice.access_token),
        post_3pids(&node, &alice, &sid),
    ] {
        call.send().await.expect_error(403, "M_FORBIDDEN");
    }
    assert_eq!(node.addresses_of(&alice).await, ["email alice@example.org"]);
}
