//! Registration tokens: who may register with one, how often, and what an operator does with them.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use axum::http::Method;
use countersign::{
    config::Stage,
    wiring::{Desk, Outside},
};
use countersign_core::{RegistrationTokenText, UIA_SESSION_LIFETIME};
use countersign_service::{CreateToken, RegistrationTokens, SystemRandom};
use serde_json::{Value, json};

use crate::{
    process::{self, Ended, ServeFolder},
    steps::send_all,
    support::{PASSWORD, TestNode},
    wire::Call,
};

const TOKEN: &str = "m.login.registration_token";
const VALIDITY: &str = "/_matrix/client/v1/register/m.login.registration_token/validity";

async fn node() -> TestNode {
    TestNode::start_with(|config| {
        config.registration.flows = vec![vec![Stage::RegistrationToken, Stage::Dummy]];
        config.limits.enabled = false;
    })
    .await
}

/// What an operator does, beside the running node and at its time.
async fn at_the_desk<T>(node: &TestNode, work: impl AsyncFnOnce(&RegistrationTokens) -> T) -> T {
    let config = node.config();
    let outside = Outside { clock: node.clock.clone(), random: Arc::new(SystemRandom), ..Outside::default() };
    let desk = Desk::open(&config, outside).await.expect("it opens");
    let done = work(&desk.registration_tokens).await;
    desk.close().await.expect("it closes");
    done
}

/// Makes a token on a running node.
pub(crate) async fn make(
    node: &TestNode,
    token: &str,
    uses_allowed: Option<u32>,
    lifetime: Option<Duration>,
) {
    let token = Some(RegistrationTokenText::parse(token).expect("a token"));
    at_the_desk(node, async |tokens| {
        tokens.create(CreateToken { token, uses_allowed, lifetime }).await.expect("made");
    })
    .await;
}

async fn is_valid(node: &TestNode, query: &str) -> Value {
    node.call(Method::GET, &format!("{VALIDITY}?token={query}")).send().await.ok()["valid"].clone()
}

fn offer(node: &TestNode, name: &str, session: &Value, token: &str) -> Call {
    let auth = json!({"type": TOKEN, "session": session, "token": token});
    node.register_round(json!({"username": name, "password": PASSWORD}), auth)
}

fn finish(node: &TestNode, name: &str, session: &Value) -> Call {
    let auth = json!({"type": "m.login.dummy", "session": session});
    node.register_round(json!({"username": name, "password": PASSWORD}), auth)
}

#[tokio::test]
async fn a_token_lets_its_holder_register() {
    let node = node().await;
    make(&node, "let.me~in", None, None).await;
    let session = node.begin_registration(json!({})).await;
    let wrong = offer(&node, "alice", &session, "let.me~out").send().await;
    assert_eq!((wrong.stage_errcode().as_deref(), wrong.completed().len()), (Some("M_UNAUTHORIZED"), 0));
    assert_eq!(offer(&node, "alice", &session, "let.me~in").send().await.completed(), [TOKEN]);
    finish(&node, "alice", &session).send().await.ok();
}

#[tokio::test]
async fn a_token_without_a_session_is_processed_at_once() {
    let node =
        TestNode::start_with(|config| config.registration.flows = vec![vec![Stage::RegistrationToken]]).await;
    make(&node, "once", Some(1), None).await;
    let register = |name| offer(&node, name, &Value::Null, "once");
    register("alice").send().await.ok();
    assert_eq!(register("bob").send().await.stage_errcode().as_deref(), Some("M_UNAUTHORIZED"));
    assert_eq!(node.count("accounts"), 1);
}

#[tokio::test]
async fn validity_tells_nothing_but_yes_or_no() {
    let node = node().await;
    make(&node, "good", Some(1), None).await;
    make(&node, "short", None, Some(Duration::from_secs(60))).await;
    make(&node, "none", Some(0), None).await;
    for (query, valid) in [
        ("good", true),
        ("go%6fd", true),
        ("short", true),
        ("Good", false),
        ("none", false),
        ("unknown", false),
        ("", false),
        ("a%20b", false),
        ("%C3%A4", false),
        (&"a".repeat(65), false),
    ] {
        assert_eq!(is_valid(&node, query).await, json!(valid), "{query:?}");
    }
    node.let_pass(Duration::from_secs(60)).await;
    assert_eq!(is_valid(&node, "short").await, json!(true), "its last moment counts");
    node.let_pass(Duration::from_millis(1)).await;
    assert_eq!(is_valid(&node, "short").await, json!(false));
    let missing = node.call(Method::GET, VALIDITY).send().await;
    missing.expect_error(400, "M_MISSING_PARAM");
    // The path is there under both prefixes, and under v1 alone.
    let there = VALIDITY.replace("_matrix", "_api");
    node.call(Method::GET, &format!("{there}?token=good")).send().await.ok();
    let not_there = VALIDITY.replace("v1", "v3");
    node.call(Method::GET, &format!("{not_there}?token=good"))
        .send()
        .await
        .expect_error(404, "M_UNRECOGNIZED");
}

#[tokio::test]
async fn validity_is_for_networks_that_ask_little_and_servers_that_are_open() {
    let node = TestNode::start_with(|config| {
        config.limits.token_checks_per_network_per_minute = NonZeroU32::new(2).unwrap();
        config.registration.flows = vec![vec![Stage::RegistrationToken]];
    })
    .await;
    let ask = || node.call(Method::GET, &format!("{VALIDITY}?token=x")).from("198.51.100.7");
    ask().send().await.ok();
    ask().send().await.ok();
    let limited = ask().send().await;
    limited.expect_error(429, "M_LIMIT_EXCEEDED");
    assert_eq!(limited.header("retry-after"), Some("30"));
    // A stage is a guess, too.
    let offer = node.register_round(json!({}), json!({"type": TOKEN, "token": "x"})).from("198.51.100.7");
    offer.send().await.expect_error(429, "M_LIMIT_EXCEEDED");
    let closed = TestNode::start_with(|config| config.registration.enabled = false).await;
    let answer = closed.call(Method::GET, &format!("{VALIDITY}?token=x")).send().await;
    answer.expect_error(403, "M_FORBIDDEN");
}

#[tokio::test]
async fn the_last_use_goes_to_one_of_those_who_want_it() {
    let node = node().await;
    make(&node, "once", Some(1), None).await;
    let mut sessions = Vec::new();
    for _ in 0..6 {
        sessions.push(node.begin_registration(json!({})).await);
    }
    let offers = sessions.iter().map(|session| offer(&node, "alice", session, "once"));
    let answers = send_all(offers.collect()).await;
    let winners: Vec<_> =
        (0..answers.len()).filter(|which| !answers[*which].completed().is_empty()).collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(is_valid(&node, "once").await, json!(false), "a use that someone holds is not there");
    let winner = &sessions[winners[0]];
    // Again with the same token is no second use.
    assert_eq!(offer(&node, "alice", winner, "once").send().await.completed(), [TOKEN]);
    finish(&node, "alice", winner).send().await.ok();
    assert_eq!(is_valid(&node, "once").await, json!(false));
    let (pending, completed) = at_the_desk(&node, async |tokens| {
        let listed = tokens.list().await.expect("listed");
        (listed[0].pending, listed[0].completed)
    })
    .await;
    assert_eq!((pending, completed), (0, 1));
    // After a lost answer, too.
    finish(&node, "alice", winner).send().await.ok();
    assert_eq!(node.count("accounts"), 1);
}

#[tokio::test]
async fn an_abandoned_registration_gives_its_use_back() {
    let node = node().await;
    make(&node, "once", Some(1), None).await;
    let session = node.begin_registration(json!({})).await;
    offer(&node, "alice", &session, "once").send().await.completed();
    node.let_pass(UIA_SESSION_LIFETIME).await;
    assert_eq!(is_valid(&node, "once").await, json!(false));
    node.let_pass(Duration::from_millis(1)).await;
    assert_eq!(is_valid(&node, "once").await, json!(true));
    let session = node.begin_registration(json!({})).await;
    assert_eq!(offer(&node, "bob", &session, "once").send().await.completed(), [TOKEN]);
    finish(&node, "bob", &session).send().await.ok();
}

#[tokio::test]
async fn a_session_keeps_to_one_token() {
    let node = node().await;
    make(&node, "first", Some(1), None).await;
    make(&node, "second", Some(1), None).await;
    let session = node.begin_registration(json!({})).await;
    offer(&node, "alice", &session, "first").send().await.completed();
    for other in ["second", "unknown"] {
        let refused = offer(&node, "alice", &session, other).send().await;
        refused.expect_error(400, "M_INVALID_PARAM");
        assert_eq!(refused.json().get("flows"), None);
    }
    assert_eq!(is_valid(&node, "second").await, json!(true));
    finish(&node, "alice", &session).send().await.ok();
}

#[tokio::test]
async fn a_token_that_expires_or_goes_after_its_stage() {
    let node = node().await;
    make(&node, "short", Some(1), Some(Duration::from_secs(60))).await;
    make(&node, "gone", Some(1), None).await;
    let (short, gone) = (node.begin_registration(json!({})).await, node.begin_registration(json!({})).await);
    offer(&node, "alice", &short, "short").send().await.completed();
    offer(&node, "bob", &gone, "gone").send().await.completed();
    node.let_pass(Duration::from_secs(61)).await;
    at_the_desk(&node, async |tokens| {
        let token = RegistrationTokenText::parse("gone").unwrap();
        assert!(tokens.delete(&token).await.unwrap());
        assert!(!tokens.delete(&token).await.unwrap());
    })
    .await;
    // Who holds a use may finish, unless the operator took the token away.
    finish(&node, "alice", &short).send().await.ok();
    finish(&node, "bob", &gone).send().await.expect_error(400, "M_INVALID_PARAM");
    assert_eq!(node.count("accounts"), 1);
}

#[tokio::test]
async fn a_stored_token_can_not_be_read() {
    let node = node().await;
    make(&node, "a-token-to-look-for", None, None).await;
    let (bytes, word) = (node.database_bytes(), b"a-token-to-look-for");
    assert!(!bytes.windows(word.len()).any(|window| window == word));
}

#[tokio::test]
async fn an_operator_makes_lists_and_deletes_tokens() {
    let folder = ServeFolder::new("");
    let run = async |arguments: &[&str]| -> Ended {
        let command = [&["registration-token", "--config", "config.toml"], arguments].concat();
        process::run(folder.path(), &command).await
    };
    let ok = async |arguments: &[&str]| -> String {
        let ended = run(arguments).await;
        assert!(ended.status.success(), "{}", ended.stderr);
        ended.stdout
    };
    assert_eq!(ok(&["list"]).await, "");
    assert_eq!(ok(&["new", "--token", "let.me~in", "--uses", "3", "--expires", "7d"]).await, "let.me~in");
    let made_up = ok(&["new"]).await;
    assert!(RegistrationTokenText::parse(made_up.trim()).is_ok(), "{made_up}");
    let listed = ok(&["list"]).await;
    let lines: Vec<_> = listed.lines().collect();
    assert_eq!(lines.len(), 2, "{listed}");
    assert!(lines[0].starts_with("let.me~in\tuses 3\tpending 0\tcompleted 0\texpires 2"), "{listed}");
    let second = format!("{}\tuses any\tpending 0\tcompleted 0\texpires never", made_up.trim());
    assert_eq!(lines[1], second);
    for refused in [
        &["new", "--token", "let.me~in"][..],
        &["new", "--token", "a b"],
        &["new", "--uses", "-1"],
        &["new", "--expires", "soon"],
        &["delete", "unknown"],
    ] {
        assert!(!run(refused).await.status.success(), "{refused:?}");
    }
    ok(&["delete", "let.me~in"]).await;
    assert_eq!(ok(&["list"]).await.lines().count(), 1);
}
