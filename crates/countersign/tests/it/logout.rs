//! `/logout` and `/logout/all`.

use axum::http::Method;
use countersign_api::client::{
    account::WHOAMI,
    login::LOGIN,
    logout::{LOGOUT, LOGOUT_ALL},
};
use serde_json::json;

use crate::{
    support::{PASSWORD, TestNode},
    wire::api,
};

async fn log_in(node: &TestNode, name: &str) -> String {
    let body = json!({"type": "m.login.password", "user": name, "password": PASSWORD});
    node.post(LOGIN, &body).send().await.ok_string("access_token")
}

#[tokio::test]
async fn logging_out_ends_one_device_only_and_only_once() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let second = log_in(&node, "alice").await;
    // As the Dart client sends it: the old version, no body, no content type.
    let log_out = || node.call(Method::POST, "/_api/client/r0/logout").token(&alice.access_token);
    assert_eq!(log_out().send().await.ok(), json!({}));
    log_out().send().await.expect_error(401, "M_UNKNOWN_TOKEN");
    node.get(WHOAMI).token(&alice.access_token).send().await.expect_error(401, "M_UNKNOWN_TOKEN");
    node.get(WHOAMI).token(&second).send().await.ok();
    assert_eq!((node.count("devices"), node.count("access_tokens")), (1, 1));
}

#[tokio::test]
async fn logging_out_everywhere_ends_all_devices_of_one_user() {
    let node = TestNode::start().await;
    let (alice, bob) = (node.register("alice").await, node.register("bob").await);
    let second = log_in(&node, "alice").await;
    let log_out = || node.call(Method::POST, &api(LOGOUT_ALL)).token(&second);
    assert_eq!(log_out().send().await.ok(), json!({}));
    for token in [&alice.access_token, &second] {
        node.get(WHOAMI).token(token).send().await.expect_error(401, "M_UNKNOWN_TOKEN");
    }
    log_out().send().await.expect_error(401, "M_UNKNOWN_TOKEN");
    node.get(WHOAMI).token(&bob.access_token).send().await.ok();
    assert_eq!((node.count("devices"), node.count("access_tokens")), (1, 1));
}

#[tokio::test]
async fn one_can_come_back_after_logging_out() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    node.call(Method::POST, &api(LOGOUT)).token(&alice.access_token).send().await.ok();
    let token = log_in(&node, "alice").await;
    assert_ne!(token, alice.access_token);
    node.get(WHOAMI).token(&token).send().await.ok();
}

#[tokio::test]
async fn a_login_outlives_a_restart_and_so_does_its_end() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let second = log_in(&node, "alice").await;
    node.call(Method::POST, &api(LOGOUT)).token(&alice.access_token).send().await.ok();
    let node = node.restart(|_| {}).await;
    node.get(WHOAMI).token(&second).send().await.ok();
    node.get(WHOAMI).token(&alice.access_token).send().await.expect_error(401, "M_UNKNOWN_TOKEN");
}
