//! Tests of submissions and confirmations.

use super::{super::test_data::*, *};
use crate::{Consumed, Medium, SendAttempt, SessionPurpose, ValidationRequest};

fn submit(session: &ValidationSession, token: &str, now: Timestamp) -> SubmitDecision {
    ValidationSession::submit(Some(session), &submission(token), &[], now)
}

fn sms() -> ValidationRequest {
    ValidationRequest { medium: Medium::Msisdn, ..request() }
}

fn reset() -> ValidationRequest {
    ValidationRequest { purpose: SessionPurpose::ResetPassword, ..request() }
}

#[test]
fn a_wrong_secret_is_an_unknown_session_whatever_its_state() {
    let open = sent(&request());
    let ended = Some(Ended { at: NOW, reason: EndReason::Guessed });
    let consumed = Some(Consumed { at: NOW, by: localpart("alice") });
    for session in [
        open.clone(),
        validated(&request()),
        ValidationSession { ended, ..open.clone() },
        ValidationSession { consumed, ..validated(&request()) },
        ValidationSession { decoy: true, ..open.clone() },
        ValidationSession { expires_at: NOW.before(TICK), ..open.clone() },
    ] {
        for token in [link_token(&session), typed_code(&session), wrong_code(&session), "x".to_owned()] {
            let client_secret_hash = ClientSecretHash::from_bytes([99; 32]);
            let rate = Some(Rate::per(1, DAY));
            let foreign =
                TokenSubmission { client_secret_hash, misses_per_address: rate, ..submission(&token) };
            let spent = [Some(NOW.after(DAY))];
            let decision = ValidationSession::submit(Some(&session), &foreign, &spent, NOW);
            assert_eq!(decision, SubmitDecision::unchanged(Submitted::Unknown));
            assert_eq!(decision, ValidationSession::submit(None, &foreign, &spent, NOW));
        }
    }
}

#[test]
fn a_session_is_unknown_where_its_tokens_do_not_belong() {
    use SubmissionScope::{Identity, Node};
    for medium in [Medium::Email, Medium::Msisdn] {
        for purpose in SessionPurpose::ALL {
            let session = sent(&ValidationRequest { medium, purpose, ..request() });
            let home = if purpose == SessionPurpose::Identity { Identity(medium) } else { Node };
            for scope in [Node, Identity(Medium::Email), Identity(Medium::Msisdn)] {
                let submission = TokenSubmission { scope, ..submission("wrong") };
                let answer = ValidationSession::submit(Some(&session), &submission, &[], NOW).answer;
                let expected = if scope == home { Submitted::Incorrect } else { Submitted::Unknown };
                assert_eq!(answer, expected, "{purpose:?} {medium:?} at {scope:?}");
            }
        }
    }
}

#[test]
fn right_tokens_validate_and_start_the_time_anew() {
    let session = sent(&request());
    let later = NOW.after(EMAIL_CODE_LIFE);
    for token in [link_token(&session), typed_code(&session)] {
        let decision = submit(&session, &token, later);
        let expected =
            ValidationSession { validated_at: Some(later), expires_at: later.after(DAY), ..session.clone() };
        assert_eq!(decision.answer, Submitted::Validated);
        assert_eq!(decision.session, Some(expected));
        assert_eq!(decision.budgets, []);
    }
}

#[test]
fn right_tokens_again_succeed_and_keep_the_first_time() {
    let consumed = Some(Consumed { at: NOW, by: localpart("alice") });
    let former = ValidationSession { latest: false, ..validated(&request()) };
    for session in [validated(&request()), ValidationSession { consumed, ..validated(&request()) }, former] {
        for token in [link_token(&session), typed_code(&session)] {
            // Long after the code's own life, to the last moment of the session.
            let decision = submit(&session, &token, session.expires_at);
            assert_eq!(decision, SubmitDecision::unchanged(Submitted::Validated));
            let decision = submit(&session, &token, session.expires_at.after(TICK));
            assert_eq!(decision, SubmitDecision::unchanged(Submitted::Expired));
        }
    }
}

#[test]
fn the_fifth_miss_ends_a_session() {
    let mut session = sent(&request());
    let wrong = [wrong_code(&session), "not a token".to_owned(), not_me_token(&session)];
    for miss in 1..=5 {
        let decision = submit(&session, wrong.iter().cycle().nth(miss).unwrap(), NOW);
        assert_eq!(decision.answer, Submitted::Incorrect);
        session = decision.session.unwrap();
        assert_eq!(session.misses as usize, miss);
        assert_eq!(session.ended.is_some(), 5 <= miss, "{miss}");
    }
    assert_eq!(session.ended, Some(Ended { at: NOW, reason: EndReason::Guessed }));
    for token in [link_token(&session), typed_code(&session)] {
        assert_eq!(submit(&session, &token, NOW), SubmitDecision::unchanged(Submitted::Expired));
    }
}

#[test]
fn a_right_token_after_four_misses_validates() {
    let session = ValidationSession { misses: 4, ..sent(&request()) };
    assert_eq!(submit(&session, &typed_code(&session), NOW).answer, Submitted::Validated);
}

#[test]
fn a_miss_on_a_validated_session_ends_nothing() {
    let session = ValidationSession { misses: 4, ..validated(&request()) };
    assert_eq!(submit(&session, "not a token", NOW), SubmitDecision::unchanged(Submitted::Incorrect));
}

#[test]
fn a_code_of_an_older_generation_is_an_ordinary_miss() {
    let first = sent(&request());
    let second = send(&first, SendAttempt(1), NOW.after(EMAIL_CODE_LIFE / 2));
    let now = NOW.after(EMAIL_CODE_LIFE / 2);
    let decision = submit(&second, &typed_code(&first), now);
    assert_eq!(decision.answer, Submitted::Incorrect);
    assert_eq!(decision.session.unwrap().misses, 1);
    assert_eq!(submit(&second, &typed_code(&second), now).answer, Submitted::Validated);
    assert_eq!(link_token(&first), link_token(&second));
}

#[test]
fn the_right_code_too_late_is_told_and_costs_nothing() {
    for (request, life) in [(request(), EMAIL_CODE_LIFE), (sms(), SMS_CODE_LIFE)] {
        let session = ValidationSession { misses: 4, ..sent(&request) };
        let code = typed_code(&session);
        assert_eq!(submit(&session, &code, NOW.after(life)).answer, Submitted::Validated);
        let late = submit(&session, &code, NOW.after(life).after(TICK));
        assert_eq!(late, SubmitDecision::unchanged(Submitted::CodeExpired));
        let link = submit(&session, &link_token(&session), NOW.after(life).after(TICK));
        assert_eq!(link.answer, Submitted::Validated);
    }
}

#[test]
fn no_code_is_right_before_a_message_went_out() {
    let session = opened(&request());
    let decision = submit(&session, &typed_code(&session), NOW);
    assert_eq!(decision.answer, Submitted::Incorrect);
    assert_eq!(decision.session.unwrap().misses, 1);
}

#[test]
fn a_purpose_with_links_only_refuses_its_code() {
    let session = sent(&reset());
    for now in [NOW, NOW.after(EMAIL_CODE_LIFE).after(TICK)] {
        let decision = submit(&session, &typed_code(&session), now);
        assert_eq!(decision.answer, Submitted::Incorrect);
        assert_eq!(decision.session.unwrap().misses, 1);
    }
    assert_eq!(submit(&session, &link_token(&session), NOW).answer, Submitted::Validated);
    // An SMS has nothing but its code.
    let session = sent(&ValidationRequest { medium: Medium::Msisdn, ..reset() });
    assert_eq!(submit(&session, &typed_code(&session), NOW).answer, Submitted::Validated);
}

#[test]
fn a_decoy_misses_with_every_token() {
    let session = ValidationSession { decoy: true, ..sent(&request()) };
    for token in [link_token(&session), typed_code(&session)] {
        for now in [NOW, NOW.after(EMAIL_CODE_LIFE).after(TICK)] {
            let decision = submit(&session, &token, now);
            assert_eq!(decision.answer, Submitted::Incorrect);
            assert_eq!(decision.session.unwrap().misses, 1);
        }
    }
}

#[test]
fn tokens_whose_key_is_gone_are_wrong() {
    let session = sent(&request());
    for token in [link_token(&session), typed_code(&session)] {
        let submission = TokenSubmission { keyring: keyring_of(&key_line("k2", 1)), ..submission(&token) };
        let decision = ValidationSession::submit(Some(&session), &submission, &[], NOW);
        assert_eq!(decision.answer, Submitted::Incorrect);
    }
}

#[test]
fn the_last_moment_of_a_session_still_validates() {
    let session = sent(&request());
    let link = link_token(&session);
    assert_eq!(submit(&session, &link, session.expires_at).answer, Submitted::Validated);
    let late = submit(&session, &link, session.expires_at.after(TICK));
    assert_eq!(late, SubmitDecision::unchanged(Submitted::Expired));
}

fn limited(token: &str) -> TokenSubmission {
    let rate = Rate::per(20, DAY);
    let network = SubjectHash::from_bytes([30; 32]);
    let misses_per_network = Some((network, rate));
    TokenSubmission { misses_per_address: Some(rate), misses_per_network, ..submission(token) }
}

#[test]
fn each_miss_is_charged_to_address_and_network() {
    let session = sent(&request());
    let charged =
        |token: &str| ValidationSession::submit(Some(&session), &limited(token), &[None, None], NOW);
    for wrong in [wrong_code(&session), "not a token".to_owned()] {
        let keys: Vec<_> = charged(&wrong).budgets.into_iter().map(|update| update.key).collect();
        let address = BudgetKey { kind: BudgetKind::AddressMisses, subject: session.address_hash.into() };
        let network =
            BudgetKey { kind: BudgetKind::NetworkMisses, subject: SubjectHash::from_bytes([30; 32]) };
        assert_eq!(keys, [address, network]);
    }
    for right in [link_token(&session), typed_code(&session)] {
        assert_eq!(charged(&right).budgets, []);
    }
}

#[test]
fn spent_budgets_stop_codes_before_any_comparison_but_no_links() {
    let spent = Some(NOW.after(DAY));
    let expired = NOW.after(EMAIL_CODE_LIFE).after(TICK);
    for full_at in [[spent, None], [None, spent], [spent, spent]] {
        for session in [sent(&request()), validated(&request()), sent(&reset())] {
            for code in [typed_code(&session), wrong_code(&session)] {
                for now in [NOW, expired] {
                    let decision = ValidationSession::submit(Some(&session), &limited(&code), &full_at, now);
                    assert!(matches!(decision.answer, Submitted::Limited(_)));
                    assert_eq!(decision, SubmitDecision::unchanged(decision.answer));
                }
            }
            let link = limited(&link_token(&session));
            let decision = ValidationSession::submit(Some(&session), &link, &full_at, NOW);
            assert_eq!(decision.answer, Submitted::Validated);
        }
        let session = sent(&request());
        let wrong_link = ValidationSession::submit(Some(&session), &limited("wrong"), &full_at, NOW);
        assert_eq!(wrong_link.answer, Submitted::Incorrect);
        assert_eq!(wrong_link.session.unwrap().misses, 1);
        assert_eq!(wrong_link.budgets, []);
    }
}

#[test]
fn an_address_has_twenty_misses_in_a_day_over_all_sessions() {
    let mut full_at = [None, None];
    for miss in 1..=21 {
        let session = sent(&request());
        let wrong = limited(&wrong_code(&session));
        let decision = ValidationSession::submit(Some(&session), &wrong, &full_at, NOW);
        assert_eq!(matches!(decision.answer, Submitted::Limited(_)), 20 < miss, "{miss}");
        if let [address, network] = decision.budgets.as_slice() {
            full_at = [Some(address.full_at), Some(network.full_at)];
        }
    }
}

fn confirm(session: &ValidationSession, token: &str, now: Timestamp) -> ConfirmDecision {
    ValidationSession::confirm(Some(session), &confirmation(token), now)
}

const UNKNOWN: ConfirmDecision = ConfirmDecision { answer: Confirmed::Unknown, session: None };

#[test]
fn the_button_validates_by_the_link_token_alone_and_again() {
    let session = ValidationSession { misses: 4, ..sent(&request()) };
    let link = link_token(&session);
    let decision = confirm(&session, &link, session.expires_at);
    assert_eq!(decision.answer, Confirmed::Validated);
    let validated = decision.session.unwrap();
    assert_eq!(validated.validated_at, Some(session.expires_at));
    assert_eq!((validated.expires_at, validated.misses), (session.expires_at.after(DAY), 4));
    let again = confirm(&validated, &link, validated.expires_at);
    assert_eq!(again, ConfirmDecision { answer: Confirmed::Validated, session: None });
    let consumed = Some(Consumed { at: NOW, by: localpart("alice") });
    let used = confirm(&ValidationSession { consumed, ..validated.clone() }, &link, validated.expires_at);
    assert_eq!(used, again);
}

#[test]
fn the_button_takes_only_link_tokens_of_sessions_that_sent_mail() {
    let mailed = sent(&request());
    let decoy = ValidationSession { decoy: true, ..mailed.clone() };
    for (what, session, token) in [
        ("code", &mailed, typed_code(&mailed)),
        ("not-me token", &mailed, not_me_token(&mailed)),
        ("empty", &mailed, String::new()),
        ("other text", &mailed, "x".repeat(43)),
        ("nothing sent yet", &opened(&request()), link_token(&opened(&request()))),
        ("SMS", &sent(&sms()), link_token(&sent(&sms()))),
        ("decoy", &decoy, link_token(&decoy)),
    ] {
        assert_eq!(confirm(session, &token, NOW), UNKNOWN, "{what}");
    }
    assert_eq!(ValidationSession::confirm(None, &confirmation("x"), NOW), UNKNOWN);
}

#[test]
fn the_button_is_too_late_for_a_session_that_is_over() {
    let session = sent(&request());
    let link = link_token(&session);
    let expired = ConfirmDecision { answer: Confirmed::Expired, session: None };
    assert_eq!(confirm(&session, &link, session.expires_at.after(TICK)), expired);
    let ended = Some(Ended { at: NOW, reason: EndReason::NotMe });
    assert_eq!(confirm(&ValidationSession { ended, ..session }, &link, NOW), expired);
}

#[test]
fn debug_output_shows_no_token() {
    let secret = link_token(&sent(&request()));
    assert!(!format!("{:?} {:?}", confirmation(&secret), submission(&secret)).contains(&secret));
}
