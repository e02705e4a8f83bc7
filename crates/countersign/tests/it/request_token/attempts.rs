//! `send_attempt`: a message goes out exactly when it grows.

use std::time::Duration;

use crate::support::TestNode;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const TICK: Duration = Duration::from_millis(1);

#[tokio::test]
async fn only_a_higher_attempt_sends_again_with_the_same_code() {
    let node = TestNode::start_without_limits().await;
    let mut expected = 0;
    let mut sids = Vec::new();
    // No attempt but a higher one than all before sends; gaps and negative numbers are fine.
    for (attempt, sends) in [
        (-7, 1),
        (-7, 0),
        (-8, 0),
        (0, 1),
        (0, 0),
        (1, 1),
        (1, 0),
        (7, 1),
        (3, 0),
        (8, 1),
        (i64::from(i32::MIN), 0),
    ] {
        expected += sends;
        sids.push(node.ask_email("monkeys", "alice@example.org", attempt).send().await.ok_string("sid"));
        node.mailer.wait_for(expected).await;
        node.until_outbox_is_empty().await;
        assert_eq!(
            (node.messages_queued(), node.mailer.messages().len()),
            (expected as i64, expected),
            "{attempt}"
        );
    }
    sids.dedup();
    assert_eq!(sids.len(), 1);
    let mut codes: Vec<_> = node.mailer.messages().into_iter().map(|mail| (mail.code, mail.link)).collect();
    codes.dedup();
    assert_eq!(codes.len(), 1);
}

#[tokio::test]
async fn phones_count_attempts_like_mail() {
    let node = TestNode::start_without_limits().await;
    let mut sids = Vec::new();
    for (attempt, expected) in [(1, 1), (1, 1), (0, 1), (2, 2), (2, 2)] {
        sids.push(node.ask_msisdn("monkeys", "GB", "07700900001", attempt).send().await.ok_string("sid"));
        let sms = node.sms.wait_for(expected).await;
        assert_eq!((node.messages_queued(), sms.len()), (expected as i64, expected), "{attempt}");
    }
    sids.dedup();
    assert_eq!(sids.len(), 1);
    let sms = node.sms.messages();
    assert_eq!(sms[0].code, sms[1].code);
}

#[tokio::test]
async fn the_largest_and_smallest_integers_are_attempts() {
    let node = TestNode::start_without_limits().await;
    let largest = (1 << 53) - 1;
    for (attempt, expected) in [(-largest, 1), (largest, 2), (largest, 2)] {
        node.ask_email("monkeys", "alice@example.org", attempt).send().await.ok();
        assert_eq!(node.mailer.wait_for(expected).await.len(), expected);
    }
    assert_eq!(node.messages_queued(), 2);
}

#[tokio::test]
async fn a_resend_after_half_the_codes_life_brings_a_new_code_and_the_same_link() {
    let node = TestNode::start().await;
    let sid = node.ask_email("monkeys", "alice@example.org", 1).send().await.ok_string("sid");
    let first = node.mailer.wait_for(1).await.swap_remove(0);
    node.let_pass(15 * MINUTE).await;
    node.ask_email("monkeys", "alice@example.org", 2).send().await.ok();
    let second = node.mailer.wait_for(2).await.swap_remove(1);
    assert_eq!(first.link, second.link);
    // One in a million runs draws the same code twice.
    let (old, new) = (first.code.unwrap(), second.code.unwrap());
    if old != new {
        node.submit(&sid, "monkeys", &old).send().await.expect_error(400, "M_TOKEN_INCORRECT");
    }
    node.submit(&sid, "monkeys", &new).send().await.ok();
}

#[tokio::test]
async fn a_session_that_expired_makes_room_for_a_new_one() {
    let node = TestNode::start_without_limits().await;
    let ask = || node.ask_email("monkeys", "alice@example.org", 1);
    let first = ask().send().await.ok_string("sid");
    node.mailer.wait_for(1).await;
    node.let_pass(DAY).await;
    assert_eq!(ask().send().await.ok_string("sid"), first);
    node.let_pass(TICK).await;
    assert_ne!(ask().send().await.ok_string("sid"), first);
    node.mailer.wait_for(2).await;
    assert_eq!(node.messages_queued(), 2);
}

#[tokio::test]
async fn a_validated_session_answers_repeats_and_stays_usable_beside_a_new_one() {
    let node = TestNode::start_without_limits().await;
    let alice = node.register("alice").await;
    let validated = node.validate_email("monkeys", "alice@example.org").await;
    let ask = |attempt| node.ask_email("monkeys", "alice@example.org", attempt);
    assert_eq!(ask(1).send().await.ok_string("sid"), validated);
    assert_eq!(node.messages_queued(), 1);
    let newer = ask(2).send().await.ok_string("sid");
    assert_ne!(newer, validated);
    node.mailer.wait_for(2).await;
    assert_eq!(ask(2).send().await.ok_string("sid"), newer);
    node.add(&alice, &newer, "monkeys").send().await.expect_error(400, "M_THREEPID_AUTH_FAILED");
    node.add(&alice, &validated, "monkeys").send().await.ok();
}
