//! Moves the write-ahead log into the database, beside the writer rather than in its way.
//!
//! A connection of its own copies pages whenever the log has grown by a step. While the writer writes, that never
//! reaches the log's end, so that the log could not start over; so once it is long, the writer copies the few
//! remaining pages itself.

use std::{
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI32, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rusqlite::{Connection, wal::CheckpointMode};

use super::{
    connection,
    failure::{Failure, Outcome},
};

/// After how many more pages in the log they are copied: 16 MiB.
const STEP: i32 = 4096;
/// From how many pages on the log is to start over: 64 MiB.
const LONG: i32 = 16_384;
/// How long the writer waits for a reader before it gives up starting the log over.
const RESTART_PATIENCE: Duration = Duration::from_millis(20);

/// How long the log is, and whether most of it was copied.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pages: AtomicI32,
    copied: AtomicBool,
    finished: AtomicBool,
}

impl Progress {
    /// Whether it is time for the writer to copy the rest. Once for each time that most was copied.
    pub(super) fn should_restart(&self) -> bool {
        LONG <= self.pages.load(Ordering::Relaxed) && self.copied.swap(false, Ordering::Relaxed)
    }
}

/// The copying thread, as everyone else sees it.
pub(super) struct Checkpointer {
    progress: Arc<Progress>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Checkpointer {
    /// Starts the thread, and lets the connection that writes tell it how long the log is.
    pub(super) fn start(path: &Path, writing: &mut Connection) -> Outcome<Self> {
        let connection = connection::open_checkpointing(path)?;
        let progress = Arc::new(Progress::default());
        let of_thread = Arc::clone(&progress);
        let builder = thread::Builder::new().name("sqlite-checkpoint".to_owned());
        let thread = builder.spawn(move || copy_when_told(&connection, &of_thread))?;
        let (of_hook, copying) = (Arc::clone(&progress), thread.thread().clone());
        let mut told_at = 0;
        writing.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, pages| {
            of_hook.pages.store(pages, Ordering::Relaxed);
            if pages < told_at {
                told_at = 0;
            }
            if told_at + STEP <= pages {
                told_at = pages;
                copying.unpark();
            }
            Ok(())
        }))?;
        Ok(Self { progress, thread: Mutex::new(Some(thread)) })
    }

    /// How far the thread is.
    pub(super) fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Ends the thread.
    pub(super) fn finish(&self) {
        let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        self.progress.finished.store(true, Ordering::Release);
        thread.thread().unpark();
        let _ = thread.join();
    }
}

fn copy_when_told(connection: &Connection, progress: &Progress) {
    loop {
        thread::park();
        if progress.finished.load(Ordering::Acquire) {
            return;
        }
        match checkpoint(connection, CheckpointMode::PASSIVE) {
            // A reader that holds an old snapshot keeps pages from being copied.
            Ok(left) => progress.copied.store(left < STEP, Ordering::Relaxed),
            Err(failure) => tracing::warn!(
                error = &failure as &dyn std::error::Error,
                "the write-ahead log could not be copied into the database"
            ),
        }
    }
}

/// Copies the rest of the log from the writer's own connection, outside a transaction: the next one starts the log over.
/// Operations wait meanwhile, so it waits for nobody.
pub(super) fn restart_log(connection: &Connection) {
    let restarted = connection
        .busy_timeout(RESTART_PATIENCE)
        .map_err(Failure::from)
        .and_then(|()| checkpoint(connection, CheckpointMode::RESTART));
    if let Err(error) = connection.busy_timeout(connection::BUSY_TIMEOUT) {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "the patience of the writer could not be set"
        );
    }
    if let Err(failure) = restarted {
        // A reader or the other thread is in the way. The next step brings another chance.
        tracing::debug!(
            error = &failure as &dyn std::error::Error,
            "the write-ahead log could not start over"
        );
    }
}

/// Answers how many pages of the log are left to copy.
fn checkpoint(connection: &Connection, mode: CheckpointMode) -> Outcome<i32> {
    let (pages, copied) = connection.wal_checkpoint_v2(None::<&str>, mode)?;
    Ok(pages - copied)
}
