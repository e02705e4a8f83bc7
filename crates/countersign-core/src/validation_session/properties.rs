//! What holds for every sequence of operations on a session.

use proptest::{collection::vec, prelude::*};

use super::{test_data::*, *};
use crate::{SendAttempt, SubmittedToken};

/// Something that happens to a session.
#[derive(Clone, Debug)]
enum Step {
    Wait(Duration),
    Request { attempt: i64, owned: bool, suppressed: bool, in_use: InUsePolicy },
    Send(i64),
    GiveUp(Option<i64>),
    Submit(String),
    Confirm(String),
    NotMe(String),
}

fn attempts() -> impl Strategy<Value = i64> {
    prop_oneof![-3..6_i64, any::<i64>()]
}

fn waits() -> impl Strategy<Value = Duration> {
    // From a moment to beyond a session's life, dense about half a code's life.
    prop_oneof![0..2_000_u64, 200_000..1_000_000_u64, 0..100_000_000_u64].prop_map(Duration::from_millis)
}

fn tokens() -> impl Strategy<Value = String> {
    prop_oneof!["[0-9]{6}", "[0-9A-Za-z_-]{43}", "\\PC{0,50}"]
}

fn steps() -> impl Strategy<Value = Step> {
    let in_use = prop_oneof![Just(InUsePolicy::Tell), Just(InUsePolicy::Hide)];
    prop_oneof![
        waits().prop_map(Step::Wait),
        (attempts(), any::<bool>(), any::<bool>(), in_use).prop_map(
            |(attempt, owned, suppressed, in_use)| { Step::Request { attempt, owned, suppressed, in_use } }
        ),
        attempts().prop_map(Step::Send),
        proptest::option::of(attempts()).prop_map(Step::GiveUp),
        tokens().prop_map(Step::Submit),
        tokens().prop_map(Step::Confirm),
        tokens().prop_map(Step::NotMe),
    ]
}

/// Whether a token is the session's own. Codes of other generations are not.
fn is_own(session: &ValidationSession, token: &str) -> bool {
    let keyring = keyring();
    session.link_token(&keyring).is_some_and(|own| own.matches(token))
        || session.typed_code(&keyring).is_some_and(|own| own.matches(token))
}

fn saved(existing: ValidationSession, change: SessionChange) -> ValidationSession {
    match change {
        SessionChange::Keep => existing,
        SessionChange::Update(session) | SessionChange::Insert { session, .. } => session,
    }
}

fn apply(session: ValidationSession, step: &Step, now: Timestamp) -> ValidationSession {
    match step {
        Step::Wait(_) => session,
        Step::Request { attempt, owned, suppressed, in_use } => {
            let request = ValidationRequest { in_use: *in_use, ..request_again(*attempt) };
            let owner = owned.then(|| localpart("bob"));
            let existing = Some(session.clone());
            let state = RequestState { existing, owner, suppressed: *suppressed, full_at: Vec::new() };
            saved(session, ValidationSession::request(&state, &request, now).session)
        }
        Step::Send(attempt) => {
            match session.begin_send(&message(&session, SendAttempt(*attempt)), &codes(), now) {
                BeginSend::Send(session) => session,
                BeginSend::Drop(_) | BeginSend::GiveUp(_) => session,
            }
        }
        Step::GiveUp(remaining) => session.after_giving_up(remaining.map(SendAttempt)),
        Step::Submit(token) => {
            let decision = ValidationSession::submit(Some(&session), &submission(token), &[], now);
            decision.session.unwrap_or(session)
        }
        Step::Confirm(token) => {
            let decision = ValidationSession::confirm(Some(&session), &confirmation(token), now);
            decision.session.unwrap_or(session)
        }
        Step::NotMe(token) => match ValidationSession::not_me(Some(&session), &not_me(token), now) {
            NotMeDecision::End(session) => session,
            NotMeDecision::Over | NotMeDecision::Validated | NotMeDecision::Unknown => session,
        },
    }
}

proptest! {
    #[test]
    fn no_input_validates_a_session_without_its_token(steps in vec(steps(), 0..60)) {
        let (mut session, mut now) = (opened(&request()), NOW);
        for step in steps {
            if let Step::Wait(wait) = &step {
                now = now.after(*wait);
            }
            // The one thing that may validate it, and that this is about leaving out.
            if let Step::Submit(token) | Step::Confirm(token) = &step
                && is_own(&session, token)
            {
                continue;
            }
            session = apply(session, &step, now);
            prop_assert_eq!(session.validated_at, None);
            let added = ValidationSession::add_threepid(&adding(&session), &add("alice"), now);
            prop_assert_eq!(added, Err(AddRefusal::AuthFailed));
        }
    }

    #[test]
    fn its_own_tokens_validate_no_decoy(steps in vec(steps(), 0..40)) {
        let (mut session, mut now) = (ValidationSession { decoy: true, ..opened(&request()) }, NOW);
        for step in steps {
            match &step {
                Step::Wait(wait) => now = now.after(*wait),
                Step::Request { .. } => continue,
                _ => {}
            }
            session = apply(session, &step, now);
            for token in [link_token(&session), typed_code(&session)] {
                let submitted = ValidationSession::submit(Some(&session), &submission(&token), &[], now);
                prop_assert!(matches!(submitted.answer, Submitted::Incorrect | Submitted::Expired));
                let confirmed = ValidationSession::confirm(Some(&session), &confirmation(&token), now);
                prop_assert_eq!(confirmed.answer, Confirmed::Unknown);
            }
        }
    }

    #[test]
    fn a_message_is_owed_exactly_when_the_attempt_grows(
        asked in vec((attempts(), proptest::option::weighted(0.2, any::<prop::sample::Index>())), 1..60),
    ) {
        // The reference: the attempts of messages that were not given up.
        let (mut session, mut sent) = (None, Vec::<i64>::new());
        for (number, given_up) in asked {
            let state = RequestState { existing: session.clone(), ..RequestState::default() };
            let decision = ValidationSession::request(&state, &request_again(number), NOW);
            let grows = sent.iter().max().is_none_or(|highest| *highest < number);
            prop_assert_eq!(decision.message.is_some(), grows);
            let answer = if grows { Requested::Sending(sid(2)) } else { Requested::Repeated(sid(2)) };
            prop_assert_eq!(decision.answer, answer);
            if grows {
                sent.push(number);
            }
            session = match decision.session {
                SessionChange::Keep => session,
                SessionChange::Update(session) | SessionChange::Insert { session, .. } => Some(session),
            };
            if let Some(index) = given_up.filter(|_| !sent.is_empty()) {
                sent.remove(index.index(sent.len()));
                let remaining = sent.iter().max().copied().map(SendAttempt);
                session = session.map(|session| session.after_giving_up(remaining));
            }
        }
    }

    #[test]
    fn only_the_latest_code_validates_and_never_longer_than_its_life(
        waits in vec(waits(), 1..12),
        medium in prop_oneof![Just(Medium::Email), Just(Medium::Msisdn)],
    ) {
        let life = codes().lifetime(medium);
        let request = ValidationRequest { medium, session_lifetime: DAY * 365, ..request() };
        let (mut session, mut now) = (opened(&request), NOW);
        // Each code that went out, with the time when it first did.
        let mut sent: Vec<(String, Timestamp)> = Vec::new();
        for wait in waits {
            session = send(&session, SendAttempt(1), now);
            let code = typed_code(&session);
            if sent.last().is_none_or(|(last, _)| *last != code) {
                sent.push((code, now));
            }
            let (_, began) = sent.last().unwrap();
            prop_assert!(now.since(*began) < life / 2, "a message carries a code that has half its life before it");
            now = now.after(wait);
            let answer = |code: &str| {
                ValidationSession::submit(Some(&session), &submission(code), &[], now).answer
            };
            let (latest, older) = sent.split_last().unwrap();
            prop_assert!(older.iter().all(|(code, _)| answer(code) == Submitted::Incorrect));
            let lives = now.since(latest.1) <= life;
            prop_assert_eq!(answer(&latest.0), if lives { Submitted::Validated } else { Submitted::CodeExpired });
        }
    }

    #[test]
    fn a_tokens_form_decides_what_it_is_compared_with(text in "\\PC{0,60}") {
        let is_code = text.len() == 6 && text.chars().all(|c| "0123456789".contains(c));
        prop_assert_eq!(matches!(SubmittedToken::parse(&text), Ok(SubmittedToken::Code(_))), is_code);
    }
}
