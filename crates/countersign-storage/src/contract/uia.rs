//! Sessions of user-interactive authentication.

use std::sync::Arc;

use countersign_core::{
    BudgetKind, Sealed, SessionId, Stage, StageProof, TermsVersion, UiaOperation, UiaSession, UiaTargetHash,
};
use tokio::task::JoinSet;

use super::data::*;
use crate::{StageCompleted, Storage};

pub(crate) async fn session_is_kept_with_its_stages(storage: Arc<dyn Storage>) {
    let anonymous = UiaSession::begin(uia_session_hash("a"), UiaOperation::Register, None, NOW);
    let owned = UiaSession {
        target: Some(UiaTargetHash::from_bytes([7; 32])),
        ..UiaSession::begin(uia_session_hash("b"), UiaOperation::AddThreepid, Some(localpart("alice")), NOW)
    };
    for session in [&anonymous, &owned] {
        storage.open_uia_session(session.clone(), Vec::new(), NOW).await.unwrap().unwrap();
        assert_eq!(storage.find_uia_session(session.id_hash).await.unwrap().as_ref(), Some(session));
    }
    let mut expected = owned.clone();
    for (stage, stages) in [
        (Stage::Dummy, vec![Stage::Dummy]),
        (Stage::Dummy, vec![Stage::Dummy]),
        (Stage::Password, vec![Stage::Dummy, Stage::Password]),
    ] {
        expected.completed = stages;
        let answer = storage.complete_uia_stage(owned.id_hash, stage, StageProof::Nothing).await.unwrap();
        assert_eq!(answer, StageCompleted::Completed(expected.clone()));
        assert_eq!(storage.find_uia_session(owned.id_hash).await.unwrap().as_ref(), Some(&expected));
    }
    assert_eq!(storage.find_uia_session(anonymous.id_hash).await.unwrap(), Some(anonymous));
    let unknown = uia_session_hash("c");
    assert_eq!(storage.find_uia_session(unknown).await.unwrap(), None);
    let gone = storage.complete_uia_stage(unknown, Stage::Dummy, StageProof::Nothing).await.unwrap();
    assert_eq!(gone, StageCompleted::SessionGone);
}

pub(crate) async fn proofs_and_params_are_kept(storage: Arc<dyn Storage>) {
    let sid = |byte| SessionId::from_bytes([byte; 22]);
    let token = registration_token("token", None);
    storage.add_registration_token(token.clone()).await.unwrap();
    storage.register(registration("carol", None), NOW).await.unwrap();
    let id = uia_session_hash("a");
    let mut expected = UiaSession {
        shown_terms: vec![
            TermsVersion::parse("privacy_policy", "1.0").unwrap(),
            TermsVersion::parse("tos", "b").unwrap(),
        ],
        sealed_params: Some(Sealed::from_bytes(b"sealed".to_vec())),
        password_hash: Some(PASSWORD_HASH.to_owned()),
        ..uia_register(id)
    };
    storage.open_uia_session(expected.clone(), Vec::new(), NOW).await.unwrap().unwrap();
    for (stage, proof) in [
        (Stage::Password, password_proof("carol")),
        (Stage::EmailIdentity, StageProof::Threepid(sid(1))),
        (Stage::Msisdn, StageProof::Threepid(sid(2))),
        (Stage::EmailIdentity, StageProof::Threepid(sid(3))),
        (Stage::Terms, StageProof::Nothing),
    ] {
        expected = expected.complete(stage, &proof);
        let answer = storage.complete_uia_stage(id, stage, proof).await.unwrap();
        assert_eq!(answer, StageCompleted::Completed(expected.clone()));
        assert_eq!(uia_session(&*storage, "a").await, expected);
    }
    assert_eq!((expected.email_sid, expected.msisdn_sid), (Some(sid(1)), Some(sid(2))));
    storage.reserve_registration_token(id, token.token_hash, NOW).await.unwrap();
    let proof = StageProof::RegistrationToken(token.token_hash);
    expected = expected.complete(Stage::RegistrationToken, &proof);
    assert_eq!(uia_session(&*storage, "a").await, expected);
    storage.register(registration_in("a", "alice", None), NOW).await.unwrap();
    expected = UiaSession { registered: Some(localpart("alice")), ..expected.finish(NOW) };
    assert_eq!(uia_session(&*storage, "a").await, expected);
}

/// A stage must not count that a new password came before: what it completes would outlive that.
pub(crate) async fn password_counts_only_while_it_is_the_accounts(storage: Arc<dyn Storage>) {
    storage.register(registration("alice", None), NOW).await.unwrap();
    storage.open_uia_session(uia_register(uia_session_hash("a")), Vec::new(), NOW).await.unwrap().unwrap();
    let complete = async |proof| {
        let id = uia_session_hash("a");
        storage.complete_uia_stage(id, Stage::Password, proof).await.unwrap()
    };
    let old = StageProof::Password { localpart: localpart("alice"), compared: "$argon2id$old".to_owned() };
    for proof in [old, password_proof("nobody")] {
        assert_eq!(complete(proof).await, StageCompleted::PasswordChanged);
        assert!(uia_session(&*storage, "a").await.completed.is_empty());
    }
    assert!(matches!(complete(password_proof("alice")).await, StageCompleted::Completed(_)));
    assert_eq!(uia_session(&*storage, "a").await.proven, Some(localpart("alice")));
}

/// Two first requests may begin the session of the same id.
pub(crate) async fn session_that_is_there_is_opened_once(storage: Arc<dyn Storage>) {
    let twice = charge(BudgetKind::UiaSessions, "a", 2);
    let mut tasks = JoinSet::new();
    for number in 0..8 {
        let storage = Arc::clone(&storage);
        let session = UiaSession {
            localpart: Some(localpart(&number.to_string())),
            ..uia_register(uia_session_hash("a"))
        };
        tasks.spawn(async move { storage.open_uia_session(session, vec![twice], NOW).await.unwrap() });
    }
    assert!(tasks.join_all().await.into_iter().all(|answer| answer.is_ok()));
    let first = uia_session(&*storage, "a").await;
    let done = complete(&*storage, "a", Stage::Dummy, StageProof::Nothing).await;
    let open = async |id, now| {
        let session = UiaSession::begin(uia_session_hash(id), UiaOperation::Register, None, now);
        storage.open_uia_session(session, vec![twice], now).await.unwrap()
    };
    assert_eq!(open("a", first.expires_at).await, Ok(()));
    assert_eq!(uia_session(&*storage, "a").await, done, "it is left as it is");
    assert_eq!(open("b", NOW).await, Ok(()), "it was charged once");
    assert!(open("c", NOW).await.is_err());
    // One that expired counts no more, whether or not it was forgotten yet.
    assert_eq!(open("a", first.expires_at.after(SECOND)).await, Ok(()));
    assert!(uia_session(&*storage, "a").await.completed.is_empty());
}

pub(crate) async fn session_is_charged_when_it_opens(storage: Arc<dyn Storage>) {
    let once = charge(BudgetKind::UiaSessions, "a", 1);
    let open = async |id| {
        let session = UiaSession::begin(uia_session_hash(id), UiaOperation::Register, None, NOW);
        storage.open_uia_session(session, vec![once], NOW).await.unwrap()
    };
    assert_eq!(open("a").await, Ok(()));
    assert!(open("b").await.is_err());
    assert!(storage.find_uia_session(uia_session_hash("a")).await.unwrap().is_some());
    assert_eq!(storage.find_uia_session(uia_session_hash("b")).await.unwrap(), None);
}

pub(crate) async fn stages_at_once_all_count(storage: Arc<dyn Storage>) {
    for round in 0..16 {
        let id = uia_session_hash(&round.to_string());
        storage
            .open_uia_session(UiaSession::begin(id, UiaOperation::Register, None, NOW), Vec::new(), NOW)
            .await
            .unwrap()
            .unwrap();
        let mut tasks = JoinSet::new();
        for stage in Stage::ALL {
            let storage = Arc::clone(&storage);
            tasks.spawn(
                async move { storage.complete_uia_stage(id, stage, StageProof::Nothing).await.unwrap() },
            );
        }
        tasks.join_all().await;
        let session = storage.find_uia_session(id).await.unwrap().unwrap();
        assert!(Stage::ALL.into_iter().all(|stage| session.has_completed(stage)));
    }
}
