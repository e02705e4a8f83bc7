//! The contract suite on SQLite, and what only SQLite promises.

mod statements;
mod upgrade;

use std::{fs, num::NonZeroUsize, path::Path, sync::Arc};

use rusqlite::Connection;
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::{
    SqliteSettings, SqliteStorage,
    failure::{Failure, Outcome},
    rows::change,
};
use crate::{
    Outage, OutageReason, SessionStore, Storage, StorageError,
    contract::{contract_tests, data::*},
};

contract_tests!(suite, crate::sqlite::tests::open_for_contract);

async fn open_for_contract() -> (Arc<dyn Storage>, TempDir) {
    let (storage, folder) = open();
    (Arc::new(storage), folder)
}

fn open() -> (SqliteStorage, TempDir) {
    let folder = TempDir::new().unwrap();
    let storage = SqliteStorage::open(settings(folder.path())).unwrap();
    (storage, folder)
}

fn settings(folder: &Path) -> SqliteSettings {
    SqliteSettings::new(folder.join("countersign.db"))
}

fn add_budget(tx: &Connection, subject: &str) -> Outcome<()> {
    let insert = "insert into budgets (subject, kind, full_at) values (?1, 'requests', 0)";
    change(tx, insert, [subject.as_bytes()])?;
    Ok(())
}

async fn budgets(storage: &SqliteStorage) -> Vec<String> {
    let list = |tx: &Connection| {
        let mut statement = tx.prepare("select cast(subject as text) from budgets order by subject")?;
        let subjects = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(subjects)
    };
    storage.read(list).await.unwrap()
}

/// Keeps the writer busy until the sender is dropped, so that what comes meanwhile shares a commit.
async fn hold_writer(storage: &Arc<SqliteStorage>) -> std::sync::mpsc::Sender<()> {
    let (release, released) = std::sync::mpsc::channel();
    let (began, has_begun) = oneshot::channel();
    let mut began = Some(began);
    let storage = Arc::clone(storage);
    tokio::spawn(async move {
        storage
            .write(move |_| {
                began.take().unwrap().send(()).unwrap();
                let _ = released.recv();
                Ok(())
            })
            .await
    });
    has_begun.await.unwrap();
    release
}

/// Puts operations into the writer's queue, in this order, and answers what comes of each.
async fn run_in_one_commit<F>(
    storage: &Arc<SqliteStorage>,
    operations: Vec<F>,
) -> Vec<Result<(), StorageError>>
where
    F: FnMut(&Connection) -> Outcome<()> + Send + 'static,
{
    let release = hold_writer(storage).await;
    let mut waiting = Vec::new();
    for operation in operations {
        let mut future = Box::pin(storage.write(operation));
        // Polled once, an operation is in the queue.
        assert!(futures_now(&mut future).is_none());
        waiting.push(future);
    }
    drop(release);
    let mut outcomes = Vec::new();
    for future in waiting {
        outcomes.push(future.await);
    }
    outcomes
}

/// The value of a future that needs no waiting.
fn futures_now<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::Pin::new(future).poll(&mut context) {
        std::task::Poll::Ready(value) => Some(value),
        std::task::Poll::Pending => None,
    }
}

type BoxedOperation = Box<dyn FnMut(&Connection) -> Outcome<()> + Send>;

#[tokio::test(flavor = "multi_thread")]
async fn error_or_panic_in_one_operation_undoes_that_one_alone() {
    let (storage, _folder) = open();
    let storage = Arc::new(storage);
    let operations: Vec<BoxedOperation> = vec![
        Box::new(|tx| add_budget(tx, "a")),
        Box::new(|tx| {
            add_budget(tx, "failed")?;
            // The same once more is refused.
            add_budget(tx, "failed")
        }),
        Box::new(|tx| add_budget(tx, "b")),
        Box::new(|tx| {
            add_budget(tx, "panicked")?;
            panic!("as this case wants it");
        }),
        Box::new(|tx| add_budget(tx, "c")),
    ];
    let outcomes = run_in_one_commit(&storage, operations).await;
    assert!(matches!(
        outcomes[..],
        [Ok(()), Err(StorageError::Backend(_)), Ok(()), Err(StorageError::Panicked), Ok(())]
    ));
    assert_eq!(budgets(&storage).await, ["a", "b", "c"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn full_disk_fails_every_operation_of_the_transaction_and_no_later_one() {
    let (storage, _folder) = open();
    let storage = Arc::new(storage);
    let set_page_limit = |tx: &Connection, pages: i64| -> Outcome<()> {
        Ok(tx.query_row(&format!("pragma max_page_count = {pages}"), [], |_| Ok(()))?)
    };
    storage.write(move |tx| set_page_limit(tx, 1)).await.unwrap();
    let operations: Vec<BoxedOperation> = vec![
        Box::new(|tx| add_budget(tx, "a")),
        Box::new(|tx| {
            change(
                tx,
                "insert into suppressions (address_hash, created_at) values (zeroblob(1000000), 0)",
                [],
            )?;
            Ok(())
        }),
        Box::new(|tx| add_budget(tx, "b")),
    ];
    for outcome in run_in_one_commit(&storage, operations).await {
        assert!(
            matches!(outcome, Err(StorageError::Unavailable(Outage { reason: OutageReason::Full, .. }))),
            "{outcome:?}"
        );
    }
    assert!(budgets(&storage).await.is_empty());
    storage.write(move |tx| set_page_limit(tx, 1_000_000)).await.unwrap();
    storage.write(|tx| add_budget(tx, "c")).await.unwrap();
    assert_eq!(budgets(&storage).await, ["c"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rollback_by_sqlite_itself_fails_every_operation_of_the_transaction() {
    let (storage, _folder) = open();
    let storage = Arc::new(storage);
    let operations: Vec<BoxedOperation> = vec![
        Box::new(|tx| add_budget(tx, "a")),
        Box::new(|tx| {
            add_budget(tx, "b")?;
            change(tx, "insert or rollback into budgets select * from budgets", [])?;
            Ok(())
        }),
        Box::new(|tx| add_budget(tx, "c")),
    ];
    for outcome in run_in_one_commit(&storage, operations).await {
        assert!(matches!(outcome, Err(StorageError::Backend(_))), "{outcome:?}");
    }
    assert!(budgets(&storage).await.is_empty());
    storage.write(|tx| add_budget(tx, "d")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_of_the_database_as_a_whole_fails_every_operation_of_the_transaction() {
    let (storage, _folder) = open();
    let storage = Arc::new(storage);
    let operations: Vec<BoxedOperation> = vec![
        Box::new(|tx| add_budget(tx, "a")),
        Box::new(|_| Err(sqlite_failure(rusqlite::ffi::SQLITE_IOERR))),
        Box::new(|tx| add_budget(tx, "b")),
    ];
    for outcome in run_in_one_commit(&storage, operations).await {
        assert!(
            matches!(outcome, Err(StorageError::Unavailable(Outage { reason: OutageReason::Broken, .. }))),
            "{outcome:?}"
        );
    }
    assert!(budgets(&storage).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_that_wait_share_a_commit_and_a_repeat_causes_none() {
    let (storage, folder) = open();
    let storage = Arc::new(storage);
    let pages_of_log = || fs::metadata(folder.path().join("countersign.db-wal")).unwrap().len() / 4120;
    let before = pages_of_log();
    let operations =
        (0..100).map(|number| move |tx: &Connection| add_budget(tx, &number.to_string())).collect();
    for outcome in run_in_one_commit(&storage, operations).await {
        outcome.unwrap();
    }
    assert!(pages_of_log() - before < 10, "one commit writes each page once");

    let request = alice();
    sending(&*storage, &request, NOW).await;
    let before = pages_of_log();
    for _ in 0..10 {
        storage.request_validation(request.clone(), NOW).await.unwrap();
    }
    assert_eq!(pages_of_log(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn operation_goes_on_when_its_caller_stops_waiting() {
    let (storage, _folder) = open();
    let storage = Arc::new(storage);
    let release = hold_writer(&storage).await;
    let mut abandoned = Box::pin(storage.write(|tx| add_budget(tx, "a")));
    assert!(futures_now(&mut abandoned).is_none());
    drop(abandoned);
    drop(release);
    storage.write(|tx| add_budget(tx, "b")).await.unwrap();
    assert_eq!(budgets(&storage).await, ["a", "b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn full_queue_refuses_and_the_rest_goes_on() {
    let folder = TempDir::new().unwrap();
    let queue_capacity = NonZeroUsize::new(2).unwrap();
    let settings = SqliteSettings { queue_capacity, ..settings(folder.path()) };
    let storage = Arc::new(SqliteStorage::open(settings).unwrap());
    let release = hold_writer(&storage).await;
    let mut waiting: Vec<_> =
        ["a", "b"].map(|name| Box::pin(storage.write(|tx| add_budget(tx, name)))).into();
    for future in &mut waiting {
        assert!(futures_now(future).is_none());
    }
    let refused = storage.write(|tx| add_budget(tx, "c")).await;
    assert!(matches!(refused, Err(StorageError::Overloaded)));
    drop(release);
    for future in waiting {
        future.await.unwrap();
    }
    assert_eq!(budgets(&storage).await, ["a", "b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_finishes_what_waits_and_refuses_the_rest() {
    let (storage, folder) = open();
    let storage = Arc::new(storage);
    let release = hold_writer(&storage).await;
    let mut waiting = Box::pin(storage.write(|tx| add_budget(tx, "a")));
    assert!(futures_now(&mut waiting).is_none());
    drop(release);
    let closing = Arc::clone(&storage);
    tokio::task::spawn_blocking(move || closing.close()).await.unwrap();
    waiting.await.unwrap();
    assert!(matches!(storage.write(|_| Ok(())).await, Err(StorageError::Closed)));
    assert!(matches!(storage.read(|_| Ok(())).await, Err(StorageError::Closed)));
    storage.close();
    assert!(!folder.path().join("countersign.db-wal").exists(), "the log is in the database");
    let reopened = SqliteStorage::open(settings(folder.path())).unwrap();
    assert_eq!(budgets(&reopened).await, ["a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_acknowledged_survives_a_crash() {
    let (storage, folder) = open();
    let crashed = TempDir::new().unwrap();
    let mut sids = Vec::new();
    for number in 0..50 {
        let threepid = email(&format!("user{number}@example.org"));
        let request = request(countersign_core::SessionPurpose::Identity, &threepid);
        sids.push(sending(&storage, &request, NOW).await);
    }
    // As the files are while the process lives: nothing was closed or copied into the database.
    for name in ["countersign.db", "countersign.db-wal"] {
        fs::copy(folder.path().join(name), crashed.path().join(name)).unwrap();
    }
    let reopened = SqliteStorage::open(settings(crashed.path())).unwrap();
    for sid in sids {
        assert_eq!(session(&reopened, sid).await, session(&storage, sid).await);
    }
    assert_eq!(waiting(&reopened).await, 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn panic_of_a_reader_fails_that_read_alone() {
    let (storage, _folder) = open();
    for _ in 0..5 {
        let panicked = storage.read(|_| -> Outcome<()> { panic!("as this case wants it") }).await;
        assert!(matches!(panicked, Err(StorageError::Panicked)));
    }
    assert!(budgets(&storage).await.is_empty());
    let refused = storage.read(|tx| add_budget(tx, "a")).await;
    let outage = refused.unwrap_err();
    assert!(
        matches!(outage, StorageError::Unavailable(Outage { reason: OutageReason::ReadOnly, .. })),
        "a reader can't write"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn database_of_a_newer_version_is_refused() {
    let (storage, folder) = open();
    storage
        .write(|tx| {
            change(
                tx,
                "insert into schema_migrations (number, name, applied_at) values (99, 'later', 0)",
                [],
            )?;
            Ok(())
        })
        .await
        .unwrap();
    drop(storage);
    let refused = SqliteStorage::open(settings(folder.path()));
    assert!(matches!(refused, Err(StorageError::Schema { found: 99, .. })));
}

#[test]
fn file_that_is_no_database_is_refused() {
    let folder = TempDir::new().unwrap();
    fs::write(settings(folder.path()).path, "This is a text, and a long one at that. ".repeat(100)).unwrap();
    assert!(matches!(SqliteStorage::open(settings(folder.path())), Err(StorageError::Backend(_))));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn new_files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;

    let folder = TempDir::new().unwrap();
    let inner = folder.path().join("a/b");
    let storage = SqliteStorage::open(settings(&inner)).unwrap();
    storage.write(|tx| add_budget(tx, "a")).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&inner), 0o700);
    for name in ["countersign.db", "countersign.db-wal", "countersign.db-shm"] {
        assert_eq!(mode(&inner.join(name)), 0o600, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn row_that_does_not_parse_is_named() {
    let (storage, _folder) = open();
    for (set, column) in [
        ("purpose = 'nonsense'", "purpose"),
        ("nonce = x'00'", "nonce"),
        ("misses = -1", "misses"),
        ("ended_at = 1", "ended_reason"),
        ("consumed_at = 1", "consumed_by"),
        ("latest = 7", "latest"),
        ("requested_by = 'alice'", "requested_by"),
    ] {
        let request =
            request(countersign_core::SessionPurpose::Identity, &email(&format!("{column}@example.org")));
        let sid = sending(&storage, &request, NOW).await;
        let update = format!("update validation_sessions set {set} where sid = ?1");
        storage
            .write(move |tx| {
                tx.execute(&update, [sid.as_bytes()])?;
                Ok(())
            })
            .await
            .unwrap();
        match storage.find_session(sid).await {
            Err(StorageError::Corrupt { table: "validation_sessions", column: named }) => {
                assert_eq!(named, column)
            }
            other => panic!("{column}: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn message_that_does_not_parse_does_not_stop_those_behind_it() {
    use countersign_core::{GiveUpReason, Medium, MessageOutcome, SessionPurpose};

    use crate::OutboxStore;

    let (storage, _folder) = open();
    let broken = alice();
    sending(&storage, &broken, NOW).await;
    let id = broken.message_id;
    let change = move |tx: &Connection| {
        change(tx, "update outbox set language = '' where id = ?1", [id.as_bytes()])?;
        Ok(())
    };
    storage.write(change).await.unwrap();
    let sound = request(SessionPurpose::Identity, &email("bob@example.org"));
    sending(&storage, &sound, NOW.after(SECOND)).await;
    let (leased, _) = lease_one(&storage, Medium::Email, NOW.after(SECOND)).await;
    assert_eq!(leased.message.id, sound.message_id);
    let finished = storage.find_finished_message(id).await.unwrap().unwrap();
    assert_eq!(finished.outcome, MessageOutcome::GivenUp(GiveUpReason::Unreadable));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_may_share_a_file() {
    let (one, folder) = open();
    let other = SqliteStorage::open(settings(folder.path())).unwrap();
    let (one, other) = (Arc::new(one), Arc::new(other));
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..100 {
        let storage = Arc::clone(if number % 2 == 0 { &one } else { &other });
        tasks.spawn(
            async move { storage.write(move |tx| add_budget(tx, &number.to_string())).await.unwrap() },
        );
    }
    tasks.join_all().await;
    assert_eq!(budgets(&one).await.len(), 100);
}

#[test]
fn failures_of_the_database_as_a_whole_are_told_from_those_of_one_operation() {
    for code in [rusqlite::ffi::SQLITE_FULL, rusqlite::ffi::SQLITE_IOERR, rusqlite::ffi::SQLITE_CORRUPT] {
        assert!(sqlite_failure(code).is_fatal(), "{code}");
    }
    assert!(!sqlite_failure(rusqlite::ffi::SQLITE_CONSTRAINT).is_fatal());
    assert!(!Failure::RowCount { table: "outbox", changed: 0 }.is_fatal());
}

#[test]
fn outages_are_told_by_their_reason() {
    use rusqlite::ffi;
    for (code, reason) in [
        (ffi::SQLITE_FULL, Some(OutageReason::Full)),
        (ffi::SQLITE_READONLY, Some(OutageReason::ReadOnly)),
        (ffi::SQLITE_READONLY_DBMOVED, Some(OutageReason::ReadOnly)),
        (ffi::SQLITE_BUSY, Some(OutageReason::Busy)),
        (ffi::SQLITE_BUSY_SNAPSHOT, Some(OutageReason::Busy)),
        (ffi::SQLITE_LOCKED, Some(OutageReason::Busy)),
        (ffi::SQLITE_PROTOCOL, Some(OutageReason::Busy)),
        (ffi::SQLITE_IOERR, Some(OutageReason::Broken)),
        (ffi::SQLITE_IOERR_FSYNC, Some(OutageReason::Broken)),
        (ffi::SQLITE_CANTOPEN, Some(OutageReason::Broken)),
        (ffi::SQLITE_NOMEM, Some(OutageReason::Broken)),
        (ffi::SQLITE_CORRUPT, None),
        (ffi::SQLITE_CONSTRAINT, None),
    ] {
        assert_eq!(sqlite_failure(code).outage(), reason, "{code}");
    }
}

fn sqlite_failure(code: i32) -> Failure {
    Failure::Sqlite(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None))
}
