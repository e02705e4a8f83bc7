//! Operations of one kind that wait at the same moment share a round: the same few statements for all of them.
//!
//! Answers are given after the commit. When a round fails, nothing of it is left, and each of its operations runs alone:
//! one that can't work fails alone. A database that can't be reached fails the whole round.

use std::{
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use super::{
    failure::{Failure, Outcome, RoundFailed},
    pool::Pool,
};
use crate::{StorageError, outage::Condition};

/// How many operations share a round at most.
const JOBS_PER_ROUND: usize = 256;

/// How often a single operation is tried while others are in its way.
const TRIES: usize = 5;

/// What a lane does.
pub(super) trait Round: Send + Sync + 'static {
    /// An operation.
    type Job: Send + Sync;
    /// What it comes to.
    type Answer: Send;

    /// Carries out `jobs` as if one came after the other. Answers one outcome for each, once they are durable.
    fn run(
        &self,
        pool: &Pool,
        jobs: &[Self::Job],
    ) -> impl Future<Output = Outcome<Vec<Outcome<Self::Answer>>>> + Send;
}

type Waiting<R> = (<R as Round>::Job, oneshot::Sender<Result<<R as Round>::Answer, StorageError>>);

/// A queue of operations of one kind, and the tasks that carry them out.
pub(super) struct Lane<R: Round> {
    queue: Mutex<Option<mpsc::Sender<Waiting<R>>>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    condition: Arc<Condition>,
}

impl<R: Round> Lane<R> {
    /// Starts `width` tasks, so that many rounds are under way at once.
    pub(super) fn start(round: R, pool: &Arc<Pool>, width: usize, capacity: NonZeroUsize) -> Self {
        let (queue, jobs) = mpsc::channel(capacity.get());
        let (round, jobs) = (Arc::new(round), Arc::new(tokio::sync::Mutex::new(jobs)));
        let serve = |_| tokio::spawn(serve(Arc::clone(&round), Arc::clone(pool), Arc::clone(&jobs)));
        let tasks = Mutex::new((0..width).map(serve).collect());
        Self { queue: Mutex::new(Some(queue)), tasks, condition: Arc::clone(pool.condition()) }
    }

    /// Whether the next operation would find no place.
    pub(super) fn is_full(&self) -> bool {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.as_ref().is_some_and(|queue| queue.capacity() == 0)
    }

    /// Carries out an operation and answers once it is durable.
    pub(super) async fn run(&self, job: R::Job) -> Result<R::Answer, StorageError> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let queue = queue.ok_or(StorageError::Closed)?;
        let (answer, answered) = oneshot::channel();
        queue.try_send((job, answer)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => {
                self.condition.overflows();
                StorageError::Overloaded
            }
            mpsc::error::TrySendError::Closed(_) => StorageError::Closed,
        })?;
        drop(queue);
        answered.await.map_err(|_| StorageError::Closed)?
    }

    /// Carries out what waits and ends the tasks.
    pub(super) async fn finish(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            // The only way for this to fail is that it panicked, which the panic hook told already.
            let _ = task.await;
        }
    }
}

async fn serve<R: Round>(
    round: Arc<R>,
    pool: Arc<Pool>,
    queue: Arc<tokio::sync::Mutex<mpsc::Receiver<Waiting<R>>>>,
) {
    loop {
        let (jobs, answers) = {
            let mut queue = queue.lock().await;
            let Some(first) = queue.recv().await else { return };
            let mut waiting = vec![first];
            while waiting.len() < JOBS_PER_ROUND
                && let Ok(next) = queue.try_recv()
            {
                waiting.push(next);
            }
            waiting.into_iter().unzip::<_, _, Vec<_>, Vec<_>>()
        };
        for (outcome, answer) in carry_out(&*round, &pool, &jobs).await.into_iter().zip(answers) {
            // The caller may have stopped waiting; the operation counts all the same.
            let _ = answer.send(outcome);
        }
    }
}

async fn carry_out<R: Round>(
    round: &R,
    pool: &Pool,
    jobs: &[R::Job],
) -> Vec<Result<R::Answer, StorageError>> {
    let failure = match round.run(pool, jobs).await {
        Ok(outcomes) => {
            return outcomes.into_iter().map(|outcome| outcome.map_err(StorageError::from)).collect();
        }
        Err(failure) => failure,
    };
    if failure.outage().is_some() && !failure.is_transient() {
        let failed = RoundFailed::from(failure);
        return jobs.iter().map(|_| Err(failed.clone().into())).collect();
    }
    tracing::warn!(
        error = &failure as &dyn std::error::Error,
        jobs = jobs.len(),
        "a round of {} operations failed; they are carried out one by one",
        jobs.len()
    );
    let mut outcomes = Vec::with_capacity(jobs.len());
    for job in jobs {
        outcomes.push(run_alone(round, pool, job).await.map_err(StorageError::from));
    }
    outcomes
}

async fn run_alone<R: Round>(round: &R, pool: &Pool, job: &R::Job) -> Outcome<R::Answer> {
    let mut tries = 0;
    loop {
        tries += 1;
        match round.run(pool, std::slice::from_ref(job)).await {
            Ok(outcomes) => {
                let lost = Failure::Storage(StorageError::Panicked);
                return outcomes.into_iter().next().unwrap_or(Err(lost));
            }
            Err(failure) if failure.is_transient() && tries < TRIES => {}
            Err(failure) => return Err(failure),
        }
    }
}

/// Makes a decision of core; a panic in it fails that operation alone.
pub(super) fn decide<T>(decision: impl FnOnce() -> T) -> Outcome<T> {
    catch_unwind(AssertUnwindSafe(decision)).map_err(Failure::panicked)
}
