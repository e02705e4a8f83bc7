//! Connections that can't write, and how they are read over.
//!
//! A few rows are in memory most of the time, and then reading them takes a fraction of what it takes to wake a thread and be
//! woken by it: so they are read where they are asked for. What would have to wait there is read by a thread: many rows, rows
//! from a slow disk, and what comes while others hold the connections or the database.

mod pace;
mod pool;
#[cfg(test)]
mod tests;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rusqlite::Connection;
use tokio::sync::oneshot;

use self::{pace::Pace, pool::Pool};
use super::{
    SqliteSettings,
    connection::{self, BUSY_TIMEOUT},
    failure::{Failure, Outcome},
};
use crate::{OutageReason, StorageError, outage::Condition};

/// How many rows are few, wherever they lie.
const FEW: usize = 32;

/// The connections and the threads, as everyone else sees them.
pub(super) struct Readers {
    connections: Arc<Pool>,
    queue: SyncSender<Message>,
    closed: AtomicBool,
    threads: Mutex<Vec<JoinHandle<()>>>,
    condition: Arc<Condition>,
    pace: Pace,
}

/// How much an operation reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// A few rows.
    Few,
    /// So many rows that nobody else should wait until they are read.
    Many,
}

impl Extent {
    /// The extent of an operation that looks for so many rows.
    pub(super) fn of(rows: usize) -> Self {
        if rows <= FEW { Self::Few } else { Self::Many }
    }
}

enum Message {
    Read(Box<dyn FnOnce(&Connection) + Send>),
    Finish,
}

impl Readers {
    /// Opens the connections and starts the threads.
    pub(super) fn start(settings: &SqliteSettings, condition: Arc<Condition>) -> Outcome<Self> {
        let (queue, reads) = sync_channel(settings.queue_capacity.get());
        let reads = Arc::new(Mutex::new(reads));
        let open = |_| connection::open_reading(&settings.path);
        let connections: Vec<_> = (0..settings.readers.get()).map(open).collect::<Outcome<_>>()?;
        let connections = Arc::new(Pool::new(connections));
        let mut threads = Vec::new();
        for _ in 0..settings.readers.get() {
            let (connections, reads) = (Arc::clone(&connections), Arc::clone(&reads));
            let thread = thread::Builder::new().name("sqlite-reader".to_owned());
            threads.push(thread.spawn(move || serve(&connections, &reads))?);
        }
        let (closed, pace) = (AtomicBool::new(false), Pace::new(Instant::now()));
        Ok(Self { connections, queue, closed, threads: Mutex::new(threads), condition, pace })
    }

    /// Carries out an operation that only reads. It may begin again on another thread.
    pub(super) async fn run<T, F>(&self, extent: Extent, operation: F) -> Result<T, StorageError>
    where
        T: Send + 'static,
        F: Fn(&Connection) -> Outcome<T> + Send + 'static,
    {
        if self.closed.load(Ordering::Acquire) {
            return Err(StorageError::Closed);
        }
        if extent == Extent::Few
            && let Some(outcome) = self.run_here(&operation)
        {
            return settle(&self.condition, outcome);
        }
        let (answer, answered) = oneshot::channel();
        let condition = Arc::clone(&self.condition);
        let read = move |connection: &Connection| {
            // The caller may have stopped waiting.
            let _ = answer.send(settle(&condition, carry_out(operation, connection, BUSY_TIMEOUT)));
        };
        self.queue.try_send(Message::Read(Box::new(read))).map_err(|error| match error {
            TrySendError::Full(_) => {
                self.condition.overflows();
                StorageError::Overloaded
            }
            TrySendError::Disconnected(_) => StorageError::Closed,
        })?;
        answered.await.map_err(|_| StorageError::Closed)?
    }

    /// Carries out an operation on this thread, unless that would have to wait.
    fn run_here<T>(&self, operation: impl Fn(&Connection) -> Outcome<T>) -> Option<Outcome<T>> {
        let connection = self.connections.try_take()?;
        let began = Instant::now();
        let tried = self.pace.begin(began)?;
        let outcome = carry_out(operation, &connection, Duration::ZERO);
        self.pace.note(tried, began, Instant::now());
        match outcome {
            Err(failure) if failure.outage() == Some(OutageReason::Busy) => None,
            outcome => Some(outcome),
        }
    }

    /// Carries out what waits, ends the threads, and closes the connections.
    pub(super) fn finish(&self) {
        self.closed.store(true, Ordering::Release);
        // Whoever closes at the same time waits.
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in threads.iter() {
            // The only way for this to fail is that all threads are gone, which joining finds out.
            let _ = self.queue.send(Message::Finish);
        }
        for thread in threads.drain(..) {
            let _ = thread.join();
        }
        self.connections.close();
    }
}

fn serve(connections: &Pool, reads: &Mutex<Receiver<Message>>) {
    loop {
        let message = reads.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Message::Read(read)) = message else { return };
        if let Some(connection) = connections.take() {
            read(&connection);
        }
    }
}

/// Carries out an operation over a connection, which waits that long for whoever holds the database.
fn carry_out<T>(
    operation: impl FnOnce(&Connection) -> Outcome<T>,
    connection: &Connection,
    patience: Duration,
) -> Outcome<T> {
    connection.busy_timeout(patience)?;
    let outcome = catch_unwind(AssertUnwindSafe(|| operation(connection)));
    outcome.unwrap_or_else(|payload| Err(Failure::panicked(payload)))
}

/// What the caller is told, once the log was.
fn settle<T>(condition: &Condition, outcome: Outcome<T>) -> Result<T, StorageError> {
    match outcome.as_ref().map_err(|failure| (failure, failure.outage())) {
        Ok(_) => condition.reads(),
        Err((failure, Some(reason))) => condition.fails(reason, failure),
        Err((_, None)) => {}
    }
    Ok(outcome?)
}
