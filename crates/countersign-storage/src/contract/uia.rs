//! Sessions of user-interactive authentication.

use std::sync::Arc;

use countersign_core::{BudgetKind, Stage, StageProof, UiaOperation, UiaSession, UiaTargetHash};
use tokio::task::JoinSet;

use super::data::*;
use crate::Storage;

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
        assert_eq!(answer.as_ref(), Some(&expected));
        assert_eq!(storage.find_uia_session(owned.id_hash).await.unwrap().as_ref(), Some(&expected));
    }
    assert_eq!(storage.find_uia_session(anonymous.id_hash).await.unwrap(), Some(anonymous));
    let unknown = uia_session_hash("c");
    assert_eq!(storage.find_uia_session(unknown).await.unwrap(), None);
    assert_eq!(storage.complete_uia_stage(unknown, Stage::Dummy, StageProof::Nothing).await.unwrap(), None);
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
