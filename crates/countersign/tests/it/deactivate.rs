//! `/account/deactivate`: the end of an account.

use countersign_api::client::{
    account::WHOAMI,
    deactivate::DEACTIVATE,
    login::LOGIN,
    register::{AVAILABLE, REGISTER},
};
use serde_json::{Value, json};

use crate::{
    steps::password_auth,
    support::{PASSWORD, TestNode, TestUser},
    wire::Call,
};

fn deactivate(node: &TestNode, auth: Value) -> Call {
    node.post(DEACTIVATE, &json!({"auth": auth, "erase": true}))
}

fn log_in(node: &TestNode, identifier: &Value) -> Call {
    node.post(LOGIN, &json!({"type": "m.login.password", "identifier": identifier, "password": PASSWORD}))
}

fn by_name() -> Value {
    json!({"type": "m.id.user", "user": "alice"})
}

/// A node with Alice, her mail address, a refresh token and an OpenID token; and Bob, who has as much.
async fn start() -> (TestNode, TestUser) {
    let node = TestNode::start_without_limits().await;
    let alice = give(&node, "alice").await;
    give(&node, "bob").await;
    node.until_outbox_is_empty().await;
    (node, alice)
}

async fn give(node: &TestNode, name: &str) -> TestUser {
    let user = node.register(name).await;
    node.give_email(&user, &format!("{name}@example.org")).await;
    let body = json!({"type": "m.login.password", "user": name, "password": PASSWORD, "refresh_token": true});
    node.post(LOGIN, &body).send().await.ok();
    let path = format!("/user/{}/openid/request_token", user.user_id);
    node.post(&path, &json!({})).token(&user.access_token).send().await.ok();
    user
}

/// The rows of the tables that hold what accounts have.
fn rows(node: &TestNode) -> Vec<(&'static str, i64)> {
    ["accounts", "devices", "access_tokens", "refresh_tokens", "account_threepids", "openid_tokens"]
        .map(|table| (table, node.count(table)))
        .into()
}

#[tokio::test]
async fn nothing_is_left_of_it_but_its_name() {
    let (node, alice) = start().await;
    let both = [2, 4, 4, 2, 2, 2];
    let bob = [2, 2, 2, 1, 1, 1];
    assert_eq!(rows(&node).iter().map(|(_, rows)| *rows).collect::<Vec<_>>(), both, "{:?}", rows(&node));
    let answer = deactivate(&node, password_auth(&alice, PASSWORD)).token(&alice.access_token).send().await;
    // Nobody knows where its address may be published.
    assert_eq!(answer.ok(), json!({"id_server_unbind_result": "no-support"}));
    assert_eq!(rows(&node).iter().map(|(_, rows)| *rows).collect::<Vec<_>>(), bob, "{:?}", rows(&node));
    let wiped = "select count(*) from accounts
         where localpart = 'alice' and password_hash is null and deactivated_at is not null";
    assert_eq!(node.look_up_count(wiped), 1);

    node.get(WHOAMI).token(&alice.access_token).send().await.expect_error(401, "M_UNKNOWN_TOKEN");
    let by_mail = json!({"type": "m.id.thirdparty", "medium": "email", "address": "alice@example.org"});
    for identifier in [by_name(), by_mail] {
        log_in(&node, &identifier).send().await.expect_error(403, "M_FORBIDDEN");
    }
    log_in(&node, &json!({"type": "m.id.user", "user": "bob"})).send().await.ok();
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn its_name_is_taken_for_ever_and_its_address_is_free() {
    let (node, alice) = start().await;
    deactivate(&node, password_auth(&alice, PASSWORD)).token(&alice.access_token).send().await.ok();
    node.until_outbox_is_empty().await;
    node.get(&format!("{AVAILABLE}?username=alice")).send().await.expect_error(400, "M_USER_IN_USE");
    let body = json!({"username": "Alice", "password": PASSWORD, "auth": {"type": "m.login.dummy"}});
    node.post(REGISTER, &body).send().await.expect_error(400, "M_USER_IN_USE");
    let carol = node.register("carol").await;
    node.give_email(&carol, "alice@example.org").await;
    assert_eq!(node.addresses_of(&carol).await, ["email alice@example.org"]);
}

#[tokio::test]
async fn without_a_token_the_password_names_the_account() {
    let (node, alice) = start().await;
    let asked = node.post(DEACTIVATE, &json!({})).send().await;
    assert_eq!(asked.json()["flows"], json!([{"stages": ["m.login.password"]}]));
    let mut auth = password_auth(&alice, "wrong");
    auth["session"] = asked.json()["session"].clone();
    let refused = deactivate(&node, auth.clone()).send().await;
    assert_eq!(refused.stage_errcode().as_deref(), Some("M_FORBIDDEN"));
    log_in(&node, &by_name()).send().await.ok();
    auth["password"] = json!(PASSWORD);
    deactivate(&node, auth.clone()).send().await.ok();
    log_in(&node, &by_name()).send().await.expect_error(403, "M_FORBIDDEN");
    log_in(&node, &json!({"type": "m.id.user", "user": "bob"})).send().await.ok();
    // The answer may have been lost.
    let again = deactivate(&node, json!({"session": auth["session"]})).send().await;
    assert_eq!(again.ok(), json!({"id_server_unbind_result": "success"}));
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn a_session_of_the_account_dies_with_it() {
    let (node, alice) = start().await;
    let add = json!({"sid": "x", "client_secret": "x"});
    let begun = node.post("/account/3pid/add", &add).token(&alice.access_token).send().await;
    assert_eq!(begun.status, 401);
    let sid = node.prove_email_to_reset("alice@example.org").await;
    deactivate(&node, password_auth(&alice, PASSWORD)).token(&alice.access_token).send().await.ok();
    let auth = crate::steps::creds_auth(&json!(null), "m.login.email.identity", &sid);
    let reset = json!({"new_password": "another good password", "auth": auth});
    node.post("/account/password", &reset).send().await.expect_error(400, "M_THREEPID_NOT_FOUND");
    log_in(&node, &by_name()).send().await.expect_error(403, "M_FORBIDDEN");
    let of_alice = "select count(*) from uia_sessions where localpart = 'alice' and finished_at is null";
    assert_eq!(node.look_up_count(of_alice), 0);
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn another_users_password_ends_nothing() {
    let (node, alice) = start().await;
    let bob = json!({
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": "bob"},
        "password": PASSWORD,
    });
    let refused = deactivate(&node, bob).token(&alice.access_token).send().await;
    assert_eq!(refused.stage_errcode().as_deref(), Some("M_FORBIDDEN"));
    log_in(&node, &by_name()).send().await.ok();
    log_in(&node, &json!({"type": "m.id.user", "user": "bob"})).send().await.ok();
}

#[tokio::test]
async fn an_operator_can_switch_it_off() {
    let node = TestNode::start_with(|config| config.passwords.deactivate = false).await;
    let alice = node.register("alice").await;
    let auth = password_auth(&alice, PASSWORD);
    deactivate(&node, auth.clone()).token(&alice.access_token).send().await.expect_error(403, "M_FORBIDDEN");
    deactivate(&node, auth).send().await.expect_error(403, "M_FORBIDDEN");
    node.get(WHOAMI).token(&alice.access_token).send().await.ok();
}

#[tokio::test]
async fn an_identity_server_that_is_out_of_reach_stops_nothing() {
    let (node, alice) = start().await;
    let body = json!({"auth": password_auth(&alice, PASSWORD), "id_server": "127.0.0.1:1"});
    let ended = node.post(DEACTIVATE, &body).token(&alice.access_token).send().await;
    assert_eq!(ended.ok(), json!({"id_server_unbind_result": "no-support"}));
    node.get(WHOAMI).token(&alice.access_token).send().await.expect_error(401, "M_UNKNOWN_TOKEN");
    node.until_outbox_is_empty().await;
}
