//! `/refresh`: access tokens that expire, and the tokens that replace them.

use std::{num::NonZeroU32, time::Duration};

use countersign_api::client::{account::WHOAMI, login::LOGIN, refresh::REFRESH};
use serde_json::{Value, json};

use crate::{
    steps::send_all,
    support::{PASSWORD, TestNode},
    wire::{Answer, Call},
};

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const TICK: Duration = Duration::from_millis(1);

/// An access token and the refresh token beside it.
#[derive(Clone, Debug)]
struct Pair {
    access: String,
    refresh: String,
}

impl Pair {
    #[track_caller]
    fn of(answer: &Answer) -> Self {
        assert_eq!(answer.ok()["expires_in_ms"], json!(3_600_000));
        Self { access: answer.ok_string("access_token"), refresh: answer.ok_string("refresh_token") }
    }
}

fn log_in_body() -> Value {
    json!({"type": "m.login.password", "user": "alice", "password": PASSWORD, "refresh_token": true})
}

/// A node where Alice has logged in on another device, with a refresh token.
async fn start() -> (TestNode, Pair) {
    let node = TestNode::start_without_limits().await;
    node.register("alice").await;
    let pair = Pair::of(&node.post(LOGIN, &log_in_body()).send().await);
    (node, pair)
}

fn refresh(node: &TestNode, token: &str) -> Call {
    node.post(REFRESH, &json!({ "refresh_token": token }))
}

async fn refreshed(node: &TestNode, token: &str) -> Pair {
    let answer = refresh(node, token).send().await;
    assert_eq!(answer.ok_keys(), ["access_token", "expires_in_ms", "refresh_token"]);
    Pair::of(&answer)
}

async fn use_access(node: &TestNode, pair: &Pair) -> Answer {
    node.get(WHOAMI).token(&pair.access).send().await
}

#[track_caller]
fn assert_unknown(answer: &Answer) {
    answer.expect_error(401, "M_UNKNOWN_TOKEN");
    assert_eq!(answer.json().get("soft_logout"), None, "{answer:?}");
}

#[track_caller]
fn assert_soft_logout(answer: &Answer) {
    answer.expect_error(401, "M_UNKNOWN_TOKEN");
    assert_eq!(answer.json()["soft_logout"], json!(true), "{answer:?}");
}

#[tokio::test]
async fn a_refresh_keeps_user_and_device() {
    let (node, first) = start().await;
    let before = use_access(&node, &first).await.ok();
    let second = refreshed(&node, &first.refresh).await;
    assert!(second.access != first.access && second.refresh != first.refresh);
    assert_eq!(use_access(&node, &second).await.ok(), before);
    assert_eq!((node.count("devices"), node.count("refresh_tokens")), (2, 1));
}

#[tokio::test]
async fn the_old_pair_is_good_until_the_new_access_token_is_used() {
    let (node, first) = start().await;
    let second = refreshed(&node, &first.refresh).await;
    use_access(&node, &first).await.ok();
    use_access(&node, &second).await.ok();
    assert_unknown(&use_access(&node, &first).await);
    assert_unknown(&refresh(&node, &first.refresh).send().await);
    refreshed(&node, &second.refresh).await;
}

#[tokio::test]
async fn the_new_refresh_token_ends_the_old_pair_too() {
    let (node, first) = start().await;
    let second = refreshed(&node, &first.refresh).await;
    let third = refreshed(&node, &second.refresh).await;
    assert_unknown(&use_access(&node, &first).await);
    assert_unknown(&refresh(&node, &first.refresh).send().await);
    use_access(&node, &second).await.ok();
    use_access(&node, &third).await.ok();
    assert_unknown(&use_access(&node, &second).await);
}

#[tokio::test]
async fn after_a_lost_answer_the_old_refresh_token_gives_another_pair() {
    let (node, first) = start().await;
    let lost = refreshed(&node, &first.refresh).await;
    let second = refreshed(&node, &first.refresh).await;
    assert_unknown(&use_access(&node, &lost).await);
    assert_unknown(&refresh(&node, &lost.refresh).send().await);
    use_access(&node, &second).await.ok();
}

#[tokio::test]
async fn refreshes_at_once_leave_one_good_pair() {
    let (node, first) = start().await;
    let answers = send_all((0..8).map(|_| refresh(&node, &first.refresh)).collect()).await;
    let mut good = 0;
    for pair in answers.iter().map(Pair::of) {
        good += usize::from(use_access(&node, &pair).await.status == 200);
    }
    assert_eq!(good, 1);
    assert_unknown(&use_access(&node, &first).await);
}

#[tokio::test]
async fn an_access_token_lives_as_long_as_was_said() {
    let (node, pair) = start().await;
    node.let_pass(HOUR).await;
    use_access(&node, &pair).await.ok();
    node.let_pass(TICK).await;
    assert_soft_logout(&use_access(&node, &pair).await);
    let next = refreshed(&node, &pair.refresh).await;
    use_access(&node, &next).await.ok();
    assert_unknown(&use_access(&node, &pair).await);
}

#[tokio::test]
async fn a_refresh_token_that_nobody_used_for_long_is_a_soft_logout() {
    let (node, pair) = start().await;
    node.let_pass(89 * DAY).await;
    let next = refreshed(&node, &pair.refresh).await;
    use_access(&node, &next).await.ok();
    node.let_pass(90 * DAY).await;
    let next = refreshed(&node, &next.refresh).await;
    use_access(&node, &next).await.ok();
    node.let_pass(90 * DAY + TICK).await;
    assert_soft_logout(&refresh(&node, &next.refresh).send().await);
    assert_soft_logout(&use_access(&node, &next).await);
}

#[tokio::test]
async fn an_operator_sets_both_lifetimes() {
    let node = TestNode::start_with(|config| {
        config.login.access_token_lifetime = Duration::from_secs(60);
        config.login.refresh_token_lifetime = Duration::ZERO;
    })
    .await;
    node.register("alice").await;
    let answer = node.post(LOGIN, &log_in_body()).send().await;
    assert_eq!(answer.ok()["expires_in_ms"], json!(60_000));
    node.let_pass(5000 * DAY).await;
    refresh(&node, &answer.ok_string("refresh_token")).send().await.ok();
}

#[tokio::test]
async fn the_end_of_a_device_is_the_end_of_its_refresh_token() {
    let (node, pair) = start().await;
    node.post("/logout", &json!({})).token(&pair.access).send().await.ok();
    assert_unknown(&refresh(&node, &pair.refresh).send().await);
    let pair = Pair::of(&node.post(LOGIN, &log_in_body()).send().await);
    node.post("/logout/all", &json!({})).token(&pair.access).send().await.ok();
    assert_unknown(&refresh(&node, &pair.refresh).send().await);
    assert_eq!((node.count("refresh_tokens"), node.count("access_tokens")), (0, 0));
}

#[tokio::test]
async fn another_login_on_the_device_ends_its_refresh_token() {
    let (node, pair) = start().await;
    let device_id = use_access(&node, &pair).await.ok_string("device_id");
    let body =
        json!({"type": "m.login.password", "user": "alice", "password": PASSWORD, "device_id": device_id});
    node.post(LOGIN, &body).send().await.ok();
    assert_unknown(&refresh(&node, &pair.refresh).send().await);
    assert_unknown(&use_access(&node, &pair).await);
}

#[tokio::test]
async fn the_two_kinds_of_tokens_never_stand_for_each_other() {
    let (node, pair) = start().await;
    assert_unknown(&refresh(&node, &pair.access).send().await);
    assert_unknown(&node.get(WHOAMI).token(&pair.refresh).send().await);
    assert_unknown(&refresh(&node, "wrong").send().await);
    node.post(REFRESH, &json!({})).send().await.expect_error(400, "M_MISSING_PARAM");
}

#[tokio::test]
async fn no_access_token_is_needed_and_a_bad_one_does_no_harm() {
    let (node, pair) = start().await;
    refresh(&node, &pair.refresh).token("wrong").send().await.ok();
}

#[tokio::test]
async fn switched_off_there_is_neither_endpoint_nor_token() {
    let (node, pair) = start().await;
    let node = node.restart(|config| config.login.refresh_tokens = false).await;
    refresh(&node, &pair.refresh).send().await.expect_error(404, "M_UNRECOGNIZED");
    let answer = node.post(LOGIN, &log_in_body()).send().await;
    assert_eq!(answer.ok_keys(), ["access_token", "device_id", "user_id"]);
    node.let_pass(1000 * DAY).await;
    node.get(WHOAMI).token(&answer.ok_string("access_token")).send().await.ok();
}

#[tokio::test]
async fn a_network_may_refresh_only_so_often() {
    let node = TestNode::start_with(|config| {
        config.limits.refreshes_per_network_per_minute = NonZeroU32::new(2).unwrap()
    })
    .await;
    for _ in 0..2 {
        refresh(&node, "wrong").from("198.51.100.7").send().await.expect_error(401, "M_UNKNOWN_TOKEN");
    }
    let refused = refresh(&node, "wrong").from("198.51.100.7").send().await;
    refused.expect_error(429, "M_LIMIT_EXCEEDED");
    assert_eq!(refused.header("retry-after"), Some("30"));
    refresh(&node, "wrong").from("198.51.100.8").send().await.expect_error(401, "M_UNKNOWN_TOKEN");
}

#[tokio::test]
async fn the_database_holds_no_token() {
    let (node, pair) = start().await;
    let next = refreshed(&node, &pair.refresh).await;
    let bytes = node.database_bytes();
    for token in [&pair.access, &pair.refresh, &next.access, &next.refresh] {
        assert!(!bytes.windows(token.len()).any(|window| window == token.as_bytes()));
    }
}
