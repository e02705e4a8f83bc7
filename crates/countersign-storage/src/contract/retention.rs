//! Forgetting in time.

use std::sync::Arc;

use countersign_core::{BudgetKind, Sealed, SessionId, SessionPurpose, UiaOperation, UiaSession};

use super::{data::*, identity_data::user};
use crate::{Retention, Storage, Swept};

pub(super) const RETENTION: Retention =
    Retention { sessions: DAY, messages: HOUR, identity_tokens: DAY, rows_per_sweep: 100 };

pub(crate) async fn what_is_over_is_forgotten_in_time(storage: Arc<dyn Storage>) {
    let request = alice();
    let sent = delivered(&*storage, &request, NOW).await;
    let uia = UiaSession::begin(uia_session_hash("a"), UiaOperation::Register, None, NOW);
    storage.open_uia_session(uia.clone(), Vec::new(), NOW).await.unwrap().unwrap();
    let nothing = Swept::default();
    let sweep = async |now| storage.sweep(RETENTION, now).await.unwrap();

    assert_eq!(sweep(NOW.after(HOUR)).await, nothing);
    assert_eq!(sweep(NOW.after(HOUR).after(SECOND)).await, Swept { messages: 1, ..nothing });
    assert_eq!(storage.find_finished_message(request.message_id).await.unwrap(), None);

    assert_eq!(sweep(NOW.after(DAY)).await, nothing);
    assert_eq!(sweep(NOW.after(DAY).after(SECOND)).await, Swept { uia_sessions: 1, ..nothing });
    assert_eq!(storage.find_uia_session(uia.id_hash).await.unwrap(), None);

    assert_eq!(sweep(NOW.after(2 * DAY)).await, nothing);
    assert!(storage.find_session(sent.sid).await.unwrap().is_some());
    assert_eq!(sweep(NOW.after(2 * DAY).after(SECOND)).await, Swept { sessions: 1, ..nothing });
    assert_eq!(storage.find_session(sent.sid).await.unwrap(), None);
}

pub(crate) async fn tokens_and_delegations_are_forgotten_once_they_expired(storage: Arc<dyn Storage>) {
    let token = keyring().openid_token_hash("a");
    let phone = device_id("PHONE");
    storage.register(registration("alice", Some(login("alice", "PHONE", "a"))), NOW).await.unwrap();
    assert!(storage.add_openid_token(token, &localpart("alice"), &phone, NOW).await.unwrap());
    let sid = SessionId::from_bytes([1; 22]);
    storage.keep_delegation(sid, Sealed::from_bytes(Vec::new()), NOW.after(SECOND)).await.unwrap();
    let sweep = async |now| storage.sweep(RETENTION, now).await.unwrap();
    assert_eq!(sweep(NOW).await, Swept::default());
    assert_eq!(sweep(NOW.after(SECOND)).await, Swept { openid_tokens: 1, ..Swept::default() });
    assert!(storage.find_delegation(sid).await.unwrap().is_some());
    assert_eq!(sweep(NOW.after(2 * SECOND)).await, Swept { delegated_sessions: 1, ..Swept::default() });
    assert_eq!(storage.find_delegation(sid).await.unwrap(), None);
}

pub(crate) async fn identity_tokens_are_forgotten_once_nobody_uses_them(storage: Arc<dyn Storage>) {
    let tokens = ["a", "b"].map(|text| keyring().identity_token_hash(text));
    for token in tokens {
        storage.add_identity_token(token, &user("alice"), NOW).await.unwrap();
    }
    storage.note_identity_token_use(tokens[1], NOW.after(HOUR)).await.unwrap();
    let sweep = async |now| storage.sweep(RETENTION, now).await.unwrap();
    assert_eq!(sweep(NOW.after(DAY)).await, Swept::default());
    assert_eq!(sweep(NOW.after(DAY).after(SECOND)).await, Swept { identity_tokens: 1, ..Swept::default() });
    assert_eq!(storage.find_identity_caller(tokens[0]).await.unwrap(), None);
    assert!(storage.find_identity_caller(tokens[1]).await.unwrap().is_some());
    assert_eq!(sweep(NOW.after(DAY).after(2 * HOUR)).await, Swept { identity_tokens: 1, ..Swept::default() });
}

pub(crate) async fn sweep_deletes_no_more_rows_than_asked(storage: Arc<dyn Storage>) {
    let phone = device_id("PHONE");
    storage.register(registration("alice", Some(login("alice", "PHONE", "a"))), NOW).await.unwrap();
    for number in 0..5_u8 {
        let name = number.to_string();
        let threepid = email(&format!("user{number}@example.org"));
        delivered(&*storage, &request(SessionPurpose::Identity, &threepid), NOW).await;
        let uia = UiaSession::begin(uia_session_hash(&name), UiaOperation::Register, None, NOW);
        storage.open_uia_session(uia, Vec::new(), NOW).await.unwrap().unwrap();
        storage.charge(vec![charge(BudgetKind::Requests, &name, 1)], NOW).await.unwrap().unwrap();
        let token = keyring().openid_token_hash(&name);
        assert!(storage.add_openid_token(token, &localpart("alice"), &phone, NOW.after(HOUR)).await.unwrap());
        let sid = SessionId::from_bytes([number; 22]);
        storage.keep_delegation(sid, Sealed::from_bytes(Vec::new()), NOW.after(HOUR)).await.unwrap();
        let token = keyring().identity_token_hash(&name);
        storage.add_identity_token(token, &user("alice"), NOW).await.unwrap();
    }
    let two_rows = Retention { rows_per_sweep: 2, ..RETENTION };
    let mut total = Swept::default();
    for _ in 0..6 {
        let swept = storage.sweep(two_rows, NOW.after(10 * DAY)).await.unwrap();
        let Swept {
            sessions,
            messages,
            uia_sessions,
            openid_tokens,
            identity_tokens,
            delegated_sessions,
            budgets,
        } = swept;
        let counts =
            [sessions, messages, uia_sessions, openid_tokens, identity_tokens, delegated_sessions, budgets];
        assert!(counts.into_iter().all(|count| count <= 2), "{swept:?}");
        total.sessions += swept.sessions;
        total.messages += swept.messages;
        total.uia_sessions += swept.uia_sessions;
        total.openid_tokens += swept.openid_tokens;
        total.identity_tokens += swept.identity_tokens;
        total.delegated_sessions += swept.delegated_sessions;
        total.budgets += swept.budgets;
    }
    assert_eq!(
        total,
        Swept {
            sessions: 5,
            messages: 5,
            uia_sessions: 5,
            openid_tokens: 5,
            identity_tokens: 5,
            delegated_sessions: 5,
            budgets: 5
        }
    );
}

pub(crate) async fn session_that_owes_a_message_stays(storage: Arc<dyn Storage>) {
    let request = alice();
    let sid = sending(&*storage, &request, NOW).await;
    let later = NOW.after(10 * DAY);
    assert_eq!(storage.sweep(RETENTION, later).await.unwrap(), Swept::default());
    assert!(storage.find_session(sid).await.unwrap().is_some());
    assert!(storage.lease(lease_request(request.medium, 1, later), later).await.unwrap().is_empty());
    assert_eq!(storage.sweep(RETENTION, later).await.unwrap().sessions, 1);
}

pub(crate) async fn spent_budgets_stay_until_they_are_full(storage: Arc<dyn Storage>) {
    let one = charge(BudgetKind::Requests, "a", 1);
    storage.charge(vec![one], NOW).await.unwrap().unwrap();
    storage.charge(vec![charge(BudgetKind::Requests, "b", 2)], NOW).await.unwrap().unwrap();
    let swept = async |now| storage.sweep(RETENTION, now).await.unwrap().budgets;
    assert_eq!(swept(NOW.after(30 * MINUTE).before(SECOND)).await, 0);
    assert_eq!(swept(NOW.after(30 * MINUTE)).await, 1);
    assert!(storage.charge(vec![one], NOW.after(30 * MINUTE)).await.unwrap().is_err());
    assert_eq!(swept(NOW.after(HOUR)).await, 1);
    assert_eq!(storage.charge(vec![one], NOW.after(HOUR)).await.unwrap(), Ok(()));
}
