//! A pepper that comes while an address is being bound.

use std::{sync::Arc, time::Duration};

use crate::{
    AssociationStore as _, Bound, PepperStore as _,
    contract::{data::*, identity_data::*, peppers::fill},
    postgres::{Transaction, locks::lock_address},
    test_database::TestDatabase,
};

#[tokio::test(flavor = "multi_thread")]
async fn pepper_waits_for_binds_that_did_not_hear_of_it() {
    let database = TestDatabase::create().await;
    let storage = Arc::new(database.open().await);
    let first = current_pepper(&*storage).await;
    let session = proven(&*storage, "a@example.org", "secret").await;
    // Stops the bind between the peppers that it saw and what it saves.
    let mut holder = Transaction::on(storage.connect().await.unwrap());
    holder.run([lock_address(&session.address_hash)]).await.unwrap();
    let bind = {
        let (storage, bind) = (Arc::clone(&storage), bind_of(&session, "alice", &[first]));
        tokio::spawn(async move { storage.bind(bind, NOW).await.unwrap() })
    };
    wait_for_locks(&database, 1).await;
    let replaced = {
        let storage = Arc::clone(&storage);
        tokio::spawn(async move {
            let next = storage.begin_pepper(pepper("next"), NOW).await.unwrap();
            fill(&*storage, next.number).await;
            assert!(storage.make_pepper_current(next.number).await.unwrap());
        })
    };
    wait_for_locks(&database, 2).await;
    assert!(!replaced.is_finished(), "it waits for the bind");
    holder.roll_back().await.unwrap();
    assert!(matches!(bind.await.unwrap(), Bound::Done { .. }));
    replaced.await.unwrap();
    assert_eq!(look_up(&*storage, &["a@example.org"]).await, [Some(user("alice"))]);
    storage.close().await;
}

/// Until that many connections wait for a lock.
async fn wait_for_locks(database: &TestDatabase, count: usize) {
    let waiting = "select pid from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'";
    let waited = tokio::time::timeout(Duration::from_secs(20), async {
        while database.run(waiting).await.len() < count {
            tokio::task::yield_now().await;
        }
    });
    assert!(waited.await.is_ok(), "fewer than {count} wait");
}
