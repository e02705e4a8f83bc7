//! OpenID tokens: a user shows another service who they are.

use std::time::Duration;

use axum::http::Method;
use countersign_api::{
    client::{account::WHOAMI, login::LOGIN, logout::LOGOUT_ALL, password::PASSWORD as CHANGE_PASSWORD},
    federation::openid::USERINFO,
};
use serde_json::json;

use crate::{
    steps::{creds_auth, password_auth},
    support::{PASSWORD, TestNode, TestUser},
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
    node.let_pass(Duration::from_secs(3600)).await;
    userinfo(&node, &token).await.ok();
    node.let_pass(Duration::from_millis(1)).await;
    userinfo(&node, &token).await.expect_error(401, "M_UNKNOWN_TOKEN");
}

/// Logs Alice in on another device; answers her there.
async fn on_another_device(node: &TestNode, alice: &TestUser, device_id: &str) -> TestUser {
    let body =
        json!({"type": "m.login.password", "user": "alice", "password": PASSWORD, "device_id": device_id});
    let access_token = node.post(LOGIN, &body).send().await.ok_string("access_token");
    let client = node.client.with_access_token(&access_token);
    TestUser { user_id: alice.user_id.clone(), client, access_token }
}

async fn issue(node: &TestNode, user: &TestUser) -> String {
    request(node, user, &user.user_id).send().await.ok_string("access_token")
}

/// Whether each of the tokens still proves its user.
async fn prove<const N: usize>(node: &TestNode, tokens: [&str; N]) -> [bool; N] {
    let mut proven = [false; N];
    for (proven, token) in proven.iter_mut().zip(tokens) {
        *proven = userinfo(node, token).await.status == 200;
    }
    proven
}

#[tokio::test]
async fn a_token_ends_with_the_device_that_asked_for_it() {
    let node = TestNode::start_without_limits().await;
    let (alice, bob) = (node.register("alice").await, node.register("bob").await);
    let phone = on_another_device(&node, &alice, "PHONE").await;
    let tokens = [issue(&node, &alice).await, issue(&node, &phone).await, issue(&node, &bob).await];
    let tokens = tokens.each_ref().map(String::as_str);
    assert_eq!(prove(&node, tokens).await, [true, true, true]);
    alice.client.logout().await.unwrap();
    assert_eq!(prove(&node, tokens).await, [false, true, true]);
    // A new login on the device ends what it had.
    let phone = on_another_device(&node, &alice, "PHONE").await;
    assert_eq!(prove(&node, tokens).await, [false, false, true]);
    let again = issue(&node, &phone).await;
    node.post(LOGOUT_ALL, &json!({})).token(&phone.access_token).send().await.ok();
    assert_eq!(prove(&node, [&again, tokens[2]]).await, [false, true]);
}

#[tokio::test]
async fn a_new_password_ends_the_tokens_of_the_devices_that_it_logs_out() {
    let node = TestNode::start_without_limits().await;
    let alice = node.register("alice").await;
    node.give_email(&alice, "alice@example.org").await;
    let phone = on_another_device(&node, &alice, "PHONE").await;
    let tokens = [issue(&node, &alice).await, issue(&node, &phone).await];
    let tokens = tokens.each_ref().map(String::as_str);
    let change = |logs_out: bool| {
        let auth = password_auth(&alice, PASSWORD);
        let body = json!({"new_password": PASSWORD, "logout_devices": logs_out, "auth": auth});
        node.post(CHANGE_PASSWORD, &body).token(&alice.access_token)
    };
    change(false).send().await.ok();
    assert_eq!(prove(&node, tokens).await, [true, true]);
    change(true).send().await.ok();
    assert_eq!(prove(&node, tokens).await, [true, false]);
    let sid = node.prove_email_to_reset("alice@example.org").await;
    let auth = creds_auth(&json!(null), "m.login.email.identity", &sid);
    node.post(CHANGE_PASSWORD, &json!({"new_password": PASSWORD, "auth": auth})).send().await.ok();
    assert_eq!(prove(&node, tokens).await, [false, false]);
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn an_account_gets_only_so_many_tokens() {
    let node = TestNode::start_with(|config| {
        config.limits.openid_tokens_per_account_per_hour = std::num::NonZeroU32::new(2).unwrap();
    })
    .await;
    let (alice, bob) = (node.register("alice").await, node.register("bob").await);
    let phone = on_another_device(&node, &alice, "PHONE").await;
    issue(&node, &alice).await;
    issue(&node, &phone).await;
    for user in [&alice, &phone] {
        request(&node, user, &alice.user_id).send().await.expect_error(429, "M_LIMIT_EXCEEDED");
    }
    // Another user's id costs nobody anything, and others go on.
    request(&node, &bob, &alice.user_id).send().await.expect_error(403, "M_FORBIDDEN");
    issue(&node, &bob).await;
    assert_eq!(node.count("openid_tokens"), 3);
    node.let_pass(Duration::from_secs(30 * 60)).await;
    issue(&node, &alice).await;
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
