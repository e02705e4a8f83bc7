//! `/account/3pid/bind` and `/unbind`: users of the node publish addresses at identity servers, and take them back.

use std::{num::NonZeroU32, time::Duration};

use countersign_api::client::threepid::{BIND, DELETE, UNBIND};
use serde_json::{Value, json};

use crate::{
    process::until,
    steps::password_auth,
    support::{OtherHomeserver, PASSWORD, TestNode, TestUser},
    wire::Call,
};

const EMAIL: &str = "alice@example.org";

fn bind(node: &TestNode, user: &TestUser, id_server: &str, sid: &str, token: &str) -> Call {
    let body =
        json!({"client_secret": "monkeys", "sid": sid, "id_server": id_server, "id_access_token": token});
    node.post(BIND, &body).token(&user.access_token)
}

fn unbind(node: &TestNode, path: &str, user: &TestUser, id_server: Option<&str>) -> Call {
    let body = json!({"medium": "email", "address": EMAIL, "id_server": id_server});
    node.post(path, &body).token(&user.access_token)
}

fn result(result: &str) -> Value {
    json!({ "id_server_unbind_result": result })
}

/// Alice's node beside an identity server that answers as it is told, which has bound her address.
async fn start_bound() -> (OtherHomeserver, TestNode, TestUser) {
    let other = OtherHomeserver::start(200, &json!({"medium": "email", "address": EMAIL})).await;
    let node = TestNode::start_with(|config| other.be_trusted_by(config)).await;
    let alice = node.register("alice").await;
    node.give_email(&alice, EMAIL).await;
    bind(&node, &alice, &other.name, "theirs", "secret").send().await.ok();
    other.answer(200, json!({}));
    (other, node, alice)
}

#[tokio::test]
async fn an_address_is_bound_at_the_nodes_own_identity_service() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    let token = node.identity_token(&alice).await;
    let sid = node.identity_email(&token, "monkeys", EMAIL).await;
    let own = node.url.strip_prefix("http://").expect("a node without TLS").to_owned();
    for name in [own.as_str(), "localhost", "https://LOCALHOST"] {
        assert_eq!(bind(&node, &alice, name, &sid, &token).send().await.ok(), json!({}), "{name}");
    }
    assert_eq!(node.look_up_email(&token, EMAIL).await.as_deref(), Some("@alice:localhost"));
    bind(&node, &alice, &own, &sid, "wrong").send().await.expect_error(401, "M_UNAUTHORIZED");
    bind(&node, &alice, &own, "unknown", &token).send().await.expect_error(404, "M_NO_VALID_SESSION");
    let bob = node.register("bob").await;
    bind(&node, &bob, &own, &sid, &token).send().await.expect_error(403, "M_FORBIDDEN");
    let taken_back = unbind(&node, UNBIND, &alice, None).send().await;
    assert_eq!(taken_back.ok(), result("success"));
    assert_eq!(node.look_up_email(&token, EMAIL).await, None);
    assert_eq!(unbind(&node, UNBIND, &alice, None).send().await.ok(), result("no-support"));
}

#[tokio::test]
async fn what_the_identity_server_says_is_passed_on_but_not_that_a_token_is_unknown() {
    let other = OtherHomeserver::start(200, &json!({})).await;
    let node = TestNode::start_with(|config| other.be_trusted_by(config)).await;
    let alice = node.register("alice").await;
    for (status, errcode, heard) in [
        (403, "M_TERMS_NOT_SIGNED", "M_TERMS_NOT_SIGNED"),
        (404, "M_NO_VALID_SESSION", "M_NO_VALID_SESSION"),
        (400, "ORG_EXAMPLE_ODD", "ORG_EXAMPLE_ODD"),
        (401, "M_UNAUTHORIZED", "M_UNAUTHORIZED"),
        (401, "M_UNKNOWN_TOKEN", "M_UNAUTHORIZED"),
        (403, "M_MISSING_TOKEN", "M_UNAUTHORIZED"),
    ] {
        other.answer(status, json!({"errcode": errcode, "error": "Its own words"}));
        let answer = bind(&node, &alice, &other.name, "x", "secret").send().await;
        answer.expect_error(status, heard);
        assert_eq!(answer.json()["error"], "Its own words");
    }
    for (status, body) in [(404, ""), (200, "{}"), (302, "{}"), (500, "<html>")] {
        other.answer(status, body);
        bind(&node, &alice, &other.name, "x", "secret").send().await.expect_error(502, "M_UNKNOWN");
    }
    for (id_server, status, errcode) in
        [("127.0.0.2:1", 502, "M_UNKNOWN"), ("a/b", 400, "M_INVALID_PARAM"), ("u@h", 400, "M_INVALID_PARAM")]
    {
        bind(&node, &alice, id_server, "x", "secret").send().await.expect_error(status, errcode);
    }
    assert_eq!(node.count("recorded_binds"), 0);
}

#[tokio::test]
async fn an_unbind_goes_where_the_address_was_bound() {
    let (other, node, alice) = start_bound().await;
    let bytes = node.database_bytes();
    assert!(!bytes.windows(EMAIL.len()).any(|window| window == EMAIL.as_bytes()));
    let asked = "POST /_matrix/identity/v2/3pid/unbind HTTP/1.1";
    assert_eq!(unbind(&node, UNBIND, &alice, None).send().await.ok(), result("success"));
    let wish = json!({"mxid": "@alice:localhost", "threepid": {"medium": "email", "address": EMAIL}});
    assert_eq!(other.bodies(asked), [wish]);
    assert_eq!(node.count("recorded_binds"), 0);
    // The account keeps the address.
    assert_eq!(node.addresses_of(&alice).await, ["email alice@example.org"]);
    // Nothing is known to ask now, unless the client names it.
    assert_eq!(unbind(&node, UNBIND, &alice, None).send().await.ok(), result("no-support"));
    assert_eq!(unbind(&node, UNBIND, &alice, Some(&other.name)).send().await.ok(), result("success"));
}

#[tokio::test]
async fn an_identity_server_that_knows_no_unbind_is_no_obstacle_and_one_that_refuses_is() {
    for (status, body, expected, removed) in [
        (404, String::new(), Ok("no-support"), true),
        (400, "<html>".to_owned(), Ok("no-support"), true),
        (501, "{}".to_owned(), Ok("no-support"), true),
        (403, json!({"errcode": "M_FORBIDDEN", "error": "no"}).to_string(), Err((403, "M_FORBIDDEN")), false),
        (404, json!({"errcode": "M_NOT_FOUND", "error": "no"}).to_string(), Err((404, "M_NOT_FOUND")), false),
        (500, String::new(), Err((502, "M_UNKNOWN")), false),
    ] {
        let (other, node, alice) = start_bound().await;
        other.answer(status, &body);
        let answer = unbind(&node, DELETE, &alice, None).send().await;
        match expected {
            Ok(outcome) => assert_eq!(answer.ok(), result(outcome)),
            Err((status, errcode)) => answer.expect_error(status, errcode),
        }
        assert_eq!(node.addresses_of(&alice).await.is_empty(), removed, "{status} {body}");
        assert_eq!(node.count("recorded_binds") == 0, removed, "{status} {body}");
        node.until_outbox_is_empty().await;
    }
}

#[tokio::test]
async fn deleting_an_address_takes_it_back_first() {
    let (other, node, alice) = start_bound().await;
    assert_eq!(unbind(&node, DELETE, &alice, None).send().await.ok(), result("success"));
    assert!(node.addresses_of(&alice).await.is_empty());
    assert_eq!(other.bodies("POST /_matrix/identity/v2/3pid/unbind HTTP/1.1").len(), 1);
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn a_wait_that_an_identity_server_asks_for_is_passed_on() {
    let other = OtherHomeserver::start(200, &json!({})).await;
    let node = TestNode::start_with(|config| other.be_trusted_by(config)).await;
    let alice = node.register("alice").await;
    for (wait, header) in [(json!(2500), Some("3")), (json!("soon"), None), (json!(-1), None)] {
        let body = json!({"errcode": "M_LIMIT_EXCEEDED", "error": "no", "retry_after_ms": wait.clone()});
        other.answer(429, body);
        let answer = bind(&node, &alice, &other.name, "x", "secret").send().await;
        answer.expect_error(429, "M_LIMIT_EXCEEDED");
        assert_eq!(answer.header("retry-after"), header);
        assert_eq!(answer.json().get("retry_after_ms"), header.map(|_| &wait));
    }
}

#[tokio::test]
async fn an_account_has_so_many_calls_of_identity_servers_in_an_hour() {
    let other = OtherHomeserver::start(200, &json!({"medium": "email", "address": EMAIL})).await;
    let node = TestNode::start_with(|config| {
        other.be_trusted_by(config);
        config.limits.identity_server_calls_per_account_per_hour = NonZeroU32::new(2).expect("not 0");
    })
    .await;
    let (alice, bob) = (node.register("alice").await, node.register("bob").await);
    bind(&node, &alice, &other.name, "x", "secret").send().await.ok();
    other.answer(200, json!({}));
    unbind(&node, UNBIND, &alice, None).send().await.ok();
    for limited in [
        bind(&node, &alice, &other.name, "x", "secret"),
        unbind(&node, UNBIND, &alice, Some(&other.name)),
        unbind(&node, DELETE, &alice, Some(&other.name)),
    ] {
        let answer = limited.send().await;
        answer.expect_error(429, "M_LIMIT_EXCEEDED");
        assert!(answer.header("retry-after").is_some());
    }
    assert_eq!(other.requests().len(), 3);
    // Neither others' calls nor the node's own service count.
    unbind(&node, UNBIND, &bob, Some(&other.name)).send().await.ok();
    unbind(&node, UNBIND, &alice, Some("localhost")).send().await.ok();
}

#[tokio::test]
async fn what_may_have_been_published_is_remembered_and_what_was_refused_is_not() {
    let proven = json!({"medium": "email", "address": EMAIL, "validated_at": 1}).to_string();
    let refusal = json!({"errcode": "M_FORBIDDEN", "error": "no"}).to_string();
    for (status, body, remembered) in [
        (200, "{}", true),
        (200, "?", true),
        (500, "", true),
        (404, "", false),
        (403, refusal.as_str(), false),
    ] {
        let other = OtherHomeserver::start(200, &json!({})).await;
        let node = TestNode::start_with(|config| other.be_trusted_by(config)).await;
        let alice = node.register("alice").await;
        other.answer_in_turn([(200, proven.as_str()), (status, body)]);
        bind(&node, &alice, &other.name, "a b&c", "secret").send().await;
        let asked = other.requests();
        let query = "sid=a+b%26c&client_secret=monkeys";
        assert_eq!(asked[0], format!("GET /_matrix/identity/v2/3pid/getValidated3pid?{query} HTTP/1.1"));
        assert_eq!(node.count("recorded_binds"), i64::from(remembered), "{status} {body}");
        if remembered {
            other.answer(200, "{}");
            assert_eq!(unbind(&node, UNBIND, &alice, None).send().await.ok(), result("success"));
            // A refusal does not make the node forget an earlier bind.
            other.answer(200, &proven);
            bind(&node, &alice, &other.name, "theirs", "secret").send().await.ok();
            other.answer_in_turn([(200, proven.as_str()), (403, refusal.as_str())]);
            bind(&node, &alice, &other.name, "theirs", "secret")
                .send()
                .await
                .expect_error(403, "M_FORBIDDEN");
            assert_eq!(node.count("recorded_binds"), 1);
        }
    }
}

#[tokio::test]
async fn a_bind_is_remembered_though_its_client_hung_up() {
    let other = OtherHomeserver::start(200, &json!({"medium": "email", "address": EMAIL})).await;
    let node = TestNode::start_with(|config| other.be_trusted_by(config)).await;
    let alice = node.register("alice").await;
    other.hold(Some("/getValidated3pid"));
    let call = tokio::spawn(bind(&node, &alice, &other.name, "theirs", "secret").send());
    until("it is asked", async || !other.requests().is_empty()).await;
    call.abort();
    assert!(call.await.is_err_and(|error| error.is_cancelled()));
    // By the time that it has answered these, the node has seen that nobody waits.
    for _ in 0..20 {
        node.get("/account/whoami").token(&alice.access_token).send().await.ok();
    }
    other.hold(None);
    until("it is remembered", async || node.count("recorded_binds") == 1).await;
}

#[tokio::test]
async fn an_account_that_ends_while_it_publishes_publishes_nothing() {
    let other = OtherHomeserver::start(200, &json!({"medium": "email", "address": EMAIL})).await;
    let node = TestNode::start_with(|config| other.be_trusted_by(config)).await;
    let alice = node.register("alice").await;
    other.hold(Some("/bind "));
    let call = tokio::spawn(bind(&node, &alice, &other.name, "theirs", "secret").send());
    until("it is asked", async || other.requests().len() == 2).await;
    let body = json!({ "auth": password_auth(&alice, PASSWORD) });
    node.post("/account/deactivate", &body).token(&alice.access_token).send().await.ok();
    other.hold(None);
    call.await.expect("it ends").expect_error(401, "M_UNKNOWN_TOKEN");
    let wish = json!({"mxid": "@alice:localhost", "threepid": {"medium": "email", "address": EMAIL}});
    assert_eq!(other.bodies("POST /_matrix/identity/v2/3pid/unbind HTTP/1.1"), [wish.clone(), wish]);
    assert_eq!(node.count("recorded_binds"), 0);
}

#[tokio::test]
async fn an_account_that_does_not_end_takes_nothing_back() {
    let (other, node, alice) = start_bound().await;
    let body = json!({ "auth": password_auth(&alice, "wrong") });
    let refused = node.post("/account/deactivate", &body).token(&alice.access_token).send().await;
    assert_eq!(refused.status, 401);
    assert!(other.bodies("POST /_matrix/identity/v2/3pid/unbind HTTP/1.1").is_empty());
    assert_eq!(node.count("recorded_binds"), 1);
}

#[tokio::test]
async fn an_account_that_ends_takes_everything_back() {
    let (other, node, alice) = start_bound().await;
    let body = json!({ "auth": password_auth(&alice, PASSWORD) });
    let ended = node.post("/account/deactivate", &body).token(&alice.access_token).send().await;
    assert_eq!(ended.ok(), result("success"));
    assert_eq!(other.bodies("POST /_matrix/identity/v2/3pid/unbind HTTP/1.1").len(), 1);
    assert_eq!((node.count("recorded_binds"), node.count("account_threepids")), (0, 0));
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn what_an_ended_account_published_is_asked_back_until_the_identity_server_gives_it() {
    let (other, node, alice) = start_bound().await;
    let node = node.restart(|config| {
        other.be_trusted_by(config);
        config.retention.interval = Duration::from_millis(20);
    });
    let node = node.await;
    other.answer(500, "");
    let body = json!({ "auth": password_auth(&alice, PASSWORD) });
    let ended = node.post("/account/deactivate", &body).token(&alice.access_token).send().await;
    assert_eq!(ended.ok(), result("no-support"));
    let tries = || node.look_up_count("select tries from recorded_binds");
    until("it is tried", async || tries() == 1).await;
    let asked = other.requests().len();
    node.let_pass(Duration::from_secs(10 * 60)).await;
    until("it is tried again", async || tries() == 2).await;
    assert_eq!(other.requests().len(), asked + 1, "not before its time");
    other.answer(200, "{}");
    node.let_pass(Duration::from_secs(20 * 60)).await;
    until("it is taken back", async || node.count("recorded_binds") == 0).await;
    node.until_outbox_is_empty().await;
}
