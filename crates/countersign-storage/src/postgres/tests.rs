//! The contract suite on PostgreSQL, on one node and on several, and what only PostgreSQL promises.

mod cluster;

use std::{fs, path::Path, sync::Arc, time::Duration};

use countersign_core::Medium;
use tokio::sync::mpsc;

use self::cluster::Database;
use super::{LeaseClock, Migrate, PostgresSettings, PostgresStorage, PreparedStatements};
use crate::{
    OutboxStore as _, SessionStore as _, Storage, StorageError,
    contract::{contract_tests, contract_tests_of_nodes, data::*},
};

contract_tests!(suite, crate::postgres::tests::open_for_contract);
contract_tests_of_nodes!(suite_of_nodes, crate::postgres::tests::open_nodes_for_contract);
// As behind a pooler that hands out a connection for each transaction.
contract_tests_of_nodes!(
    suite_without_prepared_statements,
    crate::postgres::tests::open_nodes_without_statements
);

async fn open_for_contract() -> (Arc<dyn Storage>, Database) {
    let database = Database::create().await;
    (Arc::new(database.open().await), database)
}

async fn open_nodes_for_contract() -> ([Arc<dyn Storage>; 3], Database) {
    let database = Database::create().await;
    let nodes = open_nodes(&database.settings()).await;
    (nodes, database)
}

async fn open_nodes_without_statements() -> ([Arc<dyn Storage>; 3], Database) {
    let database = Database::create().await;
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
async fn every_statement_prepares() {
    let database = Database::create().await;
    database.open().await.close().await;
    let (client, connection) = tokio_postgres::connect(&database.url(), tokio_postgres::NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut prepared = 0;
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/postgres")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_owned();
            if path.is_dir() && name != "tests" {
                folders.push(path);
            } else if path.is_file() && name != "tests.rs" {
                for sql in statements(&fs::read_to_string(&path).unwrap()) {
                    let outcome = client.prepare(&sql).await;
                    assert!(outcome.is_ok(), "{}: {sql}: {:?}", path.display(), outcome.err());
                    prepared += 1;
                }
            }
        }
    }
    assert!(prepared > 90, "only {prepared} statements were found");
    drop(client);
    connection.await.unwrap().unwrap();
}

/// String literals that begin like a statement, and those that say which sessions are selected.
fn statements(source: &str) -> impl Iterator<Item = String> {
    source.split('"').skip(1).step_by(2).filter_map(|literal| {
        let is_statement = ["select ", "insert ", "update ", "delete ", "with "]
            .iter()
            .any(|verb| literal.starts_with(verb));
        match literal.strip_prefix("where ") {
            Some(which) => Some(format!("select * from validation_sessions where {which}")),
            None => is_statement.then(|| literal.to_owned()),
        }
    })
}

#[tokio::test]
async fn tables_are_left_alone_when_migrating_is_manual() {
    let database = Database::create().await;
    let manual = PostgresSettings { migrate: Migrate::Manual, ..database.settings() };
    let refused = PostgresStorage::open(manual.clone()).await.unwrap_err();
    assert!(is_schema(&refused, 0), "{refused:?}");
    PostgresStorage::migrate(&manual).await.unwrap();
    PostgresStorage::migrate(&manual).await.unwrap();
    PostgresStorage::open(manual).await.unwrap().close().await;
}

#[tokio::test]
async fn tables_of_a_newer_version_are_refused() {
    let database = Database::create().await;
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
    let database = Database::create().await;
    database.open().await.close().await;
    database.run("delete from schema_migrations where number = 1").await;
    let manual = PostgresSettings { migrate: Migrate::Manual, ..database.settings() };
    let refused = PostgresStorage::open(manual).await.unwrap_err();
    assert!(is_schema(&refused, 2), "{refused:?}");
}

#[tokio::test]
async fn repeats_and_refusals_write_nothing() {
    let database = Database::create().await;
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
    let database = Database::create().await;
    let settings = PostgresSettings { lease_clock: LeaseClock::Database, ..database.settings() };
    let storage = PostgresStorage::open(settings).await.unwrap();
    sending(&storage, &alice(), NOW).await;
    let (leased, lease_id) = lease_one(&storage, Medium::Email, NOW).await;
    // A node whose clock is a day ahead must not take it.
    let ahead = NOW.after(DAY).before(MINUTE);
    let taken = storage.lease(lease_request(Medium::Email, 10, ahead), ahead).await.unwrap();
    assert!(taken.is_empty());
    // It hears when its own clock will show that the lease ran out.
    let due = storage.next_due_at(Medium::Email).await.unwrap().unwrap();
    let wait = due.since(ahead);
    assert!(50 * SECOND < wait && wait <= MINUTE + SECOND, "{wait:?}");
    assert!(storage.mark_delivered(leased.message.id, lease_id, NOW).await.unwrap());
    storage.close().await;
}

#[tokio::test]
async fn other_nodes_hear_of_a_message() {
    let database = Database::create().await;
    let (heard, mut hears) = mpsc::unbounded_channel();
    let on_message = Arc::new(move |medium| heard.send(medium).unwrap());
    let listening = PostgresSettings { on_message: Some(on_message), ..database.settings() };
    let listener = PostgresStorage::open(listening).await.unwrap();
    // Once it listens, it looks after what it may have missed.
    let mut next =
        async || tokio::time::timeout(Duration::from_secs(20), hears.recv()).await.unwrap().unwrap();
    assert_eq!((next().await, next().await), (Medium::Email, Medium::Msisdn));
    let sender = database.open().await;
    sending(&sender, &request(countersign_core::SessionPurpose::Identity, &msisdn("447700900123")), NOW)
        .await;
    assert_eq!(next().await, Medium::Msisdn);
    sender.close().await;
    listener.close().await;
}

#[tokio::test]
async fn broken_connections_are_told_and_made_anew() {
    let database = Database::create().await;
    let storage = database.open().await;
    sending(&storage, &alice(), NOW).await;
    let end_all = "select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()";
    for number in 0..5 {
        database.run(end_all).await;
        let request =
            request(countersign_core::SessionPurpose::Identity, &email(&format!("user{number}@example.org")));
        let answer = loop {
            match storage.request_validation(again(&request, 1), NOW).await {
                Ok(answer) => break answer,
                Err(StorageError::Unavailable(_)) => tokio::task::yield_now().await,
                Err(error) => panic!("{error:?}"),
            }
        };
        assert!(matches!(answer, countersign_core::Requested::Sending(_)));
    }
    assert_eq!(waiting(&storage).await, 6);
    storage.close().await;
}

#[tokio::test]
async fn unreachable_database_is_told_as_such() {
    let nowhere = PostgresSettings::new("postgres:///countersign?host=/nowhere&user=postgres");
    let error = PostgresStorage::open(nowhere).await.unwrap_err();
    assert!(matches!(error, StorageError::Unavailable(_)), "{error:?}");
}

#[tokio::test]
async fn statement_that_takes_too_long_is_ended() {
    let database = Database::create().await;
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
    let database = Database::create().await;
    let storage = database.open().await;
    storage.close().await;
    storage.close().await;
    let asked = storage.request_validation(alice(), NOW).await;
    assert!(matches!(asked, Err(StorageError::Closed)), "{asked:?}");
    let counted = storage.count_outbox().await;
    assert!(matches!(counted, Err(StorageError::Closed)), "{counted:?}");
}
