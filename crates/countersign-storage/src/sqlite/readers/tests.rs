//! Where operations are read.

use std::{
    num::NonZeroUsize,
    sync::{
        Mutex,
        mpsc::{self, Sender},
    },
    thread::{self, ThreadId},
};

use rusqlite::ffi;
use tempfile::TempDir;

use super::{pace::Try, *};

/// Readers of an empty database.
fn start(connections: usize) -> (Arc<Readers>, TempDir) {
    let folder = TempDir::new().unwrap();
    let mut settings = SqliteSettings::new(folder.path().join("test.db"));
    settings.readers = NonZeroUsize::new(connections).unwrap();
    connection::create_file(&settings.path).unwrap();
    let readers = Readers::start(&settings, Arc::default()).unwrap();
    (Arc::new(readers), folder)
}

/// Where an operation of that extent is carried out.
async fn place(readers: &Readers, extent: Extent) -> ThreadId {
    readers.run(extent, |_| Ok(thread::current().id())).await.unwrap()
}

/// Holds that many connections, until the senders are dropped.
async fn hold(readers: &Arc<Readers>, count: usize) -> Vec<Sender<()>> {
    let mut holds = Vec::new();
    for _ in 0..count {
        let (hold, held) = mpsc::channel::<()>();
        let (began, has_begun) = oneshot::channel();
        let (held, began) = (Mutex::new(held), Mutex::new(Some(began)));
        let readers = Arc::clone(readers);
        tokio::spawn(async move {
            let wait = move |_: &Connection| {
                began.lock().unwrap().take().unwrap().send(()).unwrap();
                let _ = held.lock().unwrap().recv();
                Ok(())
            };
            readers.run(Extent::Many, wait).await.unwrap();
        });
        has_begun.await.unwrap();
        holds.push(hold);
    }
    holds
}

#[tokio::test]
async fn few_rows_are_read_where_they_are_asked_for_and_many_elsewhere() {
    let (readers, _folder) = start(1);
    let here = thread::current().id();
    assert_eq!(place(&readers, Extent::Few).await, here);
    assert_ne!(place(&readers, Extent::Many).await, here);
    assert_eq!((Extent::of(FEW), Extent::of(FEW + 1)), (Extent::Few, Extent::Many));
}

#[tokio::test]
async fn whoever_reads_much_holds_one_connection_and_no_one_else_up() {
    let (readers, _folder) = start(3);
    let here = thread::current().id();
    let _holds = hold(&readers, 2).await;
    assert_eq!(place(&readers, Extent::Few).await, here);
}

#[tokio::test]
async fn a_thread_waits_for_a_connection_when_all_are_held() {
    let (readers, _folder) = start(2);
    let here = thread::current().id();
    let holds = hold(&readers, 2).await;
    let waiting = place(&readers, Extent::Few);
    let release = async { drop(holds) };
    assert_ne!(tokio::join!(waiting, release).0, here);
}

#[tokio::test]
async fn a_busy_database_is_waited_for_on_a_thread() {
    let (readers, _folder) = start(1);
    let here = thread::current().id();
    let busy = move |connection: &Connection| {
        let patience: u32 = connection.pragma_query_value(None, "busy_timeout", |row| row.get(0))?;
        if thread::current().id() == here {
            assert_eq!(patience, 0);
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), None);
            return Err(error.into());
        }
        Ok(Duration::from_millis(patience.into()))
    };
    for _ in 0..2 {
        assert_eq!(readers.run(Extent::Few, busy).await.unwrap(), BUSY_TIMEOUT);
    }
}

#[tokio::test]
async fn a_thread_takes_whatever_connection_is_free() {
    let (readers, _folder) = start(2);
    let _held = readers.connections.try_take().unwrap();
    for _ in 0..8 {
        readers.run(Extent::Many, |_| Ok(())).await.unwrap();
    }
}

#[tokio::test]
async fn a_panic_leaves_the_connection_to_others() {
    let (readers, _folder) = start(1);
    let panics = |_: &Connection| -> Outcome<()> { panic!("as this case wants it") };
    assert!(readers.run_here(panics).is_some_and(|outcome| outcome.is_err()));
    readers.run(Extent::Many, |_| Ok(())).await.unwrap();
}

#[tokio::test]
async fn after_a_slow_read_a_thread_reads() {
    let (readers, _folder) = start(1);
    let here = thread::current().id();
    let began = Instant::now();
    let slow = |_: &Connection| {
        thread::sleep(2 * pace::SLOW);
        Ok(())
    };
    assert!(readers.run_here(slow).is_some());
    assert_eq!(readers.pace.begin(began), None);
    // One so late that the pause is not over before this test.
    readers.pace.note(Try::Usual, began, began + Duration::from_hours(1));
    assert_ne!(place(&readers, Extent::Few).await, here);
}

#[tokio::test]
async fn nothing_is_read_once_they_are_finished() {
    let (readers, _folder) = start(2);
    for _ in 0..2 {
        readers.finish();
        assert!(readers.connections.take().is_none());
        assert!(readers.run_here(|_| Ok(())).is_none());
        for extent in [Extent::Few, Extent::Many] {
            let read = readers.run(extent, |_| Ok(())).await;
            assert!(matches!(read, Err(StorageError::Closed)));
        }
    }
}

#[tokio::test]
async fn finishing_waits_for_what_is_read() {
    let (readers, _folder) = start(2);
    let lent = readers.connections.try_take().unwrap();
    let finishing = thread::spawn({
        let readers = Arc::clone(&readers);
        move || readers.finish()
    });
    // Until the other connection is closed, and only this one is left.
    while readers.connections.try_take().is_some() {
        tokio::task::yield_now().await;
    }
    assert!(lent.is_autocommit() && !finishing.is_finished());
    drop(lent);
    finishing.join().unwrap();
    assert!(readers.connections.take().is_none());
}
