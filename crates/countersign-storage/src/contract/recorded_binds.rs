//! Where users of this node bound their addresses.

use std::sync::Arc;

use countersign_core::{AccountHome, Medium, RecordedBind, Sealed, Timestamp};

use super::{data::*, identity_data::address_hash};
use crate::{BindToTakeBack, Deactivated, Recorded, Storage};

fn recorded(name: &str, address: &str, id_server: &str, bound_at: Timestamp) -> RecordedBind {
    RecordedBind {
        localpart: localpart(name),
        medium: Medium::Email,
        address_hash: address_hash(address),
        sealed_address: Sealed::from_bytes(format!("sealed {address}").into_bytes()),
        id_server: id_server.to_owned(),
        bound_at,
    }
}

pub(crate) async fn binds_are_remembered_until_they_are_taken_back(storage: Arc<dyn Storage>) {
    let first = recorded("alice", "a@example.org", "vector.im", NOW.after(SECOND));
    let second = recorded("alice", "a@example.org", "id.example.org:8090", NOW.after(2 * SECOND));
    let third = recorded("alice", "b@example.org", "vector.im", NOW);
    let bobs = recorded("bob", "a@example.org", "vector.im", NOW);
    for bind in [&first, &second, &third, &bobs] {
        storage.record_bind(bind.clone(), AccountHome::Elsewhere).await.unwrap();
    }
    let list = async |name, address: Option<&str>| {
        storage.list_recorded_binds(&localpart(name), address.map(address_hash)).await.unwrap()
    };
    assert_eq!(list("alice", None).await, [third.clone(), first.clone(), second.clone()]);
    assert_eq!(list("alice", Some("a@example.org")).await, [first.clone(), second.clone()]);
    assert!(list("alice", Some("c@example.org")).await.is_empty());

    let again = RecordedBind {
        bound_at: NOW.after(HOUR),
        sealed_address: Sealed::from_bytes(b"other".to_vec()),
        ..first.clone()
    };
    storage.record_bind(again.clone(), AccountHome::Elsewhere).await.unwrap();
    let later = RecordedBind { bound_at: NOW.after(HOUR), ..first.clone() };
    assert_eq!(list("alice", Some("a@example.org")).await, [second.clone(), later.clone()]);

    // Who knows only of the earlier bind does not forget the later one.
    storage.delete_recorded_bind(&first).await.unwrap();
    assert_eq!(list("alice", Some("a@example.org")).await, [second.clone(), later.clone()]);
    for bind in [&later, &later, &recorded("alice", "a@example.org", "elsewhere.example.org", NOW)] {
        storage.delete_recorded_bind(bind).await.unwrap();
    }
    assert_eq!(list("alice", None).await, [third, second]);
    assert_eq!(list("bob", None).await, [bobs]);
    assert!(storage.list_binds_to_take_back(NOW.after(DAY), 10).await.unwrap().is_empty());
}

async fn end(storage: &dyn Storage, name: &str, now: Timestamp) {
    let done = storage.deactivate(deactivation(name), now).await.unwrap();
    assert_eq!(done, Deactivated::Done { notified: Vec::new() });
}

pub(crate) async fn what_an_ended_account_bound_is_to_be_taken_back(storage: Arc<dyn Storage>) {
    let (home, later) = (AccountHome::Here, NOW.after(HOUR));
    for name in ["alice", "bob"] {
        storage.register(registration(name, None), NOW).await.unwrap();
        let bind = recorded(name, "a@example.org", "vector.im", NOW);
        assert_eq!(storage.record_bind(bind, home).await.unwrap(), Recorded::Kept);
    }
    end(&*storage, "alice", NOW.after(SECOND)).await;
    let before = recorded("alice", "a@example.org", "vector.im", NOW);
    let after = recorded("alice", "b@example.org", "vector.im", NOW.after(2 * SECOND));
    let unknown = recorded("carol", "c@example.org", "vector.im", NOW.after(3 * SECOND));
    for bind in [&after, &unknown] {
        let outcome = storage.record_bind(bind.clone(), home).await.unwrap();
        assert_eq!(outcome, Recorded::AccountEnded);
    }
    let due = async |now, limit| storage.list_binds_to_take_back(now, limit).await.unwrap();
    let owed = |bind: &RecordedBind, tries| BindToTakeBack { bind: bind.clone(), tries };
    assert!(due(NOW, 10).await.is_empty(), "not before the account ended");
    assert_eq!(due(later, 10).await, [owed(&before, 0), owed(&after, 0), owed(&unknown, 0)]);
    assert_eq!(due(later, 1).await, [owed(&before, 0)]);

    for tries in [0, 0, 1] {
        storage.postpone_taking_back(&owed(&before, tries), later.after(SECOND)).await.unwrap();
    }
    storage.delete_recorded_bind(&after).await.unwrap();
    assert_eq!(due(later, 10).await, [owed(&unknown, 0)]);
    assert_eq!(due(later.after(SECOND), 10).await, [owed(&unknown, 0), owed(&before, 2)]);
    // Nothing of an account that is there.
    let bobs = recorded("bob", "a@example.org", "vector.im", NOW);
    storage.postpone_taking_back(&owed(&bobs, 0), NOW).await.unwrap();
    assert_eq!(due(later, 10).await, [owed(&unknown, 0)]);
    assert_eq!(storage.list_recorded_binds(&localpart("bob"), None).await.unwrap(), [bobs]);
}

pub(crate) async fn a_bind_and_the_end_of_its_account_at_once_leave_nothing_forgotten(
    storage: Arc<dyn Storage>,
) {
    for round in 0..12 {
        let name = format!("user{round}");
        storage.register(registration(&name, None), NOW).await.unwrap();
        let bind = recorded(&name, "a@example.org", "vector.im", NOW);
        let (recorded, ()) =
            tokio::join!(storage.record_bind(bind.clone(), AccountHome::Here), end(&*storage, &name, NOW));
        recorded.unwrap();
        let due = storage.list_binds_to_take_back(NOW, 100).await.unwrap();
        assert!(due.contains(&BindToTakeBack { bind, tries: 0 }));
    }
}
