//! What becomes of a message that is not delivered at once, and of the request that wants it.

use std::time::Duration;

use countersign_delivery::SendError;

use crate::support::TestNode;

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn permanent() -> SendError {
    SendError::Permanent { reason: "550 no such mailbox".to_owned() }
}

fn transient() -> SendError {
    SendError::Transient { reason: "451 try again later".to_owned(), retry_after: None }
}

impl TestNode {
    /// What became of the messages that are over, by attempt.
    fn fates(&self) -> Vec<String> {
        self.look_up(
            "select send_attempt || ' ' || outcome from message_history order by send_attempt, finished_at",
        )
    }
}

#[tokio::test]
async fn a_message_that_was_refused_for_good_does_not_count_as_an_attempt() {
    let node = TestNode::start().await;
    node.mailer.fail_next([permanent()]);
    let sid = node.ask_email("monkeys", "alice@example.org", 1).send().await.ok_string("sid");
    node.until_outbox_is_empty().await;
    assert_eq!(node.ask_email("monkeys", "alice@example.org", 1).send().await.ok_string("sid"), sid);
    node.mailer.wait_for(1).await;
    // Now it counts.
    node.ask_email("monkeys", "alice@example.org", 1).send().await.ok();
    assert_eq!(node.messages_queued(), 2);
}

#[tokio::test]
async fn a_refused_resend_leaves_the_attempt_that_was_delivered() {
    let node = TestNode::start().await;
    node.ask_email("monkeys", "alice@example.org", 3).send().await.ok();
    node.mailer.wait_for(1).await;
    node.until_outbox_is_empty().await;
    node.mailer.fail_next([permanent()]);
    node.ask_email("monkeys", "alice@example.org", 5).send().await.ok();
    node.until_outbox_is_empty().await;
    for (attempt, queued) in [(2, 2), (3, 2), (4, 3)] {
        node.ask_email("monkeys", "alice@example.org", attempt).send().await.ok();
        assert_eq!(node.messages_queued(), queued, "{attempt}");
    }
    node.mailer.wait_for(2).await;
}

#[tokio::test]
async fn a_refused_sms_does_not_count_as_an_attempt() {
    let node = TestNode::start().await;
    node.sms.fail_next([permanent()]);
    let sid = node.ask_msisdn("monkeys", "GB", "07700900001", 1).send().await.ok_string("sid");
    node.until_outbox_is_empty().await;
    assert_eq!(node.ask_msisdn("monkeys", "GB", "07700900001", 1).send().await.ok_string("sid"), sid);
    node.sms.wait_for(1).await;
}

#[tokio::test]
async fn a_message_that_was_put_off_is_tried_again_and_asking_again_does_not_double_it() {
    let node = TestNode::start().await;
    node.mailer.fail_next([transient(), transient()]);
    let sid = node.ask_email("monkeys", "alice@example.org", 1).send().await.ok_string("sid");
    node.until_tried(1).await;
    assert_eq!(node.ask_email("monkeys", "alice@example.org", 1).send().await.ok_string("sid"), sid);
    let mut tries = 1;
    while node.mailer.messages().is_empty() {
        node.let_pass(HOUR).await;
        tries += 1;
        node.until_tried(tries).await;
    }
    assert_eq!(tries, 3);
    let mail = node.mailer.wait_for(1).await.swap_remove(0);
    // The code was made when the message went out at last.
    node.submit(&sid, "monkeys", &mail.code.unwrap()).send().await.ok();
    assert_eq!(node.messages_queued(), 1);
}

#[tokio::test]
async fn a_higher_attempt_takes_the_place_of_a_message_that_still_waits() {
    let node = TestNode::start().await;
    node.mailer.fail_next([transient()]);
    node.ask_email("monkeys", "alice@example.org", 1).send().await.ok();
    node.until_tried(1).await;
    node.ask_email("monkeys", "alice@example.org", 2).send().await.ok();
    node.mailer.wait_for(1).await;
    node.let_pass(HOUR).await;
    node.until_outbox_is_empty().await;
    assert_eq!(node.mailer.messages().len(), 1);
    assert_eq!(node.fates(), ["1 dropped_superseded", "2 delivered"]);
}

#[tokio::test]
async fn a_message_of_a_session_that_expired_is_given_up() {
    let node = TestNode::start().await;
    node.mailer.fail_next([transient()]);
    node.ask_email("monkeys", "alice@example.org", 1).send().await.ok();
    node.until_tried(1).await;
    node.let_pass(DAY + HOUR).await;
    node.until_outbox_is_empty().await;
    assert_eq!(node.mailer.messages().len(), 0);
    assert_eq!(node.fates(), ["1 given_up_expired"]);
}

#[tokio::test]
async fn a_message_outlives_a_restart() {
    let node = TestNode::start().await;
    node.mailer.fail_next([transient()]);
    let sid = node.ask_email("monkeys", "alice@example.org", 1).send().await.ok_string("sid");
    node.until_tried(1).await;
    let node = node.restart(|_| {}).await;
    node.let_pass(HOUR).await;
    let mail = node.mailer.wait_for(1).await.swap_remove(0);
    node.submit(&sid, "monkeys", &mail.code.unwrap()).send().await.ok();
}
