//! What is kept about keys.

use std::sync::Arc;

use countersign_core::{MasterKeyId, Sealed};
use tokio::task::JoinSet;

use crate::{KeyCheck, Storage};

fn sealed(text: &str) -> Sealed {
    Sealed::from_bytes(text.as_bytes().to_vec())
}

pub(crate) async fn first_index_key_stays(storage: Arc<dyn Storage>) {
    assert_eq!(storage.find_index_key().await.unwrap(), None);
    let mut tasks = JoinSet::new();
    for number in 0..16 {
        let storage = Arc::clone(&storage);
        tasks.spawn(async move { storage.init_index_key(sealed(&number.to_string())).await.unwrap() });
    }
    let kept = tasks.join_all().await;
    assert!(kept.iter().all(|key| *key == kept[0]), "all hear the same");
    assert_eq!(storage.find_index_key().await.unwrap().as_ref(), Some(&kept[0]));
    assert_eq!(storage.init_index_key(sealed("late")).await.unwrap(), kept[0]);
}

pub(crate) async fn index_key_is_rewrapped_only_from_what_is_kept(storage: Arc<dyn Storage>) {
    assert!(!storage.rewrap_index_key(sealed("a"), sealed("b")).await.unwrap());
    storage.init_index_key(sealed("a")).await.unwrap();
    assert!(storage.rewrap_index_key(sealed("a"), sealed("b")).await.unwrap());
    assert!(!storage.rewrap_index_key(sealed("a"), sealed("c")).await.unwrap());
    assert_eq!(storage.find_index_key().await.unwrap(), Some(sealed("b")));
}

pub(crate) async fn first_check_value_of_a_key_stays(storage: Arc<dyn Storage>) {
    let check = |id, byte| KeyCheck { key_id: MasterKeyId::parse(id).unwrap(), check_value: [byte; 32] };
    assert!(storage.list_key_checks().await.unwrap().is_empty());
    storage.add_key_check(check("k2", 2)).await.unwrap();
    storage.add_key_check(check("k1", 1)).await.unwrap();
    storage.add_key_check(check("k1", 9)).await.unwrap();
    let mut checks = storage.list_key_checks().await.unwrap();
    checks.sort_by_key(|check| check.check_value);
    assert_eq!(checks, [check("k1", 1), check("k2", 2)]);
}
