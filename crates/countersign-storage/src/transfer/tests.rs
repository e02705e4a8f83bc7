//! Moving a database: everything arrives, whatever happens in between, and nothing else is touched.

mod completeness;
mod data;
mod identity;

use std::{cell::RefCell, collections::BTreeMap, fs, future::poll_fn, path::Path, pin::pin, task::Poll};

use countersign_core::{Carrier, Medium, Requested, SendAttempt};
use rusqlite::Connection;
use tempfile::TempDir;

use self::data::{Installation, contents_of_postgres, contents_of_sqlite, random_rows};
use super::{tables::TABLES, *};
use crate::{
    OutboxStore as _, SessionStore as _,
    contract::data::{NOW, again, alice, lease_one, sending, waiting},
    postgres::{LeaseClock, Migrate, PostgresStorage},
    sqlite::{SqliteSettings, SqliteStorage},
    test_database::TestDatabase,
};

const SEVEN: NonZeroUsize = NonZeroUsize::new(7).unwrap();

fn settings(target: &TestDatabase) -> PostgresSettings {
    PostgresSettings { lease_clock: LeaseClock::Given, ..PostgresSettings::new(target.url()) }
}

/// An empty database in a file.
fn sqlite() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("countersign.db");
    SqliteStorage::open(SqliteSettings::new(&path)).unwrap().close();
    (folder, path)
}

async fn moved(source: &Path, target: &TestDatabase) -> Result<Transferred, TransferError> {
    transfer_by(SEVEN, source, &settings(target), |_| {}).await
}

async fn assert_same_contents(source: &Path, target: &TestDatabase) {
    for table in TABLES {
        let (sent, arrived) = (contents_of_sqlite(source, table), contents_of_postgres(target, table).await);
        assert_eq!(arrived, sent, "{}", table.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_operations_knew_before_they_know_after() {
    let (_folder, path) = sqlite();
    let source = SqliteStorage::open(SqliteSettings::new(&path)).unwrap();
    let installation = Installation::make(&source).await;
    let before = installation.look(&source).await;
    source.close();
    let database = TestDatabase::create().await;
    let Transferred::Moved(rows) = moved(&path, &database).await.unwrap() else { panic!("moved before") };
    let rows: BTreeMap<_, _> = rows.into_iter().collect();
    assert!(rows.values().all(|rows| *rows != 0), "the installation has something in each table: {rows:?}");
    let target = PostgresStorage::open(settings(&database)).await.unwrap();
    let after = installation.look(&target).await;
    assert_eq!(after, before);
    installation.go_on(&target).await;
    target.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn message_that_a_worker_held_waits_again_and_sessions_are_found_by_their_key() {
    let (_folder, path) = sqlite();
    let source = SqliteStorage::open(SqliteSettings::new(&path)).unwrap();
    let request = alice();
    let sid = sending(&source, &request, NOW).await;
    let (held, _) = lease_one(&source, Medium::Email, NOW).await;
    source.close();
    let database = TestDatabase::create().await;
    moved(&path, &database).await.unwrap();
    let target = PostgresStorage::open(settings(&database)).await.unwrap();
    assert_eq!(target.next_due_at(Carrier::Email).await.unwrap(), Some(NOW));
    let (leased, lease_id) = lease_one(&target, Medium::Email, NOW).await;
    assert_eq!((leased.message.id, leased.message.tries), (held.message.id, 2));
    assert!(target.mark_delivered(leased.message.id, lease_id, NOW).await.unwrap());
    let repeated = target.request_validation(again(&request, 1), NOW).await.unwrap();
    assert_eq!(repeated, Requested::Repeated(sid));
    assert_eq!(sending(&target, &again(&request, 2), NOW).await, sid);
    let session = target.find_session(sid).await.unwrap().unwrap();
    assert_eq!(session.send_attempt, Some(SendAttempt(2)));
    target.close().await;
}

#[tokio::test]
async fn any_values_arrive_as_they_are() {
    for seed in 0..4 {
        let (_folder, path) = sqlite();
        random_rows(&path, 40, seed);
        let database = TestDatabase::create().await;
        moved(&path, &database).await.unwrap();
        assert_same_contents(&path, &database).await;
    }
}

#[tokio::test]
async fn empty_database_is_moved_too_and_a_node_starts_on_it() {
    let (_folder, path) = sqlite();
    let database = TestDatabase::create().await;
    moved(&path, &database).await.unwrap();
    let target = PostgresStorage::open(settings(&database)).await.unwrap();
    assert_eq!(waiting(&target).await, 0);
    target.close().await;
}

/// Polls a transfer so often, then drops it, as a kill would. Answers how it began, and how it ended if it did.
async fn killed_after(
    polls: usize,
    source: &Path,
    target: &TestDatabase,
) -> (Option<Beginning>, Option<Result<Transferred, TransferError>>) {
    let began = RefCell::new(None);
    let settings = settings(target);
    let ended = {
        let mut transfer = pin!(transfer_by(SEVEN, source, &settings, |event| {
            if let Event::Began(beginning) = event {
                *began.borrow_mut() = Some(beginning);
            }
        }));
        let mut left = polls;
        poll_fn(|context| {
            if left == 0 {
                return Poll::Ready(None);
            }
            left -= 1;
            transfer.as_mut().poll(context).map(Some)
        })
        .await
    };
    (began.into_inner(), ended)
}

#[tokio::test]
async fn killed_anywhere_it_goes_on_and_comes_to_the_same_end() {
    let (_folder, path) = sqlite();
    random_rows(&path, 30, 7);
    let database = TestDatabase::create().await;
    let (mut resumed, mut polls) = (0, 1);
    loop {
        let (began, ended) = killed_after(polls, &path, &database).await;
        resumed += usize::from(began == Some(Beginning::Resumed));
        assert_ne!(began, Some(Beginning::Anew), "the source is the same");
        match ended {
            Some(ended) => break assert!(matches!(ended, Ok(Transferred::Moved(_))), "{ended:?}"),
            None => polls += 1 + polls / 8,
        }
        let node = PostgresStorage::open(settings(&database)).await;
        if began.is_some() {
            let refused = node.unwrap_err();
            assert!(matches!(refused, StorageError::Unfilled), "{refused:?}");
        }
    }
    assert!(3 < resumed, "{resumed} times it went on in the middle");
    assert_same_contents(&path, &database).await;
    assert_eq!(moved(&path, &database).await.unwrap(), Transferred::Before);
    PostgresStorage::open(settings(&database)).await.unwrap().close().await;
}

/// Lets a transfer copy some batches and no more.
async fn begun(source: &Path, target: &TestDatabase) {
    let mut polls = 20;
    loop {
        let (began, ended) = killed_after(polls, source, target).await;
        assert!(ended.is_none(), "a few polls more and it is over");
        let copied = "select 1 from storage_transfer where copied_rows <> 0";
        if began.is_some() && !target.run(copied).await.is_empty() {
            return;
        }
        polls += 2;
    }
}

#[tokio::test]
async fn source_that_changed_in_between_is_copied_anew() {
    let (_folder, path) = sqlite();
    random_rows(&path, 30, 8);
    let database = TestDatabase::create().await;
    begun(&path, &database).await;
    Connection::open(&path)
        .unwrap()
        .execute_batch("update accounts set created_at = 5; delete from devices")
        .unwrap();
    let mut began = None;
    let watch = |event| {
        if let Event::Began(beginning) = event {
            began = Some(beginning);
        }
    };
    transfer_by(SEVEN, &path, &settings(&database), watch).await.unwrap();
    assert_eq!(began, Some(Beginning::Anew));
    assert_same_contents(&path, &database).await;
}

#[tokio::test]
async fn what_arrived_otherwise_is_found_and_no_node_starts() {
    for (corruption, table, left) in [
        ("update outbox set tries = tries # 1 where ctid = (select min(ctid) from outbox)", "outbox", 10),
        ("delete from budgets where ctid = (select min(ctid) from budgets)", "budgets", 9),
        ("insert into suppressions values ('x', 0)", "suppressions", 11),
    ] {
        let (_folder, path) = sqlite();
        random_rows(&path, 10, 9);
        let database = TestDatabase::create().await;
        moved(&path, &database).await.unwrap();
        // As if this had happened just before the check.
        database.run(&format!("update storage_transfer set finished_at = null; {corruption}")).await;
        match moved(&path, &database).await {
            Err(TransferError::Mismatch { table: named, sent_rows: 10, arrived_rows, .. }) => {
                assert_eq!((named, arrived_rows), (table, left));
            }
            ended => panic!("{corruption}: {ended:?}"),
        }
        let refused = PostgresStorage::open(settings(&database)).await.unwrap_err();
        assert!(matches!(refused, StorageError::Unfilled), "{refused:?}");
    }
}

#[tokio::test]
async fn target_with_data_of_its_own_is_refused_and_left_alone() {
    let (_folder, path) = sqlite();
    random_rows(&path, 3, 10);
    let database = TestDatabase::create().await;
    let node = PostgresStorage::open(settings(&database)).await.unwrap();
    sending(&node, &alice(), NOW).await;
    node.close().await;
    let refused = moved(&path, &database).await.unwrap_err();
    assert!(matches!(refused, TransferError::NotEmpty("session_keys")), "{refused:?}");
    assert_eq!(database.run("select count(*) from validation_sessions").await, ["1"]);
    PostgresStorage::open(settings(&database)).await.unwrap().close().await;
}

#[tokio::test]
async fn target_that_was_filled_from_other_data_is_refused() {
    let (_folder, path) = sqlite();
    random_rows(&path, 3, 11);
    let database = TestDatabase::create().await;
    moved(&path, &database).await.unwrap();
    Connection::open(&path).unwrap().execute_batch("delete from devices").unwrap();
    let refused = moved(&path, &database).await.unwrap_err();
    assert!(matches!(refused, TransferError::FilledBefore), "{refused:?}");
    assert_eq!(database.run("select count(*) from devices").await, ["3"]);
}

#[tokio::test]
async fn only_one_transfer_fills_a_target() {
    let (_folder, path) = sqlite();
    random_rows(&path, 30, 12);
    let database = TestDatabase::create().await;
    let target = Target::open(&settings(&database)).await.unwrap();
    begun(&path, &database).await;
    database.run("update storage_transfer set copied_rows = 21").await;
    let table = TABLES.iter().find(|table| table.name == "accounts").unwrap();
    let late = target.copy(table, 14, &[]).await.unwrap_err();
    assert!(matches!(late, TransferError::TargetInUse), "{late:?}");
}

#[tokio::test]
async fn tables_that_are_not_up_to_date_are_refused_on_either_side() {
    let (_folder, path) = sqlite();
    let database = TestDatabase::create().await;
    let manual = PostgresSettings { migrate: Migrate::Manual, ..settings(&database) };
    let refused = transfer(&path, &manual, |_| {}).await.unwrap_err();
    assert!(
        matches!(refused, TransferError::TargetSchema(StorageError::Schema { found: 0, .. })),
        "{refused:?}"
    );
    PostgresStorage::migrate(&manual).await.unwrap();
    transfer(&path, &manual, |_| {}).await.unwrap();

    for (number, found) in [("0", 0), ("99", 99)] {
        let change = format!("update schema_migrations set number = {number} where number = 1");
        let (_folder, path) = sqlite();
        Connection::open(&path).unwrap().execute_batch(&change).unwrap();
        let refused = moved(&path, &TestDatabase::create().await).await.unwrap_err();
        match refused {
            TransferError::SourceSchema(StorageError::Schema { found: told, .. }) => assert_eq!(told, found),
            refused => panic!("{refused:?}"),
        }
    }
}

#[tokio::test]
async fn what_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("countersign.db");
    let database = TestDatabase::create().await;
    let refused = moved(&path, &database).await.unwrap_err();
    assert!(matches!(&refused, TransferError::NoSource(named) if *named == path), "{refused:?}");
    assert!(!path.exists(), "none is made");
    fs::write(&path, "This is a text, and a long one at that. ".repeat(100)).unwrap();
    let refused = moved(&path, &database).await.unwrap_err();
    assert!(matches!(refused, TransferError::Source(_)), "{refused:?}");
    fs::write(&path, "").unwrap();
    let refused = moved(&path, &database).await.unwrap_err();
    assert!(matches!(refused, TransferError::SourceSchema(_)), "{refused:?}");
}

#[tokio::test]
async fn value_that_makes_no_sense_stops_before_anything_is_copied() {
    let (_folder, path) = sqlite();
    random_rows(&path, 3, 13);
    Connection::open(&path)
        .unwrap()
        .execute_batch("update devices set display_name = cast(x'00' as text)")
        .unwrap();
    let database = TestDatabase::create().await;
    match moved(&path, &database).await.unwrap_err() {
        TransferError::Source(StorageError::Corrupt { table: "devices", column: "display_name" }) => {}
        refused => panic!("{refused:?}"),
    }
    assert_eq!(database.run("select count(*) from accounts").await, ["0"]);
}

/// All files beside a database, by name.
fn files(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn source_of_a_node_that_was_killed_is_moved_and_not_a_byte_of_it_changes() {
    let (_folder, path) = sqlite();
    let killed = tempfile::tempdir().unwrap();
    let copy = killed.path().join("countersign.db");
    let node = SqliteStorage::open(SqliteSettings::new(&path)).unwrap();
    sending(&node, &alice(), NOW).await;
    // As the files are while the process lives: nothing was closed or copied into the database.
    for ending in ["", "-wal"] {
        fs::copy(format!("{}{ending}", path.display()), format!("{}{ending}", copy.display())).unwrap();
    }
    node.close();
    let before = files(&copy);
    assert_eq!(before.keys().collect::<Vec<_>>(), ["countersign.db", "countersign.db-wal"]);
    let database = TestDatabase::create().await;
    moved(&copy, &database).await.unwrap();
    assert_eq!(files(&copy), before);
    assert_eq!(database.run("select count(*) from outbox").await, ["1"], "what only the log holds came too");
}

#[tokio::test]
async fn source_of_a_node_that_was_stopped_and_a_backup_are_left_as_they_are() {
    let (folder, path) = sqlite();
    random_rows(&path, 5, 14);
    let backup = folder.path().join("backup.db");
    Connection::open(&path).unwrap().execute("vacuum into ?1", [backup.to_str().unwrap()]).unwrap();
    for source in [&path, &backup] {
        let before = files(source);
        let database = TestDatabase::create().await;
        moved(source, &database).await.unwrap();
        assert_eq!(files(source), before);
        assert_same_contents(source, &database).await;
    }
}

#[tokio::test]
async fn source_in_use_is_refused_and_one_that_is_being_moved_can_not_be_used() {
    let (folder, path) = sqlite();
    let database = TestDatabase::create().await;
    let node = SqliteStorage::open(SqliteSettings::new(&path)).unwrap();
    // It does nothing, and is there.
    let refused = moved(&path, &database).await.unwrap_err();
    assert!(matches!(refused, TransferError::SourceInUse), "{refused:?}");
    node.close();

    let backup = folder.path().join("backup.db");
    Connection::open(&path).unwrap().execute("vacuum into ?1", [backup.to_str().unwrap()]).unwrap();
    for path in [&path, &backup] {
        let source = Source::open(path).unwrap();
        let other = Connection::open(path).unwrap();
        other.busy_timeout(std::time::Duration::ZERO).unwrap();
        other.execute_batch("pragma journal_mode = wal; delete from accounts").unwrap_err();
        drop(source);
        other.execute_batch("delete from accounts").unwrap();
    }
}
