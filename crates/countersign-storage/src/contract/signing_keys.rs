//! The keys that this server signs with.

use std::sync::Arc;

use countersign_core::Sealed;
use tokio::task::JoinSet;

use super::data::*;
use crate::{Storage, StoredSigningKey};

fn key(id: &str, public_key: u8) -> StoredSigningKey {
    StoredSigningKey {
        key_id: format!("ed25519:{id}"),
        sealed_seed: Sealed::from_bytes(vec![public_key; 60]),
        public_key: [public_key; 32],
        created_at: NOW,
        retired_at: None,
    }
}

pub(crate) async fn first_signing_key_stays(storage: Arc<dyn Storage>) {
    assert!(storage.list_signing_keys().await.unwrap().is_empty());
    assert_eq!(storage.init_signing_key(key("b", 1)).await.unwrap(), key("b", 1));
    assert_eq!(storage.init_signing_key(key("a", 2)).await.unwrap(), key("b", 1));
    assert_eq!(storage.list_signing_keys().await.unwrap(), [key("b", 1)]);
}

pub(crate) async fn replaced_signing_key_is_retired_for_good(storage: Arc<dyn Storage>) {
    let (first, second) = (key("b", 1), key("a", 2));
    let later = NOW.after(HOUR);
    storage.init_signing_key(first.clone()).await.unwrap();
    assert!(storage.replace_signing_key(second.clone(), later).await.unwrap());
    let resealed = StoredSigningKey { sealed_seed: Sealed::from_bytes(vec![9; 60]), ..second.clone() };
    assert!(storage.replace_signing_key(resealed, later.after(HOUR)).await.unwrap(), "the same key again");
    let retired = StoredSigningKey { retired_at: Some(later), ..first.clone() };
    let both = [retired, second.clone()];
    assert_eq!(storage.list_signing_keys().await.unwrap(), both);
    let impostor = StoredSigningKey { public_key: [3; 32], ..second.clone() };
    for refused in [impostor, first] {
        assert!(!storage.replace_signing_key(refused, later.after(HOUR)).await.unwrap());
    }
    assert_eq!(storage.list_signing_keys().await.unwrap(), both);
    assert_eq!(storage.init_signing_key(key("c", 4)).await.unwrap(), second);
}

pub(crate) async fn signing_keys_at_once_leave_one_current(storage: Arc<dyn Storage>) {
    let mut tasks = JoinSet::new();
    for number in 0..8 {
        let storage = Arc::clone(&storage);
        tasks.spawn(async move { storage.init_signing_key(key(&number.to_string(), number)).await.unwrap() });
    }
    let answers = tasks.join_all().await;
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(storage.list_signing_keys().await.unwrap(), [answers[0].clone()]);
    let mut tasks = JoinSet::new();
    for number in 10..18 {
        let storage = Arc::clone(&storage);
        let key = key(&number.to_string(), number);
        tasks.spawn(async move { storage.replace_signing_key(key, NOW).await.unwrap() });
    }
    assert!(tasks.join_all().await.into_iter().all(|replaced| replaced));
    let keys = storage.list_signing_keys().await.unwrap();
    assert_eq!((keys.len(), keys.iter().filter(|key| key.retired_at.is_none()).count()), (9, 1));
}
