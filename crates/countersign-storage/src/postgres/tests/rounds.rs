//! A connection that breaks in the middle of a round.

use std::time::Duration;

use countersign_core::{BudgetKind, Requested, SessionPurpose, ValidationRequest};

use crate::{
    Outage, OutageReason, SessionStore as _, StorageError,
    contract::data::*,
    postgres::{Transaction, parameter::Query},
    test_database::TestDatabase,
};

#[tokio::test(flavor = "multi_thread")]
async fn connection_that_breaks_in_mid_round_leaves_nothing_behind() {
    let database = TestDatabase::create().await;
    let (storage, holder) = (database.open().await, database.open().await);
    let storage = std::sync::Arc::new(storage);
    let budgets = vec![charge(BudgetKind::Requests, "a", 5)];
    let request = || ValidationRequest {
        charges: budgets.clone(),
        ..request(SessionPurpose::Identity, &email("alice@example.org"))
    };
    // In the order in which a round comes to them: the last two when it saves and commits.
    for table in ["session_keys", "budgets", "validation_sessions", "outbox"] {
        let mut tx = Transaction::on(holder.connect().await.unwrap());
        tx.run([Query::new("select 1")]).await.unwrap();
        tx.run_script(&format!("lock table {table} in exclusive mode")).await.unwrap();
        let asking = {
            let (storage, request) = (storage.clone(), request());
            tokio::spawn(async move { storage.request_validation(request, NOW).await })
        };
        terminate_the_one_that_waits(&database).await;
        let told = asking.await.unwrap();
        let expected =
            matches!(told, Err(StorageError::Unavailable(Outage { reason: OutageReason::Unreachable, .. })));
        assert!(expected, "{table}: {told:?}");
        tx.roll_back().await.unwrap();
        let left = "select (select count(*) from session_keys) + (select count(*) from validation_sessions)
            + (select count(*) from outbox) + (select count(*) from budgets)";
        assert_eq!(database.run(left).await, ["0"], "{table}");
    }
    let answer = loop {
        match storage.request_validation(request(), NOW).await {
            // Connecting is not tried again at once.
            Err(StorageError::Unavailable(_)) => tokio::task::yield_now().await,
            answer => break answer.unwrap(),
        }
    };
    assert!(matches!(answer, Requested::Sending(_)));
    assert_eq!(waiting(&*storage).await, 1);
    storage.close().await;
    holder.close().await;
}

/// Waits until a connection waits for a lock, and ends it.
async fn terminate_the_one_that_waits(database: &TestDatabase) {
    let terminate = "select count(pg_terminate_backend(pid)) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'";
    let terminated = tokio::time::timeout(Duration::from_secs(20), async {
        while database.run(terminate).await == ["0"] {
            tokio::task::yield_now().await;
        }
    });
    assert!(terminated.await.is_ok(), "nobody waits");
}
