//! The contract suite on PostgreSQL, on one node and on several, and what only PostgreSQL promises.

mod peppers;
mod rounds;
mod statements;

use std::{sync::Arc, time::Duration};

use countersign_core::{Carrier, Medium};
use tokio::sync::mpsc;

use super::{LeaseClock, Migrate, PostgresSettings, PostgresStorage, PreparedStatements};
use crate::{
    LeaseRequest, OutboxStore as _, SessionStore as _, Storage, StorageError,
    contract::{contract_tests, contract_tests_of_nodes, data::*},
    test_database::TestDatabase,
};

contract_tests!(suite, crate::postgres::tests::open_for_contract);
contract_tests_of_nodes!(suite_of_nodes, crate::postgres::tests::open_nodes_for_contract);
// As behind a pooler that hands out a connection for each transaction.
contract_tests_of_nodes!(
    suite_without_prepared_statements,
    crate::postgres::tests::open_nodes_without_statements
);

impl TestDatabase {
    /// What a test opens it with: time is what it says.
    fn settings(&self) -> PostgresSettings {
        PostgresSettings { lease_clock: LeaseClock::Given, ..PostgresSettings::new(self.url()) }
    }

    async fn open(&self) -> PostgresStorage {
        PostgresStorage::open(self.settings()).await.unwrap()
    }
}

async fn open_for_contract() -> (Arc<dyn Storage>, TestDatabase) {
    let database = TestDatabase::create().await;
    (Arc::new(database.open().await), database)
}

async fn open_nodes_for_contract() -> ([Arc<dyn Storage>; 3], TestDatabase) {
    let database = TestDatabase::create().await;
    let nodes = open_nodes(&database.settings()).await;
    (nodes, database)
}

async fn open_nodes_without_statements() -> ([Arc<dyn Storage>; 3], TestDatabase) {
    let database = TestDatabase::create().await;
    let settings = PostgresSettings { prepared_statements: PreparedStatements::None, ..database.settings() };
    let nodes = open_nodes(&settings).await;
    (nodes, database)
}

/// At once, so that they race to make the tables.
async fn open_nodes(settings: &PostgresSettings) -> [Arc<dyn Storage>; 3] {
    let open = async || Arc::new(PostgresStorage::open(settings.clone()).await.unwrap()) as Arc<dyn Storage>;
    let (first, second, third) = tokio::join!(open(), open(), open());
    [first, second, third]
}

fn is_schema(error: &StorageError, found: i64) -> bool {
    matches!(error, StorageError::Schema { found: number, .. } if *number == found)
}

#[tokio::test]
async fn tables_are_left_alone_when_migrating_is_manual() {
    let database = TestDatabase::create().await;
    let manual = PostgresSettings { migrate: Migrate::Manual, ..database.settings() };
    let refused = PostgresStorage::open(manual.clone()).await.unwrap_err();
    assert!(is_schema(&refused, 0), "{refused:?}");
    PostgresStorage::migrate(&manual).await.unwrap();
    PostgresStorage::migrate(&manual).await.unwrap();
    PostgresStorage::open(manual).await.unwrap().close().await;
}

#[tokio::test]
async fn tables_of_a_newer_version_are_refused() {
    let database = TestDatabase::create().await;
    database.open().await.close().await;
    database.run("insert into schema_migrations values (99, 'later', 0)").await;
    for migrate in [Migrate::Auto, Migrate::Manual] {
        let settings = PostgresSettings { migrate, ..database.settings() };
        let refused = PostgresStorage::open(settings).await.unwrap_err();
        assert!(is_schema(&refused, 99), "{refused:?}");
    }
}

#[tokio::test]
async fn tables_that_miss_a_step_are_refused() {
    let database = TestDatabase::create().await;
    database.open().await.close().await;
    database.run("delete from schema_migrations where number = 1").await;
    let manual = PostgresSettings { migrate: Migrate::Manual, ..database.settings() };
    let refused = PostgresStorage::open(manual).await.unwrap_err();
    assert!(is_schema(&refused, 0), "{refused:?}");
}

#[tokio::test]
async fn repeats_and_refusals_write_nothing() {
    let database = TestDatabase::create().await;
    let storage = database.open().await;
    let first = alice();
    let sid = sending(&storage, &first, NOW).await;
    let rows = "select xmin::text || xmax::text from validation_sessions union all
        select xmin::text || xmax::text from session_keys order by 1";
    let before = database.run(rows).await;
    for _ in 0..3 {
        let answer = storage.request_validation(again(&first, 1), NOW).await.unwrap();
        assert_eq!(answer, countersign_core::Requested::Repeated(sid));
    }
    assert_eq!(database.run(rows).await, before, "a repeat takes no lock");
    let spent = charge(countersign_core::BudgetKind::Requests, "a", 1);
    let limited = |number| countersign_core::ValidationRequest {
        charges: vec![spent],
        ..request(countersign_core::SessionPurpose::Identity, &email(&format!("user{number}@example.org")))
    };
    sending(&storage, &limited(0), NOW).await;
    for number in 1..4 {
        storage.request_validation(limited(number), NOW).await.unwrap();
    }
    let counts =
        "select (select count(*) from session_keys) || ' ' || (select count(*) from validation_sessions)";
    assert_eq!(database.run(counts).await, ["2 2"]);
    storage.close().await;
}

#[tokio::test]
async fn leases_run_out_by_the_databases_clock() {
    let database = TestDatabase::create().await;
    let settings = PostgresSettings { lease_clock: LeaseClock::Database, ..database.settings() };
    let storage = PostgresStorage::open(settings).await.unwrap();
    sending(&storage, &alice(), NOW).await;
    let (leased, lease_id) = lease_one(&storage, Medium::Email, NOW).await;
    // A node whose clock is a day ahead must not take it.
    let ahead = NOW.after(DAY).before(MINUTE);
    let taken = storage.lease(lease_request(Medium::Email, 10, ahead), ahead).await.unwrap();
    assert!(taken.is_empty());
    // It hears when its own clock will show that the lease ran out.
    let due = storage.next_due_at(Carrier::Email).await.unwrap().unwrap();
    let wait = due.since(ahead);
    assert!(50 * SECOND < wait && wait <= MINUTE + SECOND, "{wait:?}");
    assert!(storage.mark_delivered(leased.message.id, lease_id, NOW).await.unwrap());
    storage.close().await;
}

#[tokio::test]
async fn a_dead_nodes_lease_is_taken_over_by_the_databases_clock() {
    let database = TestDatabase::create().await;
    let settings = PostgresSettings { lease_clock: LeaseClock::Database, ..database.settings() };
    let dead = PostgresStorage::open(settings.clone()).await.unwrap();
    sending(&dead, &alice(), NOW).await;
    let brief = LeaseRequest {
        leased_until: NOW.after(Duration::from_millis(200)),
        ..lease_request(Medium::Email, 1, NOW)
    };
    let lease_id = brief.lease_id;
    assert_eq!(dead.lease(brief, NOW).await.unwrap().len(), 1);
    // One whose clock is far behind need not wait until it shows the same time.
    let other = PostgresStorage::open(settings).await.unwrap();
    let behind = NOW.before(DAY);
    let taken = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            let taken = other.lease(lease_request(Medium::Email, 1, behind), behind).await.unwrap();
            if let Some(leased) = taken.into_iter().next() {
                return leased.message;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let message = taken.await.unwrap();
    assert_eq!(message.tries, 2);
    assert!(!dead.mark_delivered(message.id, lease_id, NOW).await.unwrap());
    other.close().await;
    dead.close().await;
}

#[tokio::test]
async fn other_nodes_hear_of_a_message() {
    let database = TestDatabase::create().await;
    let (heard, mut hears) = mpsc::unbounded_channel();
    let on_message = Arc::new(move |carrier| heard.send(carrier).unwrap());
    let listening = PostgresSettings { on_message: Some(on_message), ..database.settings() };
    let listener = PostgresStorage::open(listening).await.unwrap();
    // Once it listens, it looks after what it may have missed.
    let mut next =
        async || tokio::time::timeout(Duration::from_secs(20), hears.recv()).await.unwrap().unwrap();
    assert_eq!([next().await, next().await, next().await], Carrier::ALL);
    let sender = database.open().await;
    sending(&sender, &request(countersign_core::SessionPurpose::Identity, &msisdn("447700900123")), NOW)
        .await;
    assert_eq!(next().await, Carrier::Msisdn);
    sender.close().await;
    listener.close().await;
}

#[tokio::test]
async fn broken_connections_are_told_and_made_anew() {
    let database = TestDatabase::create().await;
    let storage = database.open().await;
    sending(&storage, &alice(), NOW).await;
    let end_all = "select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()";
    for number in 0..5 {
        database.run(end_all).await;
        let request =
            request(countersign_core::SessionPurpose::Identity, &email(&format!("user{number}@example.org")));
        let answer = once_available(async || storage.request_validation(again(&request, 1), NOW).await).await;
        assert!(matches!(answer, countersign_core::Requested::Sending(_)));
    }
    // Another of the connections may only now be found broken.
    let counts = once_available(async || storage.count_outbox().await).await;
    assert_eq!(counts.waiting, 6);
    storage.close().await;
}

/// What an operation answers as soon as the database can be reached.
async fn once_available<T>(operation: impl AsyncFn() -> Result<T, StorageError>) -> T {
    loop {
        match operation().await {
            Ok(answer) => return answer,
            Err(StorageError::Unavailable(_)) => tokio::task::yield_now().await,
            Err(error) => panic!("{error:?}"),
        }
    }
}

#[tokio::test]
async fn unreachable_database_is_told_as_such() {
    let nowhere = PostgresSettings::new("postgres:///countersign?host=/nowhere&user=postgres");
    let error = PostgresStorage::open(nowhere).await.unwrap_err();
    assert_eq!(error.to_string(), "the database can't be reached");
    let database = TestDatabase::create().await;
    let unknown = PostgresSettings::new(database.url().replacen("/test_", "/no_test_", 1));
    let error = PostgresStorage::open(unknown).await.unwrap_err();
    assert_eq!(error.to_string(), "the database refuses this node");
}

#[tokio::test]
async fn server_that_never_answers_does_not_keep_us_from_the_next() {
    let database = TestDatabase::create().await;
    // It takes connections, as the system does for a program that stands still.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = mute.local_addr().unwrap().port();
    let url = database.url().replacen("?host=", &format!("?port={port},5432&host=127.0.0.1,"), 1);
    let timeout = Duration::from_millis(200);
    let settings = PostgresSettings { url, statement_timeout: timeout, ..database.settings() };
    let storage = PostgresStorage::open(settings).await.unwrap();
    sending(&storage, &alice(), NOW).await;
    storage.close().await;
}

#[tokio::test]
async fn database_that_only_reads_is_told_as_such() {
    let database = TestDatabase::create().await;
    let storage = database.open().await;
    sending(&storage, &alice(), NOW).await;
    let name = database.run("select current_database()").await.remove(0);
    database.run(&format!("alter database {name} set default_transaction_read_only = on")).await;
    let new = PostgresStorage::open(database.settings()).await.unwrap_err();
    assert_eq!(new.to_string(), "the database can only be read");
    storage.close().await;
}

#[tokio::test]
async fn statement_that_takes_too_long_is_ended() {
    let database = TestDatabase::create().await;
    let patience = Duration::from_millis(300);
    let storage =
        PostgresStorage::open(PostgresSettings { statement_timeout: patience, ..database.settings() })
            .await
            .unwrap();
    let first = alice();
    let sid = sending(&storage, &first, NOW).await;
    let holder = database.open().await;
    let mut tx = super::Transaction::on(holder.connect().await.unwrap());
    tx.run([super::sessions::find_and_lock(&sid)]).await.unwrap();
    let error = storage.request_validation(again(&first, 2), NOW).await.unwrap_err();
    assert!(matches!(error, StorageError::Unavailable(_)), "{error:?}");
    tx.roll_back().await.unwrap();
    assert_eq!(sending(&storage, &again(&first, 2), NOW).await, sid);
}

#[tokio::test]
async fn operations_after_closing_are_refused() {
    let database = TestDatabase::create().await;
    let storage = database.open().await;
    storage.close().await;
    storage.close().await;
    let asked = storage.request_validation(alice(), NOW).await;
    assert!(matches!(asked, Err(StorageError::Closed)), "{asked:?}");
    let counted = storage.count_outbox().await;
    assert!(matches!(counted, Err(StorageError::Closed)), "{counted:?}");
}
