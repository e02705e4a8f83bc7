//! Associations: who may bind, who is found, and what concurrent binds leave.

use std::sync::Arc;

use countersign_core::{
    Association, Bind, HeldPepper, Medium, NotValidated, PepperState, PepperedKey, Sealed, SessionPurpose,
};
use tokio::task::JoinSet;

use super::{data::*, identity_data::*};
use crate::{Bound, Storage};

pub(crate) async fn bound_address_is_found_until_it_is_unbound(storage: Arc<dyn Storage>) {
    let current = current_pepper(&*storage).await;
    let association = bound(&*storage, "a@example.org", "alice").await;
    let address = address_hash("a@example.org");
    let expected = Association {
        medium: Medium::Email,
        address_hash: address,
        sealed_address: Sealed::from_bytes(b"sealed for the association".to_vec()),
        user_id: user("alice"),
        bound_at: NOW,
    };
    assert_eq!(association, expected);
    assert_eq!(storage.find_association(address).await.unwrap(), Some(expected));
    assert_eq!(look_up(&*storage, &["b@example.org", "a@example.org"]).await, [None, Some(user("alice"))]);

    assert!(!storage.unbind(address, &user("bob")).await.unwrap());
    assert!(!storage.unbind(address_hash("b@example.org"), &user("alice")).await.unwrap());
    assert_eq!(look_up(&*storage, &["a@example.org"]).await, [Some(user("alice"))]);
    assert!(storage.unbind(address, &user("alice")).await.unwrap());
    assert!(!storage.unbind(address, &user("alice")).await.unwrap());
    assert_eq!(storage.find_association(address).await.unwrap(), None);
    assert_eq!(look_up(&*storage, &["a@example.org"]).await, [None]);
    assert_eq!(storage.lookup_addresses(&current.pepper, vec![address]).await.unwrap(), Some(Vec::new()));
}

pub(crate) async fn lookups_need_the_current_pepper(storage: Arc<dyn Storage>) {
    assert_eq!(look_up_keys(&*storage, &pepper("first"), Vec::new()).await, None);
    let current = current_pepper(&*storage).await;
    for (address, name) in [("a@example.org", "alice"), ("b@example.org", "bob"), ("c@example.org", "alice")]
    {
        bound(&*storage, address, name).await;
    }
    let addresses =
        ["c@example.org", "nobody@example.org", "b@example.org", "c@example.org"].map(address_hash);
    let keys: Vec<_> = addresses.iter().map(|address| key(*address, current.number)).collect();
    let mut found = look_up_keys(&*storage, &current.pepper, keys.clone()).await.unwrap();
    found.sort_by_key(|(hash, _)| *hash);
    let mut expected = vec![(keys[0], user("alice")), (keys[2], user("bob"))];
    expected.sort_by_key(|(hash, _)| *hash);
    assert_eq!(found, expected, "each once, however often it was asked for");
    let mut found = storage.lookup_addresses(&current.pepper, addresses.to_vec()).await.unwrap().unwrap();
    found.sort_by_key(|(hash, _)| *hash);
    let mut expected = vec![(addresses[0], user("alice")), (addresses[2], user("bob"))];
    expected.sort_by_key(|(hash, _)| *hash);
    assert_eq!(found, expected);
    assert_eq!(look_up_keys(&*storage, &current.pepper, Vec::new()).await, Some(Vec::new()));

    let next = storage.begin_pepper(pepper("next"), NOW).await.unwrap();
    let retired_or_unknown = async |other: &HeldPepper| {
        assert_eq!(look_up_keys(&*storage, &other.pepper, keys.clone()).await, None);
        assert_eq!(storage.lookup_addresses(&other.pepper, addresses.to_vec()).await.unwrap(), None);
    };
    retired_or_unknown(&next).await;
    assert!(storage.make_pepper_current(next.number).await.unwrap());
    retired_or_unknown(&current).await;
    // Keys of the former pepper find nothing under the new one.
    assert_eq!(look_up_keys(&*storage, &next.pepper, keys.clone()).await, Some(Vec::new()));
}

pub(crate) async fn session_that_proves_nothing_binds_nothing(storage: Arc<dyn Storage>) {
    let peppers = [current_pepper(&*storage).await];
    let good = proven(&*storage, "a@example.org", "secret").await;
    let bind = |session, change: fn(Bind) -> Bind| change(bind_of(session, "alice", &peppers));
    let added =
        validated(&*storage, &request(SessionPurpose::AddThreepid, &email("c@example.org")), NOW).await;
    let open = sending(&*storage, &request(SessionPurpose::Identity, &email("b@example.org")), NOW).await;
    let open = session(&*storage, open).await;
    for (bind, now, why) in [
        (bind(&good, |bind| Bind { sid: sid_of_nothing(), ..bind }), NOW, NotValidated::NoSession),
        (
            bind(&good, |bind| Bind {
                client_secret_hash: keyring().client_secret_hash(&secret("other")),
                ..bind
            }),
            NOW,
            NotValidated::NoSession,
        ),
        (bind(&added, |bind| bind), NOW, NotValidated::NoSession),
        (bind(&open, |bind| bind), NOW, NotValidated::NotYet),
        (bind(&good, |bind| bind), LONG_AFTER, NotValidated::Expired),
    ] {
        assert_eq!(storage.bind(bind, now).await.unwrap(), Bound::Refused(why));
    }
    assert!(storage.list_associations(None, 10).await.unwrap().is_empty());
    let later = NOW.after(HOUR);
    for now in [NOW, later] {
        let done = storage.bind(bind(&good, |bind| bind), now).await.unwrap();
        assert!(matches!(done, Bound::Done { queued: false, .. }), "{done:?}");
    }
    let association = storage.find_association(good.address_hash).await.unwrap().unwrap();
    assert_eq!(association.bound_at, later);
}

pub(crate) async fn later_bind_takes_an_address_over(storage: Arc<dyn Storage>) {
    let current = current_pepper(&*storage).await;
    let session = proven(&*storage, "a@example.org", "alices").await;
    let old = PepperedKey {
        pepper: current.number,
        key: key_by("of an old index key", session.address_hash, current.number),
    };
    let bind = Bind { keys: vec![old], ..bind_of(&session, "alice", &[]) };
    assert!(matches!(storage.bind(bind, NOW).await.unwrap(), Bound::Done { .. }));
    bound(&*storage, "a@example.org", "bob").await;
    assert_eq!(look_up(&*storage, &["a@example.org"]).await, [Some(user("bob"))]);
    let by_old_key = look_up_keys(&*storage, &current.pepper, vec![old.key]).await;
    assert_eq!(by_old_key, Some(Vec::new()), "the former key went with the former user");
    assert_eq!(storage.list_associations(None, 10).await.unwrap().len(), 1);
    assert!(!storage.unbind(session.address_hash, &user("alice")).await.unwrap());
}

pub(crate) async fn bind_needs_a_key_under_each_pepper_that_wants_one(storage: Arc<dyn Storage>) {
    let session = proven(&*storage, "a@example.org", "secret").await;
    let bind = async |peppers: &[HeldPepper]| {
        let bound = storage.bind(bind_of(&session, "alice", peppers), NOW).await.unwrap();
        let is_there = storage.find_association(session.address_hash).await.unwrap().is_some();
        assert_eq!(is_there, matches!(bound, Bound::Done { .. }), "all of it or nothing");
        storage.unbind(session.address_hash, &user("alice")).await.unwrap();
        bound
    };
    assert_eq!(bind(&[]).await, Bound::PeppersChanged, "there is no pepper");
    let first = current_pepper(&*storage).await;
    assert!(matches!(bind(std::slice::from_ref(&first)).await, Bound::Done { .. }));
    let next = storage.begin_pepper(pepper("next"), NOW).await.unwrap();
    assert_eq!(bind(std::slice::from_ref(&first)).await, Bound::PeppersChanged);
    assert_eq!(bind(std::slice::from_ref(&next)).await, Bound::PeppersChanged);
    let unknown = HeldPepper { number: 99, ..first.clone() };
    assert!(matches!(bind(&[unknown, first.clone(), next.clone()]).await, Bound::Done { .. }));
    assert!(storage.make_pepper_current(next.number).await.unwrap());
    assert_eq!(bind(std::slice::from_ref(&first)).await, Bound::PeppersChanged);
    assert!(matches!(bind(&[first, next]).await, Bound::Done { .. }));
    assert_eq!(storage.sweep_peppers(10).await.unwrap(), 0, "no key came under a retired pepper");
}

pub(crate) async fn associations_are_listed_in_parts(storage: Arc<dyn Storage>) {
    current_pepper(&*storage).await;
    let mut all = Vec::new();
    for number in 0..7 {
        all.push(bound(&*storage, &format!("user{number}@example.org"), "alice").await);
    }
    all.sort_by_key(|association| association.address_hash);
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let part = storage.list_associations(after, 3).await.unwrap();
        assert!(part.len() <= 3);
        let Some(last) = part.last() else { break };
        after = Some(last.address_hash);
        listed.extend(part);
    }
    assert_eq!(listed, all);
}

pub(crate) async fn binds_at_once_leave_one_association_with_its_keys(storage: Arc<dyn Storage>) {
    let current = current_pepper(&*storage).await;
    for round in 0..12 {
        let address = format!("user{round}@example.org");
        let (mut binds, mut keys) = (JoinSet::new(), Vec::new());
        for name in ["alice", "bob", "carol", "dora"] {
            let session = proven(&*storage, &address, name).await;
            let key = key_by(name, session.address_hash, current.number);
            keys.push(key);
            let bind = Bind {
                keys: vec![PepperedKey { pepper: current.number, key }],
                ..bind_of(&session, name, &[])
            };
            let storage = Arc::clone(&storage);
            binds.spawn(async move { storage.bind(bind, NOW).await.unwrap() });
        }
        let answers = binds.join_all().await;
        assert!(answers.iter().all(|answer| matches!(answer, Bound::Done { .. })), "{answers:?}");
        let owner = storage.find_association(address_hash(&address)).await.unwrap().unwrap().user_id;
        let found = look_up_keys(&*storage, &current.pepper, keys.clone()).await.unwrap();
        assert_eq!(found, [(key_by(localpart_of(&owner), address_hash(&address), current.number), owner)]);
    }
}

fn localpart_of(user_id: &countersign_core::UserId) -> &str {
    user_id.as_str().strip_prefix('@').and_then(|id| id.split(':').next()).unwrap()
}

pub(crate) async fn bind_and_unbind_at_once_leave_all_or_nothing(storage: Arc<dyn Storage>) {
    let peppers = [current_pepper(&*storage).await];
    let session = proven(&*storage, "a@example.org", "secret").await;
    let alice = user("alice");
    for _ in 0..24 {
        let (bound, again, unbound) = tokio::join!(
            storage.bind(bind_of(&session, "alice", &peppers), NOW),
            storage.bind(bind_of(&session, "alice", &peppers), NOW),
            storage.unbind(session.address_hash, &alice),
        );
        assert!(matches!((bound.unwrap(), again.unwrap()), (Bound::Done { .. }, Bound::Done { .. })));
        unbound.unwrap();
        let association = storage.find_association(session.address_hash).await.unwrap();
        let found = look_up(&*storage, &["a@example.org"]).await;
        assert_eq!(found, [association.map(|association| association.user_id)]);
    }
    // No key was left behind under which the address would be found again.
    storage.unbind(session.address_hash, &user("alice")).await.unwrap();
    let next = storage.begin_pepper(pepper("next"), NOW).await.unwrap();
    assert_eq!(next.state, PepperState::Filling);
    assert!(storage.make_pepper_current(next.number).await.unwrap());
    assert_eq!(storage.sweep_peppers(10).await.unwrap(), 0);
}
