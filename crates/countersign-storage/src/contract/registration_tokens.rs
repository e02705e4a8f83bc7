//! Registration tokens: how far they reach, and who holds a use.

use std::{sync::Arc, time::Duration};

use countersign_core::{RegistrationToken, Timestamp, UIA_SESSION_LIFETIME, UiaSession};
use tokio::task::JoinSet;

use super::data::*;
use crate::{Registered, Storage, TokenReserved};

async fn reserve(
    storage: &dyn Storage,
    id: &str,
    token: &RegistrationToken,
    now: Timestamp,
) -> TokenReserved {
    storage.reserve_registration_token(uia_session_hash(id), token.token_hash, now).await.unwrap()
}

async fn pending(storage: &dyn Storage, token: &RegistrationToken, now: Timestamp) -> u32 {
    storage.find_registration_token(token.token_hash, now).await.unwrap().unwrap().pending
}

pub(crate) async fn tokens_are_kept_listed_and_deleted(storage: Arc<dyn Storage>) {
    let second = RegistrationToken {
        created_at: NOW.after(SECOND),
        expires_at: Some(NOW.after(HOUR)),
        ..registration_token("second", Some(u32::MAX))
    };
    let first = registration_token("first", None);
    for token in [&second, &first] {
        assert!(storage.add_registration_token(token.clone()).await.unwrap());
    }
    let changed = RegistrationToken { uses_allowed: Some(1), ..first.clone() };
    assert!(!storage.add_registration_token(changed).await.unwrap());
    open_registration(&*storage, "a").await;
    assert!(matches!(reserve(&*storage, "a", &second, NOW).await, TokenReserved::Reserved(_)));
    let listed = storage.list_registration_tokens(NOW).await.unwrap();
    let listed: Vec<_> = listed.into_iter().map(|held| (held.token, held.pending)).collect();
    assert_eq!(listed, [(first.clone(), 0), (second.clone(), 1)]);
    let found = storage.find_registration_token(second.token_hash, NOW).await.unwrap().unwrap();
    assert_eq!((found.token, found.pending), (second, 1));
    assert!(storage.delete_registration_token(first.token_hash).await.unwrap());
    assert!(!storage.delete_registration_token(first.token_hash).await.unwrap());
    assert_eq!(storage.find_registration_token(first.token_hash, NOW).await.unwrap(), None);
    assert_eq!(storage.list_registration_tokens(NOW).await.unwrap().len(), 1);
}

pub(crate) async fn last_use_has_one_winner(storage: Arc<dyn Storage>) {
    let token = registration_token("token", Some(3));
    storage.add_registration_token(token.clone()).await.unwrap();
    for number in 0..12 {
        open_registration(&*storage, &number.to_string()).await;
    }
    let mut tasks = JoinSet::new();
    for number in 0..24 {
        let (storage, token) = (Arc::clone(&storage), token.clone());
        let id = (number / 2).to_string();
        tasks.spawn(async move { (id.clone(), reserve(&*storage, &id, &token, NOW).await) });
    }
    let answers = tasks.join_all().await;
    let mut holders: Vec<_> = answers
        .iter()
        .filter(|(_, answer)| matches!(answer, TokenReserved::Reserved(_)))
        .map(|(id, _)| id)
        .collect();
    holders.sort();
    holders.dedup();
    assert_eq!(holders.len(), 3);
    assert_eq!(answers.iter().filter(|(_, answer)| *answer == TokenReserved::Invalid).count(), 18);
    assert_eq!(pending(&*storage, &token, NOW).await, 3);
    // A use that had its effect is not free again.
    let registration = registration_in(holders[0], "alice", None);
    assert_eq!(storage.register(registration, NOW).await.unwrap(), Registered::Created);
    assert_eq!(pending(&*storage, &token, NOW).await, 2);
    open_registration(&*storage, "late").await;
    assert_eq!(reserve(&*storage, "late", &token, NOW).await, TokenReserved::Invalid);
    let late = uia_session(&*storage, "late").await;
    assert!(late.completed.is_empty() && late.registration_token.is_none());
}

pub(crate) async fn expired_session_gives_its_use_back(storage: Arc<dyn Storage>) {
    let token = registration_token("token", Some(1));
    storage.add_registration_token(token.clone()).await.unwrap();
    open_registration(&*storage, "a").await;
    assert!(matches!(reserve(&*storage, "a", &token, NOW).await, TokenReserved::Reserved(_)));
    let last = NOW.after(UIA_SESSION_LIFETIME);
    let over = last.after(Duration::from_millis(1));
    let id = uia_session_hash("b");
    let second = UiaSession { created_at: last, expires_at: over.after(HOUR), ..uia_register(id) };
    storage.open_uia_session(second, Vec::new(), last).await.unwrap().unwrap();
    assert_eq!(reserve(&*storage, "b", &token, last).await, TokenReserved::Invalid);
    assert_eq!((pending(&*storage, &token, last).await, pending(&*storage, &token, over).await), (1, 0));
    assert_eq!(reserve(&*storage, "a", &token, over).await, TokenReserved::SessionGone);
    assert!(matches!(reserve(&*storage, "b", &token, over).await, TokenReserved::Reserved(_)));
}

pub(crate) async fn token_cannot_change_in_a_session(storage: Arc<dyn Storage>) {
    let (token, other) = (registration_token("token", Some(1)), registration_token("other", None));
    for token in [&token, &other] {
        storage.add_registration_token(token.clone()).await.unwrap();
    }
    open_registration(&*storage, "a").await;
    let TokenReserved::Reserved(reserved) = reserve(&*storage, "a", &token, NOW).await else { panic!() };
    assert_eq!(reserved.registration_token, Some(token.token_hash));
    assert_eq!(uia_session(&*storage, "a").await, reserved);
    // The same again holds one use, also when none is left for others.
    assert_eq!(reserve(&*storage, "a", &token, NOW).await, TokenReserved::Reserved(reserved));
    assert_eq!(reserve(&*storage, "a", &other, NOW).await, TokenReserved::Changed);
    assert_eq!((pending(&*storage, &token, NOW).await, pending(&*storage, &other, NOW).await), (1, 0));
    assert_eq!(reserve(&*storage, "nowhere", &token, NOW).await, TokenReserved::SessionGone);
}

pub(crate) async fn token_that_is_no_good_is_not_reserved(storage: Arc<dyn Storage>) {
    let expired = RegistrationToken { expires_at: Some(NOW), ..registration_token("expired", None) };
    let unknown = registration_token("unknown", None);
    storage.add_registration_token(expired.clone()).await.unwrap();
    open_registration(&*storage, "a").await;
    assert_eq!(reserve(&*storage, "a", &unknown, NOW).await, TokenReserved::Invalid);
    assert_eq!(reserve(&*storage, "a", &expired, NOW.after(SECOND)).await, TokenReserved::Invalid);
    assert!(matches!(reserve(&*storage, "a", &expired, NOW).await, TokenReserved::Reserved(_)));
}
