//! Lookups by a filter: what it has is all that is looked for, and what it doesn't have yet is found all the same.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use countersign_core::{HeldPepper, LookupFilter, LookupKey, LookupKeySource, UserId};
use tokio::task::JoinSet;

use super::{data::*, identity_data::*, import::imported};
use crate::{Storage, associations::LATER_KEYS};

/// A filter without keys, for that many of this database.
async fn filter_for(storage: &dyn Storage, keys: usize) -> Arc<LookupFilter> {
    let source = storage.list_lookup_keys(0, 0).await.unwrap().source;
    Arc::new(LookupFilter::new(source, keys))
}

/// Adds the keys that came since, by parts.
async fn catch_up(storage: &dyn Storage, filter: &LookupFilter) {
    loop {
        let part = storage.list_lookup_keys(filter.covers(), 3).await.unwrap().keys;
        assert!(part.len() <= 3 && part.is_sorted_by(|(one, _), (next, _)| one < next));
        if part.is_empty() {
            return;
        }
        filter.add(&part);
    }
}

/// The users of the keys, and whether the filter is behind.
async fn look_up_by(
    storage: &dyn Storage,
    current: &HeldPepper,
    filter: &Arc<LookupFilter>,
    addresses: &[&str],
) -> (Vec<UserId>, bool) {
    let keys = addresses.iter().map(|address| key(address_hash(address), current.number)).collect();
    let found = storage.lookup(&current.pepper, keys, filter).await.unwrap().unwrap();
    let mut users: Vec<_> = found.users.into_iter().map(|(_, user)| user).collect();
    users.sort_by(|one, next| one.as_str().cmp(next.as_str()));
    (users, found.filter_is_behind)
}

pub(crate) async fn keys_that_a_filter_does_not_have_yet_are_found(storage: Arc<dyn Storage>) {
    let current = current_pepper(&*storage).await;
    let filter = filter_for(&*storage, 100).await;
    let addresses = ["a@example.org", "b@example.org", "c@example.org"];
    bound(&*storage, "a@example.org", "alice").await;
    bound(&*storage, "b@example.org", "bob").await;
    let both = vec![user("alice"), user("bob")];
    assert_eq!(look_up_by(&*storage, &current, &filter, &addresses).await, (both.clone(), true));
    catch_up(&*storage, &filter).await;
    assert_eq!(filter.len(), 2);
    assert_eq!(storage.count_lookup_keys().await.unwrap(), 2);
    assert_eq!(look_up_by(&*storage, &current, &filter, &addresses).await, (both, false));
    // One goes, comes back for someone else, and another comes.
    assert!(storage.unbind(address_hash("b@example.org"), &user("bob")).await.unwrap());
    assert_eq!(look_up_by(&*storage, &current, &filter, &addresses).await, (vec![user("alice")], false));
    bound(&*storage, "b@example.org", "dora").await;
    bound(&*storage, "c@example.org", "carol").await;
    let all = vec![user("alice"), user("carol"), user("dora")];
    assert_eq!(look_up_by(&*storage, &current, &filter, &addresses).await, (all.clone(), true));
    catch_up(&*storage, &filter).await;
    assert_eq!(look_up_by(&*storage, &current, &filter, &addresses).await, (all, false));
}

pub(crate) async fn keys_are_found_however_far_a_filter_is_behind(storage: Arc<dyn Storage>) {
    let peppers = [current_pepper(&*storage).await];
    let names: Vec<_> = (0..=LATER_KEYS).map(|number| format!("user{number}@example.org")).collect();
    let filter = filter_for(&*storage, 10).await;
    for left in [LATER_KEYS - 1, 1, 1] {
        let there = storage.count_lookup_keys().await.unwrap();
        let new = names[there..there + left].iter();
        let batch = new.map(|name| imported(name, "alice", NOW, &peppers)).collect();
        storage.import_associations(batch).await.unwrap().unwrap();
        let addresses: Vec<_> = names.iter().map(String::as_str).collect();
        let (users, is_behind) = look_up_by(&*storage, &peppers[0], &filter, &addresses).await;
        assert_eq!((users.len(), is_behind), (there + left, true));
    }
}

pub(crate) async fn what_a_filter_can_not_contain_is_not_looked_for(storage: Arc<dyn Storage>) {
    let current = current_pepper(&*storage).await;
    bound(&*storage, "a@example.org", "alice").await;
    // It says that it has all keys, and has another one.
    let [(number, _)] = storage.list_lookup_keys(0, 10).await.unwrap().keys[..] else {
        panic!("one is there")
    };
    let filter = filter_for(&*storage, 10).await;
    filter.add(&[(number, key(address_hash("b@example.org"), current.number))]);
    let addresses = ["a@example.org", "b@example.org"];
    assert_eq!(look_up_by(&*storage, &current, &filter, &addresses).await, (vec![], false));
}

pub(crate) async fn a_filter_of_another_server_is_not_believed(storage: Arc<dyn Storage>) {
    let current = current_pepper(&*storage).await;
    bound(&*storage, "a@example.org", "alice").await;
    let filter = Arc::new(LookupFilter::new(LookupKeySource(-1), 10));
    filter.add(&[(1000, key(address_hash("b@example.org"), current.number))]);
    let found = look_up_by(&*storage, &current, &filter, &["a@example.org"]).await;
    assert_eq!(found, (vec![user("alice")], true));
}

pub(crate) async fn numbers_of_lookup_keys_are_given_once(storage: Arc<dyn Storage>) {
    current_pepper(&*storage).await;
    let session = proven(&*storage, "a@example.org", "secret").await;
    let mut last = 0;
    for _ in 0..3 {
        bind_until_done(&*storage, &session, "alice").await;
        let [(number, _)] = storage.list_lookup_keys(last, 10).await.unwrap().keys[..] else {
            panic!("one is later")
        };
        last = number;
        assert!(storage.unbind(address_hash("a@example.org"), &user("alice")).await.unwrap());
        assert!(storage.list_lookup_keys(0, 10).await.unwrap().keys.is_empty());
    }
}

pub(crate) async fn filter_misses_no_key_of_those_that_come_at_once(storage: Arc<dyn Storage>) {
    let nodes = [Arc::clone(&storage), Arc::clone(&storage), storage];
    filter_misses_nothing(&nodes).await;
}

/// Several add keys while one reads them: none comes with a number that was passed already.
pub(crate) async fn filter_misses_nothing(nodes: &[Arc<dyn Storage>; 3]) {
    let current = current_pepper(&*nodes[0]).await;
    let (filter, done) = (filter_for(&*nodes[0], 1000).await, Arc::new(AtomicBool::new(false)));
    let reader = {
        let (node, filter, done) = (Arc::clone(&nodes[2]), Arc::clone(&filter), Arc::clone(&done));
        tokio::spawn(async move {
            while !done.load(Ordering::Acquire) {
                catch_up(&*node, &filter).await;
            }
            catch_up(&*node, &filter).await;
        })
    };
    let mut writers = JoinSet::new();
    for writer in 0..6 {
        let (node, current) = (Arc::clone(&nodes[writer % 2]), current.clone());
        writers.spawn(async move {
            for round in 0..12 {
                let name = |number| format!("user{number}-{round}-{writer}@example.org");
                let batch = (0..4)
                    .map(|number| imported(&name(number), "alice", NOW, std::slice::from_ref(&current)));
                node.import_associations(batch.collect()).await.unwrap().unwrap();
            }
        });
    }
    writers.join_all().await;
    done.store(true, Ordering::Release);
    reader.await.unwrap();
    let all: Vec<(i64, LookupKey)> = nodes[0].list_lookup_keys(0, 1000).await.unwrap().keys;
    assert_eq!((all.len(), filter.len()), (6 * 12 * 4, 6 * 12 * 4));
    assert!(all.iter().all(|(_, key)| filter.may_contain(key)));
}
