//! Flows, stages and sessions.

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_000);

fn session() -> UiaSession {
    UiaSession::begin(UiaSessionHash::from_bytes([7; 32]), UiaOperation::Register, None, NOW)
}

#[test]
fn stages_count_in_the_order_of_a_flow_only() {
    let flows = [vec![Stage::Password, Stage::Dummy]];
    assert_eq!(session().may_try(Stage::Dummy, &flows), Err(StageRefusal::OutOfOrder));
    let first = session().complete(Stage::Password, &StageProof::Nothing);
    assert_eq!(first.progress(&flows), UiaProgress::Needed);
    assert_eq!(first.may_try(Stage::Dummy, &flows), Ok(()));
    assert_eq!(first.complete(Stage::Dummy, &StageProof::Nothing).progress(&flows), UiaProgress::Done);
}

#[test]
fn a_stage_outside_all_flows_is_not_offered() {
    assert_eq!(session().may_try(Stage::Password, &[vec![Stage::Dummy]]), Err(StageRefusal::NotOffered));
}

#[test]
fn nothing_is_complete_without_a_stage() {
    assert_eq!(session().progress(&[]), UiaProgress::Needed);
    assert_eq!(session().progress(&[vec![]]), UiaProgress::Needed);
    assert_eq!(session().progress(&[vec![Stage::Dummy]]), UiaProgress::Needed);
}

#[test]
fn a_stage_done_twice_counts_once() {
    let flows = [vec![Stage::Dummy], vec![Stage::Password, Stage::Dummy]];
    let done = session().complete(Stage::Dummy, &StageProof::Nothing);
    assert!(done.has_completed(Stage::Dummy) && !done.has_completed(Stage::Password));
    assert_eq!(done.complete(Stage::Dummy, &StageProof::Nothing), done);
    assert_eq!(done.progress(&flows), UiaProgress::Done);
    assert_eq!(session().may_try(Stage::Password, &flows), Ok(()));
}

#[test]
fn a_stage_leaves_its_first_proof() {
    let sid = |byte| SessionId::from_bytes([byte; 22]);
    let token = RegistrationTokenHash::from_bytes([3; 32]);
    let alice = Localpart::from_stored("alice".to_owned());
    let session = session()
        .complete(Stage::EmailIdentity, &StageProof::Threepid(sid(1)))
        .complete(Stage::EmailIdentity, &StageProof::Threepid(sid(2)))
        .complete(Stage::Msisdn, &StageProof::Threepid(sid(3)))
        .complete(Stage::RegistrationToken, &StageProof::RegistrationToken(token))
        .complete(Stage::Password, &password(&alice));
    assert_eq!(session.sids(), [sid(1), sid(3)]);
    assert_eq!((session.email_sid, session.msisdn_sid), (Some(sid(1)), Some(sid(3))));
    assert_eq!((session.registration_token, session.proven.as_ref()), (Some(token), Some(&alice)));
    // Whose access token began it need not be remembered twice.
    let owned = UiaSession { localpart: Some(alice.clone()), ..self::session() };
    assert_eq!(owned.complete(Stage::Password, &password(&alice)).proven, None);
}

fn password(localpart: &Localpart) -> StageProof {
    StageProof::Password { localpart: localpart.clone(), compared: "$argon2id$secret".to_owned() }
}

#[test]
fn a_flow_that_begins_another_ends_with_a_dummy() {
    use Stage::{Dummy, EmailIdentity, Msisdn, Terms};
    for (configured, distinct) in [
        (vec![vec![Dummy]], vec![vec![Dummy]]),
        (vec![vec![Terms], vec![Terms, EmailIdentity]], vec![vec![Terms, Dummy], vec![Terms, EmailIdentity]]),
        (vec![vec![Terms], vec![Terms, Dummy]], vec![vec![Terms, Dummy]]),
        (vec![vec![EmailIdentity], vec![Msisdn]], vec![vec![EmailIdentity], vec![Msisdn]]),
        (vec![vec![Terms], vec![Terms]], vec![vec![Terms]]),
        (
            vec![vec![Terms], vec![Terms, Msisdn], vec![Terms, Msisdn, EmailIdentity]],
            vec![vec![Terms, Dummy], vec![Terms, Msisdn, Dummy], vec![Terms, Msisdn, EmailIdentity]],
        ),
    ] {
        assert_eq!(distinct_flows(configured), distinct);
    }
}

#[test]
fn an_effect_takes_place_once() {
    let finished = session().finish(NOW);
    assert_eq!(finished.finish(NOW.after(Duration::from_secs(1))), finished);
    assert_eq!(finished.progress(&[vec![Stage::Password]]), UiaProgress::Done);
    let [alice, bob] = ["alice", "bob"].map(|name| Localpart::from_stored(name.to_owned()));
    assert_eq!(finished.finish_for(&alice, NOW).proven, Some(alice.clone()));
    let owned = UiaSession { localpart: Some(bob.clone()), ..session() }.finish_for(&bob, NOW);
    assert_eq!((owned.proven, owned.finished_at), (None, Some(NOW)));
}

#[test]
fn debug_output_shows_no_secret() {
    let password_hash = Some("$argon2id$secret".to_owned());
    let proof = password(&Localpart::from_stored("alice".to_owned()));
    let shown = format!("{:?} {proof:?}", UiaSession { password_hash, ..session() });
    assert!(!shown.contains("secret") && !shown.contains("[7"), "{shown}");
}

#[test]
fn names_read_back() {
    for stage in Stage::ALL {
        assert_eq!(Stage::parse(stage.as_str()), Some(stage));
    }
    for operation in UiaOperation::ALL {
        assert_eq!(UiaOperation::parse(operation.as_str()), Some(operation));
    }
}

#[test]
fn a_session_counts_for_its_own_operation_and_account_only() {
    let server = crate::ServerName::parse("example.org").unwrap();
    let alice = Localpart::parse("alice", &server).unwrap();
    let check = |session, operation, who| UiaSession::check(session, operation, who, None, NOW).map(|_| ());
    assert_eq!(check(Some(session()), UiaOperation::Register, None), Ok(()));
    assert_eq!(check(Some(session()), UiaOperation::AddThreepid, None), Err(UiaMismatch::Foreign));
    assert_eq!(check(Some(session()), UiaOperation::Register, Some(&alice)), Err(UiaMismatch::Foreign));
    assert_eq!(check(None, UiaOperation::Register, None), Err(UiaMismatch::Unknown));
    let late = NOW.after(UIA_SESSION_LIFETIME).after(Duration::from_millis(1));
    let expired = UiaSession::check(Some(session()), UiaOperation::Register, None, None, late);
    assert_eq!(expired, Err(UiaMismatch::Unknown));
}

#[test]
fn a_session_counts_for_its_own_target_only() {
    let (own, other) = (UiaTargetHash::from_bytes([1; 32]), UiaTargetHash::from_bytes([2; 32]));
    let bound = UiaSession { target: Some(own), ..session() };
    let check = |session: &UiaSession, target| {
        UiaSession::check(Some(session.clone()), UiaOperation::Register, None, target, NOW).map(|_| ())
    };
    assert_eq!(check(&bound, Some(&own)), Ok(()));
    for target in [Some(&other), None] {
        assert_eq!(check(&bound, target), Err(UiaMismatch::Foreign));
    }
    assert_eq!(check(&session(), Some(&own)), Err(UiaMismatch::Foreign));
}
