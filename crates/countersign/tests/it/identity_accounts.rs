//! Who may use the identity API: users of any server, by an access token that an OpenID token buys.

use std::{num::NonZeroU32, time::Duration};

use axum::http::Method;
use countersign::config::{PeerUrl, SidecarConfig};
use countersign_api::{
    client::{account::WHOAMI, deactivate::DEACTIVATE},
    federation::openid::USERINFO,
    identity::{
        account::{ACCOUNT, LOGOUT, REGISTER},
        validate_email::REQUEST_TOKEN,
        versions::{STATUS, VERSIONS},
    },
};
use serde_json::{Value, json};

use crate::{
    steps::{identity, password_auth, send_all},
    support::{OtherHomeserver, PASSWORD, TestNode},
    wire::Call,
};

fn register(node: &TestNode, server_name: &str, token: &str) -> Call {
    node.identity_post(REGISTER, &json!({"access_token": token, "matrix_server_name": server_name}))
}

async fn whose(node: &TestNode, token: &str) -> Value {
    node.identity_get(ACCOUNT).token(token).send().await.ok()
}

async fn start_beside(other: &OtherHomeserver) -> TestNode {
    TestNode::start_with(|config| other.be_trusted_by(config)).await
}

#[tokio::test]
async fn the_service_says_that_it_is_there_and_what_it_speaks() {
    let node = TestNode::start().await;
    for path in [STATUS.to_owned(), format!("{STATUS}/")] {
        assert_eq!(node.identity_get(&path).send().await.ok(), json!({}), "{path}");
    }
    let versions = node.identity_get(VERSIONS).send().await.ok()["versions"].clone();
    let versions: Vec<String> = serde_json::from_value(versions).expect("a list of strings");
    assert_eq!((versions[0].as_str(), versions[1].as_str()), ("r0.3.0", "v1.1"));
    assert!(versions.contains(&"v1.19".to_owned()), "{versions:?}");
}

#[tokio::test]
async fn where_it_is_switched_off_its_paths_are_unknown() {
    let node = TestNode::start_with(|config| config.identity.enabled = false).await;
    for path in [STATUS, VERSIONS, ACCOUNT] {
        node.identity_get(path).send().await.expect_error(404, "M_UNRECOGNIZED");
    }
    register(&node, "localhost", "x").send().await.expect_error(404, "M_UNRECOGNIZED");
}

#[tokio::test]
async fn a_user_of_this_node_gets_a_token_and_ends_it() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let openid = node.openid_token(&alice).await;
    let registered = node.identity_post(REGISTER, &openid).send().await;
    assert_eq!(registered.ok_keys(), ["token"]);
    let token = registered.ok_string("token");
    assert_eq!(whose(&node, &token).await, json!({"user_id": "@alice:localhost"}));
    let log_out = || node.call(Method::POST, &identity(LOGOUT)).token(&token);
    assert_eq!(log_out().send().await.ok(), json!({}));
    node.identity_get(ACCOUNT).token(&token).send().await.expect_error(401, "M_UNAUTHORIZED");
    // Only here a token is said to be unknown.
    log_out().send().await.expect_error(401, "M_UNKNOWN_TOKEN");
    node.call(Method::POST, &identity(LOGOUT)).send().await.expect_error(401, "M_UNAUTHORIZED");
}

#[tokio::test]
async fn a_token_ends_with_the_account() {
    let node = TestNode::start().await;
    let (alice, bob) = (node.register("alice").await, node.identity_user("bob").await);
    let tokens = [node.identity_token(&alice).await, node.identity_token(&alice).await];
    let proof = json!({"auth": password_auth(&alice, PASSWORD)});
    node.post(DEACTIVATE, &proof).token(&alice.access_token).send().await.ok();
    for token in tokens {
        node.identity_get(ACCOUNT).token(&token).send().await.expect_error(401, "M_UNAUTHORIZED");
    }
    assert_eq!(whose(&node, &bob).await["user_id"], "@bob:localhost");
}

#[tokio::test]
async fn the_use_of_a_token_is_noted_once_a_day() {
    let node = TestNode::start().await;
    let token = node.identity_user("alice").await;
    let used_at = || node.look_up_count("select used_at from identity_accounts");
    let made_at = used_at();
    node.let_pass(Duration::from_secs(23 * 3600)).await;
    whose(&node, &token).await;
    assert_eq!(used_at(), made_at);
    node.let_pass(Duration::from_secs(3600)).await;
    whose(&node, &token).await;
    assert_eq!(used_at(), made_at + 24 * 3_600_000);
}

#[tokio::test]
async fn each_registration_has_a_token_of_its_own() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let (first, second) = (node.identity_token(&alice).await, node.identity_token(&alice).await);
    node.call(Method::POST, &identity(LOGOUT)).token(&first).send().await.ok();
    assert_eq!(whose(&node, &second).await["user_id"], "@alice:localhost");
}

#[tokio::test]
async fn tokens_of_one_api_do_not_work_at_another() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let openid = node.openid_token(&alice).await["access_token"].as_str().expect("a string").to_owned();
    let token = node.identity_token(&alice).await;
    for foreign in [&alice.access_token, &openid] {
        node.identity_get(ACCOUNT).token(foreign).send().await.expect_error(401, "M_UNAUTHORIZED");
    }
    for foreign in [&token, &openid] {
        node.get(WHOAMI).token(foreign).send().await.expect_error(401, "M_UNKNOWN_TOKEN");
    }
    for foreign in [&token, &alice.access_token] {
        let path = format!("{USERINFO}?access_token={foreign}");
        node.identity_get(&path).send().await.expect_error(401, "M_UNKNOWN_TOKEN");
        register(&node, "localhost", foreign).send().await.expect_error(401, "M_UNAUTHORIZED");
    }
}

#[tokio::test]
async fn what_a_thief_reads_in_the_database_is_no_token() {
    let node = TestNode::start().await;
    let token = node.identity_user("alice").await;
    let bytes = node.database_bytes();
    assert!(!bytes.windows(token.len()).any(|window| window == token.as_bytes()));
}

#[tokio::test]
async fn a_token_in_the_query_counts_only_where_the_operator_wants_it() {
    for (allowed, status) in [(false, 401), (true, 200)] {
        let node = TestNode::start_with(|config| config.identity.query_access_token = allowed).await;
        let token = node.identity_user("alice").await;
        let answer = node.identity_get(&format!("{ACCOUNT}?access_token={token}")).send().await;
        assert_eq!(answer.status, status, "{answer:?}");
        let client = node.get(&format!("{WHOAMI}?access_token={token}")).send().await;
        client.expect_error(401, "M_MISSING_TOKEN");
        let wrong = node.identity_get(&format!("{ACCOUNT}?access_token=wrong")).send().await;
        wrong.expect_error(401, "M_UNAUTHORIZED");
    }
}

#[tokio::test]
async fn a_user_of_another_server_is_known_by_that_servers_word() {
    let other = OtherHomeserver::start(200, &json!({})).await;
    let node = start_beside(&other).await;
    let user_id = format!("@Bob Ü:{}", other.name);
    other.answer(200, json!({ "sub": user_id }));
    let token = register(&node, &other.name, "secret&token").send().await.ok_string("token");
    assert_eq!(whose(&node, &token).await, json!({ "user_id": user_id }));
    let asked = other.requests();
    assert_eq!(asked, ["GET /_matrix/federation/v1/openid/userinfo?access_token=secret%26token HTTP/1.1"]);
}

#[tokio::test]
async fn a_user_of_another_server_than_the_one_that_answers_is_refused() {
    let other = OtherHomeserver::start(200, &json!({})).await;
    let node = start_beside(&other).await;
    for sub in [
        "@alice:localhost".to_owned(),
        "@alice:127.0.0.1".to_owned(),
        format!("@alice:evil.example:{}", other.name),
        format!("@alice:x.{}", other.name),
    ] {
        other.answer(200, json!({ "sub": sub }));
        let answer = register(&node, &other.name, "x").send().await;
        assert!(matches!(answer.status, 401 | 502), "{sub}: {answer:?}");
    }
    assert_eq!(node.count("identity_accounts"), 0);
}

#[tokio::test]
async fn a_token_that_the_users_server_refuses_proves_nobody() {
    let refusal = json!({"errcode": "M_UNKNOWN_TOKEN", "error": "?"});
    let other = OtherHomeserver::start(401, &refusal).await;
    let node = start_beside(&other).await;
    register(&node, &other.name, "x").send().await.expect_error(401, "M_UNAUTHORIZED");
    register(&node, "localhost", "x").send().await.expect_error(401, "M_UNAUTHORIZED");
}

#[tokio::test]
async fn a_server_that_does_not_answer_as_it_should_is_a_bad_gateway() {
    let other = OtherHomeserver::start(500, &json!({})).await;
    let node = start_beside(&other).await;
    register(&node, &other.name, "x").send().await.expect_error(502, "M_UNKNOWN");
    for body in ["no JSON", "{}", r#"{"sub": 1}"#, r#"{"sub": "bob"}"#, "[]"] {
        other.answer(200, body);
        register(&node, &other.name, "x").send().await.expect_error(502, "M_UNKNOWN");
    }
    // Nobody listens there.
    register(&node, "127.0.0.1:1", "x").send().await.expect_error(502, "M_UNKNOWN");
}

#[tokio::test]
async fn addresses_inside_are_not_called_unless_the_operator_allows_it() {
    let other = OtherHomeserver::start(200, &json!({})).await;
    let node = TestNode::start_with(|config| {
        other.be_trusted_by(config);
        config.federation.allow_networks.clear();
    })
    .await;
    register(&node, &other.name, "x").send().await.expect_error(502, "M_UNKNOWN");
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn the_name_of_a_server_is_compared_with_case() {
    let node =
        TestNode::start_with(|config| config.identity.homeservers = vec!["localhost".to_owned()]).await;
    let alice = node.register("alice").await;
    let openid = node.openid_token(&alice).await["access_token"].as_str().expect("a string").to_owned();
    register(&node, "LOCALHOST", &openid).send().await.expect_error(403, "M_FORBIDDEN");
    register(&node, "localhost", &openid).send().await.ok();
}

#[tokio::test]
async fn only_users_of_listed_servers_get_a_token() {
    let other = OtherHomeserver::start(200, &json!({})).await;
    let node = TestNode::start_with(|config| {
        other.be_trusted_by(config);
        config.identity.homeservers = vec![other.name.clone()];
    })
    .await;
    other.answer(200, json!({"sub": format!("@bob:{}", other.name)}));
    register(&node, &other.name, "x").send().await.ok();
    register(&node, "localhost", "x").send().await.expect_error(403, "M_FORBIDDEN");
    register(&node, "example.org", "x").send().await.expect_error(403, "M_FORBIDDEN");
    assert_eq!(other.requests().len(), 1);
}

#[tokio::test]
async fn what_is_no_name_of_a_server_is_an_invalid_parameter() {
    let node = TestNode::start_without_limits().await;
    for name in
        ["", "https://example.org", "example.org/", "a b", "user@example.org", "[::1", "example.org:99999"]
    {
        register(&node, name, "x").send().await.expect_error(400, "M_INVALID_PARAM");
    }
}

#[tokio::test]
async fn a_network_gets_so_many_tokens_and_another_is_not_kept_from_its_own() {
    let node = TestNode::start_with(|config| {
        config.limits.identity_registrations_per_network_per_minute = NonZeroU32::new(2).expect("not 0");
    })
    .await;
    for _ in 0..2 {
        register(&node, "localhost", "x").send().await.expect_error(401, "M_UNAUTHORIZED");
    }
    let limited = register(&node, "localhost", "x").send().await;
    limited.expect_error(429, "M_LIMIT_EXCEEDED");
    assert_eq!(limited.header("retry-after"), Some("30"));
    register(&node, "localhost", "x").from("192.0.2.1").send().await.expect_error(401, "M_UNAUTHORIZED");
    node.let_pass(Duration::from_secs(30)).await;
    register(&node, "localhost", "x").send().await.expect_error(401, "M_UNAUTHORIZED");
}

#[tokio::test]
async fn logging_out_takes_any_object_and_none() {
    let node = TestNode::start_without_limits().await;
    let alice = node.register("alice").await;
    for body in ["", "{}", r#"{"x": [1]}"#] {
        let token = node.identity_token(&alice).await;
        let call = node.call(Method::POST, &identity(LOGOUT)).token(&token).body(body);
        assert_eq!(call.send().await.ok(), json!({}), "{body}");
    }
    let token = node.identity_token(&alice).await;
    for (body, errcode) in [("{", "M_NOT_JSON"), ("[]", "M_BAD_JSON")] {
        let call = node.call(Method::POST, &identity(LOGOUT)).token(&token).body(body);
        call.send().await.expect_error(400, errcode);
    }
    assert_eq!(whose(&node, &token).await["user_id"], "@alice:localhost");
}

#[tokio::test]
async fn registrations_at_once_each_have_their_token() {
    let node = TestNode::start_without_limits().await;
    let alice = node.register("alice").await;
    let openid = node.openid_token(&alice).await;
    let calls = (0..16).map(|_| node.identity_post(REGISTER, &openid)).collect();
    let mut tokens: Vec<_> = send_all(calls).await.iter().map(|answer| answer.ok_string("token")).collect();
    tokens.sort();
    tokens.dedup();
    assert_eq!(tokens.len(), 16);
}

#[tokio::test]
async fn a_deactivated_user_of_this_node_gets_no_new_token() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let openid = node.openid_token(&alice).await;
    let body = json!({"auth": password_auth(&alice, PASSWORD)});
    node.post("/account/deactivate", &body).token(&alice.access_token).send().await.ok();
    node.identity_post(REGISTER, &openid).send().await.expect_error(401, "M_UNAUTHORIZED");
}

#[tokio::test]
async fn without_a_token_nothing_is_asked_of_anyone() {
    let node = TestNode::start().await;
    let body = json!({"client_secret": "x", "email": "alice@example.org", "send_attempt": 1});
    for call in
        [node.identity_post(REQUEST_TOKEN, &body), node.identity_post(REQUEST_TOKEN, &body).token("x")]
    {
        call.send().await.expect_error(401, "M_UNAUTHORIZED");
    }
    assert_eq!(node.count("validation_sessions"), 0);
}

#[tokio::test]
async fn beside_a_homeserver_that_one_says_whom_its_tokens_prove() {
    let homeserver = TestNode::start().await;
    let alice = homeserver.register("alice").await;
    let node = TestNode::start_with(|config| {
        config.registration.enabled = false;
        config.sidecar = Some(SidecarConfig {
            homeserver_url: PeerUrl::parse(&homeserver.url).expect("a URL"),
            whoami_cache: Duration::from_secs(30),
            timeout: Duration::from_secs(10),
            device_id: "COUNTERSIGN".to_owned(),
            ca_file: None,
        });
    })
    .await;
    let openid = homeserver.openid_token(&alice).await;
    let token = node.identity_post(REGISTER, &openid).send().await.ok_string("token");
    assert_eq!(whose(&node, &token).await, json!({"user_id": "@alice:localhost"}));
    register(&node, "localhost", "wrong").send().await.expect_error(401, "M_UNAUTHORIZED");
    drop(homeserver);
    register(&node, "localhost", "wrong").send().await.expect_error(502, "M_UNKNOWN");
}
