//! The outbox, from lease to history.

use std::{collections::HashSet, sync::Arc};

use countersign_core::{
    Carrier, CodeGeneration, DropReason, GiveUpReason, LeaseId, Medium, MessageId, MessageOutcome,
    SendAttempt, SessionPurpose, Submitted, ValidationRequest,
};
use tokio::task::JoinSet;

use super::data::*;
use crate::{FinishedMessage, LeaseRequest, OutboxCounts, Storage};

/// Asks for a token for an address of its own.
async fn numbered(storage: &dyn Storage, number: u32, now: countersign_core::Timestamp) -> ValidationRequest {
    let request = request(SessionPurpose::AddThreepid, &email(&format!("user{number}@example.org")));
    sending(storage, &request, now).await;
    request
}

async fn outcome(storage: &dyn Storage, id: MessageId) -> Option<MessageOutcome> {
    storage.find_finished_message(id).await.unwrap().map(|finished| finished.outcome)
}

async fn leased_ids(
    storage: &dyn Storage,
    request: LeaseRequest,
    now: countersign_core::Timestamp,
) -> Vec<MessageId> {
    storage.lease(request, now).await.unwrap().iter().map(|leased| leased.message.id).collect()
}

pub(crate) async fn leased_message_comes_with_its_session(storage: Arc<dyn Storage>) {
    let request = alice();
    let sid = sending(&*storage, &request, NOW).await;
    let (leased, _) = lease_one(&*storage, Medium::Email, NOW.after(SECOND)).await;
    assert_eq!(leased.session, session(&*storage, sid).await);
    assert_eq!(leased.session.code_generation, CodeGeneration(1));
    assert_eq!(leased.session.code_began_at, Some(NOW.after(SECOND)));
    assert_eq!(leased.message.tries, 1);
}

pub(crate) async fn oldest_due_messages_come_first(storage: Arc<dyn Storage>) {
    let third = numbered(&*storage, 3, NOW.after(3 * SECOND)).await;
    let first = numbered(&*storage, 1, NOW.after(SECOND)).await;
    let second = numbered(&*storage, 2, NOW.after(2 * SECOND)).await;
    let later = NOW.after(MINUTE);
    let early = lease_request(Medium::Email, 10, NOW);
    assert!(leased_ids(&*storage, early, NOW).await.is_empty(), "none is due");
    let exact = NOW.after(SECOND);
    assert_eq!(
        leased_ids(&*storage, lease_request(Medium::Email, 10, exact), exact).await,
        [first.message_id]
    );
    let one = leased_ids(&*storage, lease_request(Medium::Email, 1, later), later).await;
    assert_eq!(one, [second.message_id]);
    let rest = leased_ids(&*storage, lease_request(Medium::Email, 10, later), later).await;
    assert_eq!(rest, [third.message_id]);
    // A lease that ran out does not cost a message its place.
    numbered(&*storage, 4, NOW.after(4 * SECOND)).await;
    let much_later = NOW.after(HOUR);
    let again = leased_ids(&*storage, lease_request(Medium::Email, 2, much_later), much_later).await;
    assert_eq!(again, [first.message_id, second.message_id]);
}

pub(crate) async fn media_do_not_mix(storage: Arc<dyn Storage>) {
    let mail = alice();
    let sms = request(SessionPurpose::AddThreepid, &msisdn("447700900123"));
    sending(&*storage, &mail, NOW).await;
    assert_eq!(storage.next_due_at(Carrier::Msisdn).await.unwrap(), None);
    sending(&*storage, &sms, NOW.after(SECOND)).await;
    assert_eq!(storage.next_due_at(Carrier::Email).await.unwrap(), Some(NOW));
    assert_eq!(storage.next_due_at(Carrier::Msisdn).await.unwrap(), Some(NOW.after(SECOND)));
    let later = NOW.after(MINUTE);
    assert_eq!(lease_one(&*storage, Medium::Msisdn, later).await.0.message.id, sms.message_id);
    assert_eq!(lease_one(&*storage, Medium::Email, later).await.0.message.id, mail.message_id);
}

pub(crate) async fn lease_hides_a_message_until_it_runs_out(storage: Arc<dyn Storage>) {
    sending(&*storage, &alice(), NOW).await;
    let (first, old_lease) = lease_one(&*storage, Medium::Email, NOW).await;
    // The last moment of a lease still counts.
    for moment in [NOW, NOW.after(MINUTE)] {
        assert!(leased_ids(&*storage, lease_request(Medium::Email, 10, moment), moment).await.is_empty());
    }
    assert_eq!(
        storage.count_outbox().await.unwrap(),
        OutboxCounts { waiting: 1, oldest_created_at: Some(NOW) }
    );
    let later = NOW.after(MINUTE).after(SECOND);
    let (second, new_lease) = lease_one(&*storage, Medium::Email, later).await;
    assert_eq!(second.message.id, first.message.id);
    assert_eq!(second.message.tries, 2);
    assert!(!storage.mark_delivered(first.message.id, old_lease, later).await.unwrap());
    assert!(storage.mark_delivered(first.message.id, new_lease, later).await.unwrap());
}

pub(crate) async fn stale_lease_changes_nothing(storage: Arc<dyn Storage>) {
    let request = alice();
    let sid = sending(&*storage, &request, NOW).await;
    let unknown = LeaseId::from_bytes([9; 16]);
    let refuses = async |id, lease_id| {
        assert!(!storage.mark_delivered(id, lease_id, NOW).await.unwrap());
        assert!(!storage.retry_at(id, lease_id, NOW.after(HOUR)).await.unwrap());
        assert!(!storage.give_up(id, lease_id, GiveUpReason::Refused, None, NOW).await.unwrap());
    };
    refuses(request.message_id, unknown).await;
    let (leased, lease_id) = lease_one(&*storage, Medium::Email, NOW).await;
    refuses(leased.message.id, unknown).await;
    refuses(MessageId::from_bytes([9; 16]), lease_id).await;
    assert_eq!(session(&*storage, sid).await, leased.session);
    assert_eq!(outcome(&*storage, request.message_id).await, None);
    assert!(storage.mark_delivered(leased.message.id, lease_id, NOW).await.unwrap());
    refuses(leased.message.id, lease_id).await;
    assert_eq!(session(&*storage, sid).await.send_attempt, Some(SendAttempt(1)));
    assert_eq!(outcome(&*storage, request.message_id).await, Some(MessageOutcome::Delivered));
}

pub(crate) async fn delivered_message_is_finished(storage: Arc<dyn Storage>) {
    let request = alice();
    sending(&*storage, &request, NOW).await;
    let (leased, lease_id) = lease_one(&*storage, Medium::Email, NOW).await;
    assert_eq!(storage.find_finished_message(request.message_id).await.unwrap(), None);
    let later = NOW.after(SECOND);
    assert!(storage.mark_delivered(leased.message.id, lease_id, later).await.unwrap());
    let expected = FinishedMessage {
        id: request.message_id,
        outcome: MessageOutcome::Delivered,
        reason: None,
        tries: 1,
        finished_at: later,
    };
    assert_eq!(storage.find_finished_message(request.message_id).await.unwrap(), Some(expected));
    assert_eq!(storage.count_outbox().await.unwrap(), OutboxCounts::default());
    assert_eq!(storage.next_due_at(Carrier::Email).await.unwrap(), None);
}

pub(crate) async fn message_tried_again_waits_for_its_time(storage: Arc<dyn Storage>) {
    sending(&*storage, &alice(), NOW).await;
    let (leased, lease_id) = lease_one(&*storage, Medium::Email, NOW).await;
    let due = NOW.after(30 * SECOND);
    assert!(storage.retry_at(leased.message.id, lease_id, due).await.unwrap());
    assert!(!storage.retry_at(leased.message.id, lease_id, NOW).await.unwrap(), "the lease is over");
    assert_eq!(storage.next_due_at(Carrier::Email).await.unwrap(), Some(due));
    let early = NOW.after(29 * SECOND);
    assert!(leased_ids(&*storage, lease_request(Medium::Email, 10, early), early).await.is_empty());
    let (leased, _) = lease_one(&*storage, Medium::Email, due).await;
    assert_eq!((leased.message.tries, leased.message.not_before), (2, due));
    assert_eq!(leased.message.created_at, NOW);
}

pub(crate) async fn giving_up_takes_the_attempt_back(storage: Arc<dyn Storage>) {
    let first = again(&alice(), 3);
    let sid = sending(&*storage, &first, NOW).await;
    let (leased, lease_id) = lease_one(&*storage, Medium::Email, NOW).await;
    let said = Some("550 5.1.1 no such mailbox".to_owned());
    let refused = GiveUpReason::Refused;
    assert!(storage.give_up(leased.message.id, lease_id, refused, said.clone(), NOW).await.unwrap());
    let finished = storage.find_finished_message(first.message_id).await.unwrap().unwrap();
    assert_eq!((finished.outcome, finished.reason), (MessageOutcome::GivenUp(refused), said));
    assert_eq!(session(&*storage, sid).await.send_attempt, None);
    // Any number sends now, a lower one too.
    assert_eq!(sending(&*storage, &again(&first, 1), NOW).await, sid);
    assert_eq!(session(&*storage, sid).await.send_attempt, Some(SendAttempt(1)));
}

pub(crate) async fn giving_up_keeps_what_was_delivered_or_waits(storage: Arc<dyn Storage>) {
    let give_up = async |id, lease_id| {
        assert!(storage.give_up(id, lease_id, GiveUpReason::Refused, None, NOW).await.unwrap());
    };
    let first = alice();
    let sent = delivered(&*storage, &first, NOW).await;
    sending(&*storage, &again(&first, 2), NOW).await;
    let (second, second_lease) = lease_one(&*storage, Medium::Email, NOW).await;
    give_up(second.message.id, second_lease).await;
    assert_eq!(session(&*storage, sent.sid).await.send_attempt, Some(SendAttempt(1)), "one was delivered");

    sending(&*storage, &again(&first, 3), NOW).await;
    let (third, third_lease) = lease_one(&*storage, Medium::Email, NOW).await;
    sending(&*storage, &again(&first, 4), NOW).await;
    give_up(third.message.id, third_lease).await;
    assert_eq!(session(&*storage, sent.sid).await.send_attempt, Some(SendAttempt(4)), "four waits");
    let (fourth, fourth_lease) = lease_one(&*storage, Medium::Email, NOW).await;
    give_up(fourth.message.id, fourth_lease).await;
    assert_eq!(session(&*storage, sent.sid).await.send_attempt, Some(SendAttempt(1)));
}

pub(crate) async fn messages_that_make_no_sense_are_finished(storage: Arc<dyn Storage>) {
    // Validated, by another message of the same session.
    let first = alice();
    let validated = delivered(&*storage, &first, NOW).await;
    let second = again(&first, 2);
    sending(&*storage, &second, NOW).await;
    let right = submission(&validated, &link_token(&validated));
    assert_eq!(storage.submit_token(right, NOW).await.unwrap(), Submitted::Validated);
    // Ended.
    let other = request(SessionPurpose::Identity, &email("bob@example.org"));
    let ended = validated_by_nobody(&*storage, &other).await;
    // Expired before it was sent.
    let slow = ValidationRequest { session_lifetime: MINUTE, ..numbered_request(1) };
    let expired = sending(&*storage, &slow, NOW).await;

    let later = NOW.after(HOUR);
    assert!(leased_ids(&*storage, lease_request(Medium::Email, 10, later), later).await.is_empty());
    assert_eq!(waiting(&*storage).await, 0);
    let dropped = |reason| Some(MessageOutcome::Dropped(reason));
    assert_eq!(outcome(&*storage, second.message_id).await, dropped(DropReason::Validated));
    assert_eq!(outcome(&*storage, ended).await, dropped(DropReason::Ended));
    let given_up = Some(MessageOutcome::GivenUp(GiveUpReason::Expired));
    assert_eq!(outcome(&*storage, slow.message_id).await, given_up);
    assert_eq!(session(&*storage, expired).await.send_attempt, None);
}

fn numbered_request(number: u32) -> ValidationRequest {
    request(SessionPurpose::AddThreepid, &email(&format!("user{number}@example.org")))
}

/// Ends a session whose second message still waits. Answers that message.
async fn validated_by_nobody(storage: &dyn Storage, request: &ValidationRequest) -> MessageId {
    sending(storage, request, NOW).await;
    let leased = storage.lease(lease_request(Medium::Email, 10, NOW), NOW).await.unwrap();
    let leased = leased.into_iter().find(|leased| leased.message.id == request.message_id).unwrap();
    let next = again(request, 2);
    sending(storage, &next, NOW).await;
    storage.not_me(not_me(&leased.session), NOW).await.unwrap();
    next.message_id
}

pub(crate) async fn code_of_a_fresh_generation_is_kept(storage: Arc<dyn Storage>) {
    let first = request(SessionPurpose::Register, &msisdn("447700900123"));
    let sent = delivered(&*storage, &first, NOW).await;
    let soon = NOW.after(5 * MINUTE).before(SECOND);
    let sent_again = delivered(&*storage, &again(&first, 2), soon).await;
    assert_eq!(typed_code(&sent_again), typed_code(&sent));
    assert_eq!(sent_again.code_began_at, Some(NOW), "its life is not extended");
    let late = NOW.after(5 * MINUTE);
    let renewed = delivered(&*storage, &again(&first, 3), late).await;
    assert_eq!((renewed.code_generation, renewed.code_began_at), (CodeGeneration(2), Some(late)));
}

pub(crate) async fn next_due_is_the_first_moment_at_which_a_lease_succeeds(storage: Arc<dyn Storage>) {
    assert_eq!(storage.next_due_at(Carrier::Email).await.unwrap(), None);
    sending(&*storage, &alice(), NOW.after(SECOND)).await;
    assert_eq!(storage.next_due_at(Carrier::Email).await.unwrap(), Some(NOW.after(SECOND)));
    lease_one(&*storage, Medium::Email, NOW.after(SECOND)).await;
    let due = storage.next_due_at(Carrier::Email).await.unwrap().unwrap();
    let before = due.before(std::time::Duration::from_millis(1));
    assert!(leased_ids(&*storage, lease_request(Medium::Email, 1, before), before).await.is_empty());
    lease_one(&*storage, Medium::Email, due).await;
}

pub(crate) async fn workers_at_once_never_share_a_message(storage: Arc<dyn Storage>) {
    for number in 0..50 {
        numbered(&*storage, number, NOW).await;
    }
    let mut tasks = JoinSet::new();
    for _ in 0..32 {
        let (storage, request) = (Arc::clone(&storage), lease_request(Medium::Email, 3, NOW));
        tasks.spawn(async move { leased_ids(&*storage, request, NOW).await });
    }
    let ids: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    assert_eq!(ids.len(), 50);
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 50);
}
