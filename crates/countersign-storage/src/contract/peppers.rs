//! Peppers: how one takes another's place while addresses are bound and looked up.

use std::sync::Arc;

use countersign_core::{AddressHash, HeldPepper, LookupKey, PepperState};
use tokio::task::JoinSet;

use super::{data::*, identity_data::*};
use crate::Storage;

/// Fills a pepper as whoever replaces the current one does: all associations, in parts.
pub(crate) async fn fill(storage: &dyn Storage, number: i64) {
    let mut after = None;
    loop {
        let part = storage.list_associations(after, 3).await.unwrap();
        let Some(last) = part.last() else { return };
        after = Some(last.address_hash);
        let keys = part.iter().map(|association| {
            let address = association.address_hash;
            (address, key(address, number))
        });
        storage.fill_pepper(number, keys.collect()).await.unwrap();
    }
}

async fn states(storage: &dyn Storage) -> Vec<(i64, PepperState)> {
    let peppers = storage.list_peppers().await.unwrap();
    peppers.iter().map(|pepper| (pepper.number, pepper.state)).collect()
}

pub(crate) async fn first_pepper_stays(storage: Arc<dyn Storage>) {
    assert!(storage.list_peppers().await.unwrap().is_empty());
    let first = storage.init_pepper(pepper("first"), NOW).await.unwrap();
    assert_eq!((first.pepper.as_str(), first.state), ("first", PepperState::Current));
    assert_eq!(storage.init_pepper(pepper("second"), NOW.after(SECOND)).await.unwrap(), first);
    assert_eq!(storage.list_peppers().await.unwrap(), [first]);
}

pub(crate) async fn peppers_that_begin_at_once_have_one_winner(storage: Arc<dyn Storage>) {
    for state in [PepperState::Current, PepperState::Filling] {
        let mut tasks = JoinSet::new();
        for number in 0..8 {
            let (storage, pepper) = (Arc::clone(&storage), pepper(&format!("p{number}")));
            tasks.spawn(async move {
                match state {
                    PepperState::Current => storage.init_pepper(pepper, NOW).await.unwrap(),
                    _ => storage.begin_pepper(pepper, NOW).await.unwrap(),
                }
            });
        }
        let answers: Vec<HeldPepper> = tasks.join_all().await;
        assert!(answers.iter().all(|answer| *answer == answers[0] && answer.state == state), "{answers:?}");
        let held = storage.list_peppers().await.unwrap();
        assert_eq!(held.iter().filter(|pepper| pepper.state == state).collect::<Vec<_>>(), [&answers[0]]);
    }
    let numbers: Vec<_> = states(&*storage).await.into_iter().map(|(number, _)| number).collect();
    assert!(numbers.is_sorted_by(|one, next| one < next) && numbers.len() == 2, "{numbers:?}");
}

pub(crate) async fn filled_pepper_takes_the_current_ones_place(storage: Arc<dyn Storage>) {
    let first = current_pepper(&*storage).await;
    let addresses = ["a@example.org", "b@example.org", "c@example.org", "d@example.org"];
    for address in addresses {
        bound(&*storage, address, "alice").await;
    }
    let all = vec![Some(user("alice")); 4];
    assert!(!storage.make_pepper_current(first.number).await.unwrap(), "it isn't being filled");
    let next = storage.begin_pepper(pepper("next"), NOW).await.unwrap();
    assert!(first.number < next.number);
    assert_eq!(storage.begin_pepper(pepper("other"), NOW).await.unwrap(), next, "one at a time");
    fill(&*storage, next.number).await;
    assert_eq!(look_up(&*storage, &addresses).await, all, "the first is still the current one");
    assert!(storage.make_pepper_current(next.number).await.unwrap());
    assert!(!storage.make_pepper_current(next.number).await.unwrap());
    assert_eq!(
        states(&*storage).await,
        [(first.number, PepperState::Retired), (next.number, PepperState::Current)]
    );
    assert_eq!(look_up(&*storage, &addresses).await, all);
    assert_eq!(look_up_keys(&*storage, &first.pepper, Vec::new()).await, None);
}

pub(crate) async fn filling_adds_only_what_is_missing(storage: Arc<dyn Storage>) {
    current_pepper(&*storage).await;
    let there = bound(&*storage, "a@example.org", "alice").await.address_hash;
    let gone = address_hash("gone@example.org");
    let next = storage.begin_pepper(pepper("next"), NOW).await.unwrap();
    let bound_since = bound(&*storage, "b@example.org", "bob").await.address_hash;
    let fill = async |client, addresses: &[AddressHash]| {
        let key = |address: &AddressHash| (*address, key_by(client, *address, next.number));
        let keys: Vec<(AddressHash, LookupKey)> = addresses.iter().map(key).collect();
        storage.fill_pepper(next.number, keys).await.unwrap();
    };
    fill("", &[there, gone]).await;
    fill("other", &[bound_since, gone, there]).await;
    storage.fill_pepper(99, vec![(there, key(there, 99))]).await.unwrap();
    assert!(storage.make_pepper_current(next.number).await.unwrap());
    let found = look_up(&*storage, &["a@example.org", "b@example.org", "gone@example.org"]).await;
    assert_eq!(found, [Some(user("alice")), Some(user("bob")), None]);
    let others = [there, gone, bound_since].map(|address| key_by("other", address, next.number));
    assert_eq!(look_up_keys(&*storage, &next.pepper, others.to_vec()).await, Some(Vec::new()));
}

pub(crate) async fn retired_peppers_are_swept_in_parts(storage: Arc<dyn Storage>) {
    let first = current_pepper(&*storage).await;
    for number in 0..5 {
        bound(&*storage, &format!("user{number}@example.org"), "alice").await;
    }
    assert_eq!(storage.sweep_peppers(10).await.unwrap(), 0);
    let next = storage.begin_pepper(pepper("next"), NOW).await.unwrap();
    fill(&*storage, next.number).await;
    assert_eq!(storage.sweep_peppers(10).await.unwrap(), 0);
    assert!(storage.make_pepper_current(next.number).await.unwrap());
    storage.fill_pepper(first.number, vec![]).await.unwrap();
    for left in [3, 1] {
        assert_eq!(storage.sweep_peppers(2).await.unwrap(), 2, "{left} are left");
        assert_eq!(states(&*storage).await.len(), 2);
    }
    // What was deleted does not come back.
    fill(&*storage, first.number).await;
    assert_eq!(storage.sweep_peppers(2).await.unwrap(), 1);
    assert_eq!(states(&*storage).await, [(next.number, PepperState::Current)]);
    assert_eq!(storage.sweep_peppers(2).await.unwrap(), 0);
    let addresses = ["user0@example.org", "user4@example.org"];
    assert_eq!(look_up(&*storage, &addresses).await, [Some(user("alice")), Some(user("alice"))]);
    let third = storage.begin_pepper(pepper("third"), NOW).await.unwrap();
    assert!(next.number < third.number);
}

pub(crate) async fn binds_at_once_with_a_new_pepper_are_found_under_it(storage: Arc<dyn Storage>) {
    current_pepper(&*storage).await;
    let nodes = [Arc::clone(&storage), Arc::clone(&storage), storage];
    bind_while_peppers_change(&nodes).await;
}

/// Several bind while two replace the pepper again and again: whoever is bound is found.
pub(crate) async fn bind_while_peppers_change(nodes: &[Arc<dyn Storage>; 3]) {
    let (mut sessions, mut names) = (Vec::new(), Vec::new());
    for number in 0..48 {
        names.push(format!("user{number}@example.org"));
        sessions.push(proven(&*nodes[0], &names[number], "secret").await);
    }
    let mut tasks = JoinSet::new();
    for (number, session) in sessions.into_iter().enumerate() {
        let node = Arc::clone(&nodes[number % 3]);
        tasks.spawn(async move { drop(bind_until_done(&*node, &session, "alice").await) });
    }
    for (replacer, node) in nodes.iter().enumerate().take(2) {
        let node = Arc::clone(node);
        tasks.spawn(async move {
            for round in 0..6 {
                let next = node.begin_pepper(pepper(&format!("r{replacer}x{round}")), NOW).await.unwrap();
                fill(&*node, next.number).await;
                node.make_pepper_current(next.number).await.unwrap();
                node.sweep_peppers(5).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let found = look_up(&*nodes[2], &names).await;
    assert_eq!(found, vec![Some(user("alice")); 48]);
}
