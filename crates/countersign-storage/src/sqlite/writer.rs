//! The thread that writes: operations that wait at the same moment share one transaction, hence one sync.
//!
//! An error or panic undoes that operation alone. A savepoint for each would do, but makes SQLite copy every page that an
//! operation changes, so they are taken only once an operation did fail: then all begin again, apart. Answers are given
//! after the commit. A failure of the transaction as a whole fails every operation in it.

use std::{
    io,
    num::NonZeroUsize,
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
    checkpoint::{Progress, restart_log},
    failure::{Failure, Outcome, TransactionFailed},
    rows::change,
};
use crate::{StorageError, outage::Condition};

/// How many operations share a commit at most.
const JOBS_PER_COMMIT: usize = 256;

/// The writing thread, as everyone else sees it.
pub(super) struct Writer {
    queue: SyncSender<Message>,
    closed: AtomicBool,
    thread: Mutex<Option<JoinHandle<Connection>>>,
    condition: Arc<Condition>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(
        connection: Connection,
        progress: Arc<Progress>,
        capacity: NonZeroUsize,
        condition: Arc<Condition>,
    ) -> io::Result<Self> {
        let (queue, jobs) = sync_channel(capacity.get());
        let of_thread = Arc::clone(&condition);
        let thread = thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || WriterThread { connection, progress, jobs, condition: of_thread }.run())?;
        Ok(Self { queue, closed: AtomicBool::new(false), thread: Mutex::new(Some(thread)), condition })
    }

    /// Carries out an operation and answers once it is durable. It may be undone and begin again before that.
    pub(super) async fn run<T, F>(&self, operation: F) -> Result<T, StorageError>
    where
        T: Send + 'static,
        F: FnMut(&Connection) -> Outcome<T> + Send + 'static,
    {
        if self.closed.load(Ordering::Acquire) {
            return Err(StorageError::Closed);
        }
        let (answer, answered) = oneshot::channel();
        let job = Operation { operation, outcome: None, answer };
        self.queue.try_send(Message::Job(Box::new(job))).map_err(|error| match error {
            TrySendError::Full(_) => {
                self.condition.overflows();
                StorageError::Overloaded
            }
            TrySendError::Disconnected(_) => StorageError::Closed,
        })?;
        answered.await.map_err(|_| StorageError::Closed)?
    }

    /// Carries out what waits and ends the thread. Answers its connection, the first time.
    pub(super) fn finish(&self) -> Option<Connection> {
        self.closed.store(true, Ordering::Release);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        // The only way for this to fail is that the thread is gone, which joining finds out.
        let _ = self.queue.send(Message::Finish);
        thread.join().ok()
    }
}

enum Message {
    Job(Box<dyn Job>),
    Finish,
}

/// An operation that waits, whatever its type.
trait Job: Send {
    /// Carries it out and remembers what came of it.
    fn run(&mut self, tx: &Connection) -> Verdict;

    /// Tells the caller, once the transaction is committed or failed.
    fn answer(self: Box<Self>, failed: Option<&TransactionFailed>);
}

/// What becomes of an operation's changes.
enum Verdict {
    Keep,
    Undo,
    /// The transaction can't go on.
    Abort(Failure),
}

struct Operation<T, F> {
    operation: F,
    outcome: Option<Result<T, StorageError>>,
    answer: oneshot::Sender<Result<T, StorageError>>,
}

impl<T, F> Job for Operation<T, F>
where
    T: Send,
    F: FnMut(&Connection) -> Outcome<T> + Send,
{
    fn run(&mut self, tx: &Connection) -> Verdict {
        let outcome = catch_unwind(AssertUnwindSafe(|| (self.operation)(tx)));
        let outcome = outcome.unwrap_or_else(|payload| Err(Failure::panicked(payload)));
        let (outcome, verdict) = match outcome {
            Ok(value) => (Ok(value), Verdict::Keep),
            // SQLite rolls back by itself when it must: then nothing of the transaction is left.
            Err(failure) if failure.is_fatal() || tx.is_autocommit() => return Verdict::Abort(failure),
            Err(failure) => (Err(failure.into()), Verdict::Undo),
        };
        self.outcome = Some(outcome);
        verdict
    }

    fn answer(self: Box<Self>, failed: Option<&TransactionFailed>) {
        let outcome = match (failed, self.outcome) {
            (Some(failed), _) => Err(failed.clone().into()),
            (None, outcome) => outcome.unwrap_or(Err(StorageError::Closed)),
        };
        // The caller may have stopped waiting; the operation counts all the same.
        let _ = self.answer.send(outcome);
    }
}

struct WriterThread {
    connection: Connection,
    progress: Arc<Progress>,
    jobs: Receiver<Message>,
    condition: Arc<Condition>,
}

impl WriterThread {
    fn run(self) -> Connection {
        let mut batch = Vec::with_capacity(JOBS_PER_COMMIT);
        while let Ok(Message::Job(first)) = self.jobs.recv() {
            batch.push(first);
            let finish = self.collect(&mut batch);
            self.commit(&mut batch);
            if self.progress.should_restart() {
                restart_log(&self.connection);
            }
            if finish {
                break;
            }
        }
        self.connection
    }

    /// Takes what waits at this moment. Answers whether the end was among it.
    fn collect(&self, batch: &mut Vec<Box<dyn Job>>) -> bool {
        while batch.len() < JOBS_PER_COMMIT {
            match self.jobs.try_recv() {
                Ok(Message::Job(job)) => batch.push(job),
                Ok(Message::Finish) => return true,
                Err(_) => return false,
            }
        }
        false
    }

    fn commit(&self, batch: &mut Vec<Box<dyn Job>>) {
        let failed = self.transact(batch).err().map(|failure| {
            match failure.outage() {
                Some(reason) => self.condition.fails(reason, &failure),
                None => tracing::error!(
                    error = &failure as &dyn std::error::Error,
                    jobs = batch.len(),
                    "a transaction failed"
                ),
            }
            self.roll_back();
            TransactionFailed::from(failure)
        });
        if failed.is_none() {
            self.condition.writes();
        }
        for job in batch.drain(..) {
            job.answer(failed.as_ref());
        }
    }

    fn transact(&self, batch: &mut [Box<dyn Job>]) -> Outcome<()> {
        change(&self.connection, "begin immediate", [])?;
        if !self.run_together(batch)? {
            change(&self.connection, "rollback", [])?;
            change(&self.connection, "begin immediate", [])?;
            for job in batch {
                self.run_apart(job.as_mut())?;
            }
        }
        change(&self.connection, "commit", [])?;
        Ok(())
    }

    /// Answers whether every operation wants to keep its changes; if not, nothing of the transaction may be kept.
    fn run_together(&self, batch: &mut [Box<dyn Job>]) -> Outcome<bool> {
        for job in batch {
            match job.run(&self.connection) {
                Verdict::Keep => {}
                Verdict::Undo => return Ok(false),
                Verdict::Abort(failure) => return Err(failure),
            }
        }
        Ok(true)
    }

    /// Undoes the operation if it fails, and only that one.
    fn run_apart(&self, job: &mut dyn Job) -> Outcome<()> {
        change(&self.connection, "savepoint job", [])?;
        match job.run(&self.connection) {
            Verdict::Keep => {}
            Verdict::Undo => {
                change(&self.connection, "rollback to job", [])?;
            }
            Verdict::Abort(failure) => return Err(failure),
        }
        change(&self.connection, "release job", [])?;
        Ok(())
    }

    fn roll_back(&self) {
        if !self.connection.is_autocommit()
            && let Err(failure) = change(&self.connection, "rollback", [])
        {
            tracing::error!(
                error = &failure as &dyn std::error::Error,
                "a failed transaction could not be rolled back"
            );
        }
    }
}
