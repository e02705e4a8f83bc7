//! How often things may be asked: by address, by network, and by the shield in front.

use std::{num::NonZeroU32, time::Duration};

use axum::http::Method;
use countersign_api::client::versions::VERSIONS;

use crate::{
    steps::send_all,
    support::TestNode,
    wire::{Answer, Call},
};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Asks for a message to one address in a session of its own, from a network of its own.
fn ask(node: &TestNode, email: &str, count: usize) -> Call {
    node.ask_email(&format!("secret{count}"), email, 1).from(&format!("198.51.100.{count}"))
}

/// The wait in seconds that a 429 asks for, the same in header and body.
#[track_caller]
fn wait_of(answer: &Answer) -> u64 {
    answer.expect_error(429, "M_LIMIT_EXCEEDED");
    let millis = answer.json()["retry_after_ms"].as_u64().expect("a number of milliseconds");
    let seconds = answer.header("retry-after").expect("a header").parse().expect("whole seconds");
    assert_eq!(millis.div_ceil(1000), seconds);
    seconds
}

#[tokio::test]
async fn an_address_gets_five_messages_an_hour_whoever_asks() {
    let node = TestNode::start().await;
    for count in 0..5 {
        ask(&node, "alice@example.org", count).send().await.ok();
    }
    let limited = ask(&node, "Alice@example.org", 5).send().await;
    assert_eq!(wait_of(&limited), 12 * 60);
    // Others get theirs.
    ask(&node, "bob@example.org", 6).send().await.ok();
    // Half a second less to wait, rounded up in the header.
    node.let_pass(Duration::from_millis(500)).await;
    assert_eq!(wait_of(&ask(&node, "alice@example.org", 9).send().await), 12 * 60);
    node.let_pass(12 * MINUTE - Duration::from_millis(501)).await;
    assert_eq!(wait_of(&ask(&node, "alice@example.org", 7).send().await), 1);
    node.let_pass(Duration::from_millis(1)).await;
    ask(&node, "alice@example.org", 8).send().await.ok();
    node.mailer.wait_for(7).await;
    assert_eq!(node.messages_queued(), 7);
}

#[tokio::test]
async fn an_address_gets_ten_messages_a_day() {
    let node = TestNode::start().await;
    for count in 0..10 {
        if count == 5 {
            node.let_pass(HOUR).await;
        }
        ask(&node, "alice@example.org", count).send().await.ok();
    }
    node.let_pass(HOUR).await;
    // A tenth of a day after the first, of which two hours are over.
    assert_eq!(wait_of(&ask(&node, "alice@example.org", 10).send().await), 24 * 60);
    node.mailer.wait_for(10).await;
}

#[tokio::test]
async fn resends_are_charged_and_repeats_are_not() {
    let node = TestNode::start().await;
    for attempt in 1..=5 {
        for _ in 0..3 {
            node.ask_email("monkeys", "alice@example.org", attempt).send().await.ok();
        }
    }
    wait_of(&node.ask_email("monkeys", "alice@example.org", 6).send().await);
    node.ask_email("monkeys", "alice@example.org", 5).send().await.ok();
    node.until_outbox_is_empty().await;
    assert_eq!(node.messages_queued(), 5);
}

#[tokio::test]
async fn what_is_limited_changes_nothing() {
    let node = TestNode::start().await;
    for attempt in 1..=5 {
        node.ask_email("monkeys", "alice@example.org", attempt).send().await.ok();
    }
    for _ in 0..3 {
        wait_of(&node.ask_email("monkeys", "alice@example.org", 9).send().await);
    }
    node.let_pass(12 * MINUTE).await;
    // Neither the attempt nor the refusals count.
    node.ask_email("monkeys", "alice@example.org", 6).send().await.ok();
    node.until_outbox_is_empty().await;
    assert_eq!(node.messages_queued(), 6);
}

#[tokio::test]
async fn a_phone_number_is_limited_however_it_is_dialled() {
    let node = TestNode::start().await;
    for (count, country) in ["GB", "DE", "FR", "GB", "IT"].into_iter().enumerate() {
        let secret = format!("secret{count}");
        node.ask_msisdn(&secret, country, "+44 7700 900001", 1).send().await.ok();
    }
    wait_of(&node.ask_msisdn("last", "GB", "07700900001", 1).send().await);
    node.sms.wait_for(5).await;
}

#[tokio::test]
async fn a_network_gets_ten_at_once_then_one_each_two_minutes() {
    let node = TestNode::start().await;
    let from = |count: usize, address: &str| {
        let email = format!("user{count}@example.org");
        if count.is_multiple_of(2) {
            node.ask_email("monkeys", &email, 1).from(address)
        } else {
            node.ask_msisdn("monkeys", "GB", &format!("077009{count:05}"), 1).from(address)
        }
    };
    for count in 0..10 {
        from(count, "198.51.100.7").send().await.ok();
    }
    assert_eq!(wait_of(&from(10, "198.51.100.7").send().await), 120);
    from(11, "198.51.100.8").send().await.ok();
    node.let_pass(2 * MINUTE).await;
    from(12, "198.51.100.7").send().await.ok();
    wait_of(&from(13, "198.51.100.7").send().await);
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn an_ipv6_network_is_a_64() {
    let node = TestNode::start_with(|config| {
        config.limits.requests_per_network_burst = NonZeroU32::MIN;
    })
    .await;
    node.ask_email("a", "a@example.org", 1).from("2001:db8::1").send().await.ok();
    wait_of(&node.ask_email("b", "b@example.org", 1).from("2001:db8::ffff:1").send().await);
    node.ask_email("c", "c@example.org", 1).from("2001:db8:0:1::1").send().await.ok();
    node.ask_email("d", "d@example.org", 1).from("::ffff:198.51.100.7").send().await.ok();
    wait_of(&node.ask_email("e", "e@example.org", 1).from("198.51.100.7").send().await);
    node.mailer.wait_for(3).await;
}

#[tokio::test]
async fn only_a_trusted_proxy_says_where_a_request_comes_from() {
    let node = TestNode::start_with(|config| {
        config.server.trusted_proxies.clear();
        config.limits.requests_per_network_burst = NonZeroU32::MIN;
    })
    .await;
    node.ask_email("a", "a@example.org", 1).from("198.51.100.7").send().await.ok();
    wait_of(&node.ask_email("b", "b@example.org", 1).from("198.51.100.8").send().await);
    node.mailer.wait_for(1).await;
}

#[tokio::test]
async fn what_a_client_makes_up_left_of_its_own_address_does_not_count() {
    let node = TestNode::start_with(|config| {
        config.limits.requests_per_network_burst = NonZeroU32::MIN;
    })
    .await;
    node.ask_email("a", "a@example.org", 1).from("203.0.113.1, 198.51.100.7").send().await.ok();
    let limited = node.ask_email("b", "b@example.org", 1).from("203.0.113.2, 198.51.100.7").send().await;
    wait_of(&limited);
    node.mailer.wait_for(1).await;
}

#[tokio::test]
async fn repeats_and_malformed_requests_are_not_charged_to_a_network() {
    let node = TestNode::start().await;
    for _ in 0..20 {
        node.ask_email("monkeys", "alice@example.org", 1).send().await.ok();
        node.ask_email("monkeys", "nonsense", 1).send().await.expect_error(400, "M_INVALID_PARAM");
    }
    for count in 1..10 {
        node.ask_email("monkeys", &format!("user{count}@example.org"), 1).send().await.ok();
    }
    wait_of(&node.ask_email("monkeys", "last@example.org", 1).send().await);
    node.until_outbox_is_empty().await;
    assert_eq!(node.messages_queued(), 10);
}

#[tokio::test]
async fn asking_whether_an_address_is_in_use_is_charged_like_a_message() {
    let node = TestNode::start().await;
    let alice = node.register("alice").await;
    node.give_email(&alice, "alice@example.org").await;
    for count in 0..4 {
        ask(&node, "alice@example.org", count).send().await.expect_error(400, "M_THREEPID_IN_USE");
    }
    wait_of(&ask(&node, "alice@example.org", 4).send().await);
}

#[tokio::test]
async fn limits_outlive_a_restart() {
    let node = TestNode::start().await;
    for count in 0..5 {
        ask(&node, "alice@example.org", count).send().await.ok();
    }
    node.until_outbox_is_empty().await;
    let node = node.restart(|_| {}).await;
    assert_eq!(wait_of(&ask(&node, "alice@example.org", 5).send().await), 12 * 60);
}

#[tokio::test]
async fn requests_at_once_get_no_more_than_their_share() {
    let node = TestNode::start().await;
    let answers = send_all((0..20).map(|count| ask(&node, "alice@example.org", count)).collect()).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 5);
    assert_eq!(answers.iter().filter(|answer| answer.status == 429).count(), 15);
    node.until_outbox_is_empty().await;
    assert_eq!(node.messages_queued(), 5);
}

#[tokio::test]
async fn limits_can_be_lifted() {
    let node = TestNode::start_without_limits().await;
    for attempt in 1..=30 {
        node.ask_email("monkeys", "alice@example.org", attempt).send().await.ok();
    }
    node.until_outbox_is_empty().await;
}

#[tokio::test]
async fn the_shield_stops_a_flood_from_one_network() {
    let node = TestNode::start_with(|config| {
        config.limits.shield_requests_per_second = NonZeroU32::MIN;
        config.limits.shield_burst = NonZeroU32::new(3).unwrap();
    })
    .await;
    let versions = |from| node.call(Method::GET, &format!("/_api{VERSIONS}")).from(from);
    let answers = send_all((0..40).map(|_| versions("198.51.100.7")).collect()).await;
    assert!(answers.iter().filter(|answer| answer.status == 200).count() < 40);
    let limited = answers.iter().find(|answer| answer.status == 429).expect("one was stopped");
    assert_eq!(wait_of(limited), 1);
    versions("198.51.100.8").send().await.ok();
}
