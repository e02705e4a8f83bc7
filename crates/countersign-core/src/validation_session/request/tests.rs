//! Tests of requests for tokens.

use super::{super::test_data::*, *};
use crate::{BudgetKind, Consumed, EndReason, Ended};

fn state(existing: Option<ValidationSession>) -> RequestState {
    RequestState { existing, ..RequestState::default() }
}

fn owned(existing: Option<ValidationSession>) -> RequestState {
    RequestState { owner: Some(localpart("bob")), ..state(existing) }
}

fn hiding(request: ValidationRequest) -> ValidationRequest {
    ValidationRequest { in_use: InUsePolicy::Hide, ..request }
}

fn inserted(decision: &RequestDecision) -> (&ValidationSession, Option<SessionId>) {
    match &decision.session {
        SessionChange::Insert { session, former } => (session, *former),
        change => panic!("not inserted: {change:?}"),
    }
}

fn updated(decision: &RequestDecision) -> &ValidationSession {
    match &decision.session {
        SessionChange::Update(session) => session,
        change => panic!("not updated: {change:?}"),
    }
}

#[test]
fn the_first_request_sends_whatever_its_number() {
    for number in [i64::MIN, -1, 0, 1, 7, i64::MAX] {
        let request = ValidationRequest { send_attempt: SendAttempt(number), ..request() };
        let decision = ValidationSession::request(&state(None), &request, NOW);
        assert_eq!(decision.answer, Requested::Sending(sid(1)), "{number}");
        let (session, former) = inserted(&decision);
        assert_eq!((session.send_attempt, former), (attempt(number), None));
        assert_eq!((session.created_at, session.expires_at), (NOW, NOW.after(DAY)));
        assert!(session.latest && !session.decoy && session.validated_at.is_none());
        let message = decision.message.unwrap();
        assert_eq!((message.sid, message.send_attempt), (sid(1), SendAttempt(number)));
        assert_eq!((message.kind, message.not_before, message.tries), (MessageKind::Validation, NOW, 0));
    }
}

#[test]
fn repeated_or_lower_send_attempt_writes_nothing() {
    for existing in [sent(&request()), validated(&request())] {
        for number in [1, 0, -5] {
            let charges = vec![charge(BudgetKind::Requests)];
            let request = ValidationRequest { charges, ..request_again(number) };
            // Not even a spent budget matters to a repeat.
            let full_at = vec![Some(NOW.after(DAY))];
            let state = RequestState { full_at, ..state(Some(existing.clone())) };
            let decision = ValidationSession::request(&state, &request, NOW);
            assert_eq!(decision, RequestDecision::unchanged(Requested::Repeated(sid(1))), "{number}");
        }
    }
}

#[test]
fn higher_send_attempt_sends_for_the_same_session() {
    let existing = sent(&request());
    for number in [2, 7, i64::MAX] {
        let decision =
            ValidationSession::request(&state(Some(existing.clone())), &request_again(number), NOW);
        assert_eq!(decision.answer, Requested::Sending(sid(1)));
        let request = request_again(number);
        let expected = ValidationSession {
            send_attempt: attempt(number),
            sealed_next_link: request.sealed_next_link,
            ..existing.clone()
        };
        assert_eq!(updated(&decision), &expected);
        let message = decision.message.unwrap();
        assert_eq!((message.sid, message.send_attempt), (sid(1), SendAttempt(number)));
        assert_eq!(message.id, request.message_id);
    }
}

#[test]
fn asking_again_neither_lengthens_a_session_nor_forgives_a_miss() {
    let existing = ValidationSession { misses: 4, ..sent(&request()) };
    let later = NOW.after(DAY / 2);
    let decision = ValidationSession::request(&state(Some(existing.clone())), &request_again(2), later);
    let session = updated(&decision);
    assert_eq!((session.expires_at, session.misses), (existing.expires_at, 4));
    assert_eq!(
        (session.code_generation, session.code_began_at),
        (existing.code_generation, existing.code_began_at)
    );
}

#[test]
fn higher_send_attempt_after_validation_opens_another_session() {
    let existing = validated(&request());
    let decision = ValidationSession::request(&state(Some(existing)), &request_again(2), NOW);
    assert_eq!(decision.answer, Requested::Sending(sid(2)));
    let (session, former) = inserted(&decision);
    assert_eq!((session.sid, former), (sid(2), Some(sid(1))));
    assert_eq!((session.validated_at, session.misses), (None, 0));
    assert!(session.latest);
    assert_eq!(decision.message.unwrap().sid, sid(2));
}

#[test]
fn a_session_that_is_over_makes_room_for_another_whatever_the_number() {
    let open = sent(&request());
    let consumed = Consumed { at: NOW, by: localpart("alice") };
    let ended = |reason| Some(Ended { at: NOW, reason });
    for (what, existing, now) in [
        ("expired", open.clone(), open.expires_at.after(TICK)),
        ("consumed", ValidationSession { consumed: Some(consumed), ..validated(&request()) }, NOW),
        ("guessed", ValidationSession { ended: ended(EndReason::Guessed), ..open.clone() }, NOW),
        ("not me", ValidationSession { ended: ended(EndReason::NotMe), ..open.clone() }, NOW),
    ] {
        for number in [-1, 1, 2] {
            let state = state(Some(existing.clone()));
            let decision = ValidationSession::request(&state, &request_again(number), now);
            assert_eq!(decision.answer, Requested::Sending(sid(2)), "{what} {number}");
            assert_eq!(inserted(&decision).1, Some(sid(1)), "{what}");
            assert_eq!(inserted(&decision).0.expires_at, now.after(DAY), "{what}");
            assert!(decision.message.is_some(), "{what}");
        }
    }
}

#[test]
fn the_last_moment_of_a_session_still_counts() {
    let existing = sent(&request());
    let decision =
        ValidationSession::request(&state(Some(existing.clone())), &request_again(1), existing.expires_at);
    assert_eq!(decision.answer, Requested::Repeated(sid(1)));
}

#[test]
fn a_session_that_lost_its_key_is_not_resumed() {
    let existing = ValidationSession { latest: false, ..sent(&request()) };
    let decision = ValidationSession::request(&state(Some(existing)), &request_again(1), NOW);
    assert_eq!(inserted(&decision).1, None);
}

#[test]
fn after_giving_up_the_same_number_sends_again() {
    let given_up = sent(&request()).after_giving_up(None);
    for number in [1, 0, -3] {
        let state = state(Some(given_up.clone()));
        let decision = ValidationSession::request(&state, &request_again(number), NOW);
        assert_eq!(decision.answer, Requested::Sending(sid(1)), "{number}");
        assert_eq!(updated(&decision).send_attempt, attempt(number));
    }
    let partly =
        ValidationSession { send_attempt: attempt(5), ..sent(&request()) }.after_giving_up(attempt(3));
    for (number, answer) in [(3, Requested::Repeated(sid(1))), (4, Requested::Sending(sid(1)))] {
        let decision = ValidationSession::request(&state(Some(partly.clone())), &request_again(number), NOW);
        assert_eq!(decision.answer, answer, "{number}");
    }
}

#[test]
fn only_the_right_owner_gets_a_validation_message() {
    use SessionPurpose as P;
    for (purpose, owner, refused) in [
        (P::Register, false, None),
        (P::Register, true, Some((Requested::InUse, MessageKind::AddressInUse))),
        (P::AddThreepid, false, None),
        (P::AddThreepid, true, Some((Requested::InUse, MessageKind::AddressInUse))),
        (P::ResetPassword, true, None),
        (P::ResetPassword, false, Some((Requested::NotFound, MessageKind::NoAccount))),
        (P::Identity, true, None),
        (P::Identity, false, None),
        (P::Verify, true, None),
        (P::Verify, false, None),
    ] {
        let state = if owner { owned(None) } else { state(None) };
        let told = ValidationRequest { purpose, charges: vec![charge(BudgetKind::Requests)], ..request() };
        let hidden = ValidationSession::request(&state, &hiding(told.clone()), NOW);
        let told = ValidationSession::request(&state, &told, NOW);
        assert_eq!(
            told.answer,
            refused.map_or(Requested::Sending(sid(1)), |(answer, _)| answer),
            "{purpose:?}"
        );
        assert_eq!(told.message.is_some(), refused.is_none(), "{purpose:?}");
        assert_eq!(told.session == SessionChange::Keep, refused.is_some(), "{purpose:?}");
        // Hiding gives one answer to all, and costs all the same.
        assert_eq!(hidden.answer, Requested::Sending(sid(1)), "{purpose:?}");
        assert_eq!(hidden.budgets, told.budgets, "{purpose:?}");
        assert_eq!(hidden.budgets.len(), 1);
        assert_eq!(inserted(&hidden).0.decoy, refused.is_some(), "{purpose:?}");
        let kind = refused.map_or(MessageKind::Validation, |(_, notice)| notice);
        assert_eq!(hidden.message.unwrap().kind, kind, "{purpose:?}");
    }
}

#[test]
fn an_address_in_use_is_told_even_to_a_repeat() {
    for number in [1, 2] {
        let state = owned(Some(sent(&request())));
        let decision = ValidationSession::request(&state, &request_again(number), NOW);
        assert_eq!(decision, RequestDecision::unchanged(Requested::InUse));
    }
}

#[test]
fn hidden_owners_that_come_and_go_do_not_show() {
    let real = sent(&request());
    let decoy = ValidationSession { decoy: true, ..real.clone() };
    for (what, state, decoy) in [
        ("comes", owned(Some(real.clone())), true),
        ("stays", owned(Some(decoy.clone())), true),
        ("goes", state(Some(decoy)), false),
        ("was never there", state(Some(real)), false),
    ] {
        let repeated = ValidationSession::request(&state, &hiding(request_again(1)), NOW);
        assert_eq!(repeated, RequestDecision::unchanged(Requested::Repeated(sid(1))), "{what}");
        let higher = ValidationSession::request(&state, &hiding(request_again(2)), NOW);
        assert_eq!(higher.answer, Requested::Sending(sid(1)), "{what}");
        assert_eq!((updated(&higher).sid, updated(&higher).decoy), (sid(1), decoy), "{what}");
        let kind = if decoy { MessageKind::AddressInUse } else { MessageKind::Validation };
        assert_eq!(higher.message.unwrap().kind, kind, "{what}");
    }
}

#[test]
fn a_suppressed_address_gets_no_message_and_all_else_is_the_same() {
    let charges = vec![charge(BudgetKind::MessagesHourly)];
    for (existing, number) in [(None, 1), (Some(sent(&request())), 2), (Some(validated(&request())), 2)] {
        let request = ValidationRequest { charges: charges.clone(), ..request_again(number) };
        let plain = ValidationSession::request(&state(existing.clone()), &request, NOW);
        let suppressed = RequestState { suppressed: true, ..state(existing.clone()) };
        let decision = ValidationSession::request(&suppressed, &request, NOW);
        assert_eq!((&decision.answer, &decision.budgets), (&plain.answer, &plain.budgets));
        assert_eq!(decision.budgets.len(), 1);
        assert_eq!(decision.message, None);
        let saved = match decision.session {
            SessionChange::Update(session) | SessionChange::Insert { session, .. } => session,
            SessionChange::Keep => panic!("the attempt is not remembered"),
        };
        let repeat = ValidationSession::request(&state(Some(saved)), &request, NOW);
        assert!(matches!(repeat.answer, Requested::Repeated(_)));
    }
}

#[test]
fn where_a_mail_leads_changes_only_with_a_message() {
    let user = UserId::new(&localpart("alice"), &crate::ServerName::parse("example.org").unwrap());
    let existing = sent(&request());
    let request = ValidationRequest { requested_by: Some(user.clone()), ..request_again(2) };
    let after = |suppressed, request: &ValidationRequest| {
        let state = RequestState { suppressed, ..state(Some(existing.clone())) };
        let decision = ValidationSession::request(&state, request, NOW);
        let session = updated(&decision);
        (session.sealed_next_link.clone(), session.requested_by.clone())
    };
    assert_eq!(after(false, &request), (request.sealed_next_link.clone(), Some(user.clone())));
    assert_eq!(after(true, &request), (existing.sealed_next_link.clone(), None));
    let without = ValidationRequest { sealed_next_link: None, ..request };
    assert_eq!(after(false, &without), (None, Some(user)));
}

#[test]
fn a_spent_budget_changes_nothing() {
    let spent = RequestState { full_at: vec![None, Some(NOW.after(DAY))], ..RequestState::default() };
    let charges = vec![charge(BudgetKind::MessagesHourly), charge(BudgetKind::Requests)];
    for (existing, number) in [(None, 1), (Some(sent(&request())), 2), (Some(validated(&request())), 2)] {
        for (owner, in_use) in [
            (None, InUsePolicy::Tell),
            (Some(localpart("bob")), InUsePolicy::Tell),
            (None, InUsePolicy::Hide),
        ] {
            let request = ValidationRequest { charges: charges.clone(), in_use, ..request_again(number) };
            let state = RequestState { existing: existing.clone(), owner, ..spent.clone() };
            let decision = ValidationSession::request(&state, &request, NOW);
            let limited = Limited { retry_after: DAY };
            assert_eq!(decision, RequestDecision::unchanged(Requested::Limited(limited)));
        }
    }
}

#[test]
fn a_message_and_the_refusal_of_one_are_charged() {
    let charges = vec![charge(BudgetKind::MessagesHourly), charge(BudgetKind::Requests)];
    let request = ValidationRequest { charges, ..request() };
    let state_of = |owner| RequestState { owner, full_at: vec![None, None], ..RequestState::default() };
    for owner in [None, Some(localpart("bob"))] {
        let decision = ValidationSession::request(&state_of(owner), &request, NOW);
        let full_at: Vec<_> = decision.budgets.iter().map(|update| update.full_at).collect();
        assert_eq!(full_at, [NOW.after(Duration::from_secs(3600)); 2]);
    }
}
