//! Where users of this node bound their addresses.

use std::sync::Arc;

use countersign_core::{Authorization, Medium, RecordedBind, Sealed, Timestamp};

use super::{data::*, identity_data::address_hash};
use crate::{Deactivated, Deactivation, Storage};

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
        storage.record_bind(bind.clone()).await.unwrap();
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
    storage.record_bind(again).await.unwrap();
    let later = RecordedBind { bound_at: NOW.after(HOUR), ..first };
    assert_eq!(list("alice", Some("a@example.org")).await, [second.clone(), later]);

    let forget = async |id_server| {
        storage
            .delete_recorded_bind(&localpart("alice"), address_hash("a@example.org"), id_server)
            .await
            .unwrap();
    };
    forget("vector.im").await;
    forget("vector.im").await;
    forget("elsewhere.example.org").await;
    assert_eq!(list("alice", None).await, [third, second]);
    assert_eq!(list("bob", None).await, [bobs]);
}

pub(crate) async fn deactivated_account_has_no_recorded_binds(storage: Arc<dyn Storage>) {
    for name in ["alice", "bob"] {
        storage.register(registration(name, None), NOW).await.unwrap();
        storage.record_bind(recorded(name, "a@example.org", "vector.im", NOW)).await.unwrap();
    }
    let end = Deactivation {
        localpart: localpart("alice"),
        authorization: Authorization::default(),
        notices: Vec::new(),
    };
    let done = storage.deactivate(end, NOW).await.unwrap();
    assert_eq!(done, Deactivated::Done { notified: Vec::new() });
    assert!(storage.list_recorded_binds(&localpart("alice"), None).await.unwrap().is_empty());
    assert_eq!(storage.list_recorded_binds(&localpart("bob"), None).await.unwrap().len(), 1);
}
