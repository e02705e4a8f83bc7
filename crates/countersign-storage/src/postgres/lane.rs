//! Operations of one kind that wait at the same moment share a round: the same few statements for all of them.
//!
//! Answers are given after the commit. When a round fails, nothing of it is left, and each of its operations runs alone:
//! one that can't work fails alone. A database that can't be reached fails the whole round.

use std::{
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt as _;
use tokio::{
    sync::{Notify, mpsc, oneshot},
    task::{JoinHandle, yield_now},
    time::sleep,
};

use super::{
    failure::{Failure, Outcome, RoundFailed},
    pool::Pool,
};
use crate::{StorageError, outage::Condition};

/// How many operations share a round at most.
const JOBS_PER_ROUND: usize = 256;

/// What a round costs the database is mostly the same for few operations and for many. So while one is under way, the
/// next begins when that many operations wait, or when the first of them has waited that long.
const JOBS_BESIDE_ANOTHER: usize = 32;
const WAIT_BESIDE_ANOTHER: Duration = Duration::from_millis(5);

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
        let (queue, waiting) = mpsc::channel(capacity.get());
        let (round, waiting) = (Arc::new(round), Arc::new(Queue::new(waiting)));
        let serve = |_| tokio::spawn(serve(Arc::clone(&round), Arc::clone(pool), Arc::clone(&waiting)));
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

/// What waits, as the tasks of a lane share it.
struct Queue<T> {
    waiting: tokio::sync::Mutex<mpsc::Receiver<T>>,
    under_way: AtomicUsize,
    ended: Notify,
}

impl<T> Queue<T> {
    fn new(waiting: mpsc::Receiver<T>) -> Self {
        Self {
            waiting: tokio::sync::Mutex::new(waiting),
            under_way: AtomicUsize::new(0),
            ended: Notify::new(),
        }
    }

    /// What shares the next round, which is under way until the guard is dropped; nothing when nothing will come.
    async fn next_round(&self) -> (Vec<T>, UnderWay<'_, T>) {
        let mut queue = self.waiting.lock().await;
        let mut waiting = Vec::new();
        queue.recv_many(&mut waiting, JOBS_PER_ROUND).await;
        let mut patience = pin!(sleep(WAIT_BESIDE_ANOTHER));
        while !waiting.is_empty() && waiting.len() < JOBS_PER_ROUND {
            // Those who are about to ask shall not miss the round.
            yield_now().await;
            if take_more(&mut queue, &mut waiting) {
                continue;
            }
            let is_only_one = self.under_way.load(Ordering::Acquire) == 0;
            if is_only_one || JOBS_BESIDE_ANOTHER <= waiting.len() {
                break;
            }
            let room = JOBS_PER_ROUND - waiting.len();
            tokio::select! {
                came = queue.recv_many(&mut waiting, room) => if came == 0 { break },
                () = self.ended.notified() => {}
                () = patience.as_mut() => break,
            }
        }
        self.under_way.fetch_add(1, Ordering::AcqRel);
        (waiting, UnderWay(self))
    }
}

/// Takes what waits without waiting; whether there was any.
fn take_more<T>(queue: &mut mpsc::Receiver<T>, waiting: &mut Vec<T>) -> bool {
    let before = waiting.len();
    while waiting.len() < JOBS_PER_ROUND
        && let Ok(next) = queue.try_recv()
    {
        waiting.push(next);
    }
    before < waiting.len()
}

/// A round that is under way.
struct UnderWay<'a, T>(&'a Queue<T>);

impl<T> Drop for UnderWay<'_, T> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::AcqRel);
        self.0.ended.notify_one();
    }
}

async fn serve<R: Round>(round: Arc<R>, pool: Arc<Pool>, queue: Arc<Queue<Waiting<R>>>) {
    loop {
        let (waiting, _under_way) = queue.next_round().await;
        if waiting.is_empty() {
            return;
        }
        let (jobs, answers): (Vec<_>, Vec<_>) = waiting.into_iter().unzip();
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
    let failure = match run(round, pool, jobs).await {
        Ok(outcomes) => {
            return outcomes.into_iter().map(|outcome| outcome.map_err(StorageError::from)).collect();
        }
        Err(failure) => failure,
    };
    if is_outage(&failure) {
        return all_failed(failure, jobs.len()).collect();
    }
    tracing::warn!(
        error = &failure as &dyn std::error::Error,
        jobs = jobs.len(),
        "a round of {} operations failed; they are carried out one by one",
        jobs.len()
    );
    let mut outcomes = Vec::with_capacity(jobs.len());
    for job in jobs {
        match run_alone(round, pool, job).await {
            // None of those that are left shall wait for that as well.
            Err(failure) if is_outage(&failure) => {
                outcomes.extend(all_failed(failure, jobs.len() - outcomes.len()));
                break;
            }
            outcome => outcomes.push(outcome.map_err(StorageError::from)),
        }
    }
    outcomes
}

/// A panic fails the round, and leaves the lane as it is.
async fn run<R: Round>(round: &R, pool: &Pool, jobs: &[R::Job]) -> Outcome<Vec<Outcome<R::Answer>>> {
    AssertUnwindSafe(round.run(pool, jobs))
        .catch_unwind()
        .await
        .unwrap_or_else(|panic| Err(Failure::panicked(panic)))
}

fn is_outage(failure: &Failure) -> bool {
    failure.outage().is_some() && !failure.is_transient()
}

fn all_failed<T>(failure: Failure, count: usize) -> impl Iterator<Item = Result<T, StorageError>> {
    let failed = RoundFailed::from(failure);
    std::iter::repeat_with(move || Err(failed.clone().into())).take(count)
}

async fn run_alone<R: Round>(round: &R, pool: &Pool, job: &R::Job) -> Outcome<R::Answer> {
    let mut tries = 0;
    loop {
        tries += 1;
        match run(round, pool, std::slice::from_ref(job)).await {
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

#[cfg(test)]
mod tests {
    use tokio::join;

    use super::*;
    use crate::{
        outage::OutageReason,
        postgres::{
            PreparedStatements, connection::ConnectionSettings, failure::NoConnection, servers::Servers,
            tls::Tls,
        },
    };

    /// Doubles its jobs, but for those below.
    struct Doubling {
        rounds: AtomicUsize,
    }

    const PANICS: usize = 1000;
    const FAILS_AMONG_OTHERS: usize = 1001;
    const FINDS_NO_DATABASE: usize = 1002;

    impl Round for Doubling {
        type Job = usize;
        type Answer = usize;

        async fn run(&self, _pool: &Pool, jobs: &[usize]) -> Outcome<Vec<Outcome<usize>>> {
            self.rounds.fetch_add(1, Ordering::Relaxed);
            assert!(!jobs.contains(&PANICS), "a defect outside core");
            if jobs.contains(&FAILS_AMONG_OTHERS) && 1 < jobs.len() {
                return Err(Failure::Storage(StorageError::Panicked));
            }
            if jobs.contains(&FINDS_NO_DATABASE) && jobs.len() == 1 {
                return Err(Failure::no_connection(OutageReason::Unreachable, NoConnection::BackingOff));
            }
            Ok(jobs.iter().map(|job| Ok(job * 2)).collect())
        }
    }

    /// A pool that nobody asks for a connection.
    fn pool() -> Arc<Pool> {
        let config = "postgres://localhost/none".parse().unwrap();
        let servers =
            Servers::new(&config, Tls::new(config.get_ssl_mode(), None).unwrap(), WAIT_BESIDE_ANOTHER);
        let settings =
            ConnectionSettings { prepared: PreparedStatements::None, patience: WAIT_BESIDE_ANOTHER };
        Arc::new(Pool::new(servers, 1, settings, Arc::default()).unwrap())
    }

    fn doubling() -> Doubling {
        Doubling { rounds: AtomicUsize::new(0) }
    }

    #[tokio::test]
    async fn a_panic_fails_its_operation_and_the_lane_goes_on() {
        let lane = Lane::start(doubling(), &pool(), 1, NonZeroUsize::MIN);
        assert!(matches!(lane.run(PANICS).await, Err(StorageError::Panicked)));
        assert_eq!(lane.run(2).await.unwrap(), 4);
        let outcomes = carry_out(&doubling(), &pool(), &[1, PANICS, 3]).await;
        assert!(matches!(outcomes[..], [Ok(2), Err(StorageError::Panicked), Ok(6)]), "{outcomes:?}");
    }

    #[tokio::test]
    async fn those_who_run_one_by_one_do_not_all_wait_for_a_database_that_is_gone() {
        let round = doubling();
        let jobs = [1, FAILS_AMONG_OTHERS, FINDS_NO_DATABASE, 3, 4];
        let outcomes = carry_out(&round, &pool(), &jobs).await;
        assert!(matches!(outcomes[..2], [Ok(2), Ok(_)]), "{outcomes:?}");
        assert!(outcomes[2..].iter().all(|outcome| matches!(outcome, Err(StorageError::Unavailable(_)))));
        assert_eq!(
            (outcomes.len(), round.rounds.load(Ordering::Relaxed)),
            (5, 4),
            "the last two were not tried"
        );
    }

    fn queue() -> (mpsc::Sender<usize>, Queue<usize>) {
        let (sender, waiting) = mpsc::channel(JOBS_PER_ROUND * 2);
        (sender, Queue::new(waiting))
    }

    async fn send(sender: &mpsc::Sender<usize>, count: usize) {
        for number in 0..count {
            sender.send(number).await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn operations_that_wait_together_share_a_round_of_bounded_size() {
        let (sender, queue) = queue();
        send(&sender, JOBS_PER_ROUND + 3).await;
        assert_eq!(queue.next_round().await.0.len(), JOBS_PER_ROUND);
        assert_eq!(queue.next_round().await.0.len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_about_to_come_is_not_missed() {
        let (sender, queue) = queue();
        tokio::spawn(async move {
            for _ in 0..5 {
                send(&sender, 1).await;
                yield_now().await;
            }
        });
        assert_eq!(queue.next_round().await.0.len(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn few_wait_until_the_round_under_way_has_ended() {
        let (sender, queue) = queue();
        send(&sender, 1).await;
        let (_, under_way) = queue.next_round().await;
        send(&sender, 3).await;
        let end = async {
            sleep(WAIT_BESIDE_ANOTHER / 5 * 4).await;
            send(&sender, 2).await;
            drop(under_way);
        };
        let (round, ()) = join!(queue.next_round(), end);
        assert_eq!(round.0.len(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn few_do_not_wait_for_long() {
        let (sender, queue) = queue();
        send(&sender, 1).await;
        let _under_way = queue.next_round().await;
        send(&sender, 3).await;
        let too_late = async {
            sleep(WAIT_BESIDE_ANOTHER * 2).await;
            send(&sender, 1).await;
        };
        let (round, ()) = join!(queue.next_round(), too_late);
        assert_eq!(round.0.len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn many_do_not_wait_for_another_round() {
        let (sender, queue) = queue();
        send(&sender, 1).await;
        let _under_way = queue.next_round().await;
        send(&sender, JOBS_BESIDE_ANOTHER).await;
        let later = async {
            sleep(WAIT_BESIDE_ANOTHER / 5).await;
            send(&sender, 1).await;
        };
        let (round, ()) = join!(queue.next_round(), later);
        assert_eq!(round.0.len(), JOBS_BESIDE_ANOTHER);
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_at_the_end_has_a_round_still() {
        let (sender, queue) = queue();
        send(&sender, 1).await;
        let _under_way = queue.next_round().await;
        send(&sender, 3).await;
        drop(sender);
        assert_eq!(queue.next_round().await.0.len(), 3);
        assert!(queue.next_round().await.0.is_empty());
    }
}
