//! OpenID tokens: a user shows another service who they are.

use std::time::Duration;

use axum::http::Method;
use countersign_api::{client::account::WHOAMI, federation::openid::USERINFO};
use serde_json::json;

use crate::{
    support::{TestNode, TestUser},
    wire::{Answer, Call},
};

fn request(node: &TestNode, user: &TestUser, user_id: &str) -> Call {
    node.post(&format!("/user/{user_id}/openid/request_token"), &json!({})).token(&user.access_token)
}

async fn userinfo(node: &TestNode, token: &str) -> Answer {
    node.call(Method::GET, &format!("/_matrix{USERINFO}?access_token={token}")).send().await
}

#[tokio::test]
async fn a_token_tells_another_service_who_the_user_is() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    for user_id in ["@alice:localhost", "%40alice%3Alocalhost", "@alice%3alocalhost"] {
        let issued = request(&node, &alice, user_id).send().await;
        assert_eq!(issued.ok_keys(), ["access_token", "expires_in", "matrix_server_name", "token_type"]);
        let body = issued.ok();
        assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(3600)));
        assert_eq!(body["matrix_server_name"], json!("localhost"));
        let told = userinfo(&node, &issued.ok_string("access_token")).await;
        assert_eq!(told.ok(), json!({"sub": "@alice:localhost"}));
    }
}

#[tokio::test]
async fn nobody_gets_a_token_for_another_user() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    node.register("bob").await;
    for user_id in ["@bob:localhost", "@nobody:localhost", "@alice:example.org", "alice", "@ALICE:localhost"]
    {
        request(&node, &alice, user_id).send().await.expect_error(403, "M_FORBIDDEN");
    }
    request(&node, &alice, "%FF").send().await.expect_error(400, "M_INVALID_PARAM");
    assert_eq!(node.count("openid_tokens"), 0);
}

#[tokio::test]
async fn a_token_lives_an_hour() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let token = request(&node, &alice, &alice.user_id).send().await.ok_string("access_token");
    node.advance(Duration::from_secs(3600));
    userinfo(&node, &token).await.ok();
    node.advance(Duration::from_millis(1));
    userinfo(&node, &token).await.expect_error(401, "M_UNKNOWN_TOKEN");
}

#[tokio::test]
async fn tokens_for_users_and_tokens_for_services_are_apart() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let token = request(&node, &alice, &alice.user_id).send().await.ok_string("access_token");
    userinfo(&node, &alice.access_token).await.expect_error(401, "M_UNKNOWN_TOKEN");
    node.get(WHOAMI).token(&token).send().await.expect_error(401, "M_UNKNOWN_TOKEN");
    let bytes = node.database_bytes();
    assert!(!bytes.windows(token.len()).any(|window| window == token.as_bytes()));
}

#[tokio::test]
async fn a_missing_or_unknown_token_tells_nothing() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let token = request(&node, &alice, &alice.user_id).send().await.ok_string("access_token");
    let ask = |query: &str| node.call(Method::GET, &format!("/_api{USERINFO}{query}"));
    ask("").send().await.expect_error(401, "M_MISSING_TOKEN");
    ask("").token(&token).send().await.expect_error(401, "M_MISSING_TOKEN");
    ask("?access_token=").send().await.expect_error(401, "M_UNKNOWN_TOKEN");
    ask("?access_token=wrong").send().await.expect_error(401, "M_UNKNOWN_TOKEN");
}
