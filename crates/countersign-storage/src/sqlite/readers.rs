//! Threads that read, each over a connection of its own that can't write.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{
    SqliteSettings, connection,
    failure::{Failure, Outcome},
};
use crate::{StorageError, outage::Condition};

/// The reading threads, as everyone else sees them.
pub(super) struct Readers {
    queue: SyncSender<Message>,
    closed: AtomicBool,
    threads: Mutex<Vec<JoinHandle<()>>>,
    condition: Arc<Condition>,
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
        let mut threads = Vec::new();
        for _ in 0..settings.readers.get() {
            let connection = connection::open_reading(&settings.path)?;
            let reads = Arc::clone(&reads);
            let thread = thread::Builder::new().name("sqlite-reader".to_owned());
            threads.push(thread.spawn(move || serve(&connection, &reads))?);
        }
        Ok(Self { queue, closed: AtomicBool::new(false), threads: Mutex::new(threads), condition })
    }

    /// Carries out an operation that only reads.
    pub(super) async fn run<T, F>(&self, operation: F) -> Result<T, StorageError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    {
        if self.closed.load(Ordering::Acquire) {
            return Err(StorageError::Closed);
        }
        let (answer, answered) = oneshot::channel();
        let condition = Arc::clone(&self.condition);
        let read = move |connection: &Connection| {
            let outcome = catch_unwind(AssertUnwindSafe(|| operation(connection)));
            let outcome = outcome.unwrap_or_else(|payload| Err(Failure::panicked(payload)));
            match outcome.as_ref().map_err(|failure| (failure, failure.outage())) {
                Ok(_) => condition.reads(),
                Err((failure, Some(reason))) => condition.fails(reason, failure),
                Err((_, None)) => {}
            }
            // The caller may have stopped waiting.
            let _ = answer.send(outcome.map_err(StorageError::from));
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

    /// Carries out what waits and ends the threads.
    pub(super) fn finish(&self) {
        self.closed.store(true, Ordering::Release);
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for _ in &threads {
            // The only way for this to fail is that all threads are gone, which joining finds out.
            let _ = self.queue.send(Message::Finish);
        }
        for thread in threads {
            let _ = thread.join();
        }
    }
}

fn serve(connection: &Connection, reads: &Mutex<Receiver<Message>>) {
    loop {
        let message = reads.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match message {
            Ok(Message::Read(read)) => read(connection),
            Ok(Message::Finish) | Err(_) => return,
        }
    }
}
