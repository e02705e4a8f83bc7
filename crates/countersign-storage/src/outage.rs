//! Why the database as a whole can't work at the moment, and how the log tells of it.

use std::{
    error::Error,
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// Why the database can't work at the moment, and what it said. Whether the operation had its effect is not known: the
/// connection may have broken after the commit.
#[derive(Debug)]
pub struct Outage {
    /// Why, in words that hold no secret.
    pub reason: OutageReason,
    /// What the driver said. For the log.
    pub cause: Box<dyn Error + Send + Sync>,
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl Error for Outage {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.cause)
    }
}

/// Why the database can't work at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutageReason {
    /// It is down, or the way to it is cut.
    Unreachable,
    /// It does not know this node, or its password, or has no such database.
    Refused,
    /// It takes no more connections.
    Crowded,
    /// It takes no writes, as a replica does.
    ReadOnly,
    /// Its disk is full.
    Full,
    /// It did not answer in time.
    Slow,
    /// Others were in the way for too long.
    Busy,
    /// It can't use its files or its memory.
    Broken,
}

impl OutageReason {
    /// A sentence for an operator.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "the database can't be reached",
            Self::Refused => "the database refuses this node",
            Self::Crowded => "the database takes no more connections",
            Self::ReadOnly => "the database can only be read",
            Self::Full => "the database's disk is full",
            Self::Slow => "the database did not answer in time",
            Self::Busy => "the database is busy",
            Self::Broken => "the database can't use its files or memory",
        }
    }

    /// Whether it may well pass by itself.
    fn may_pass(self) -> bool {
        matches!(self, Self::Slow | Self::Busy)
    }

    /// How long nothing may have failed until it counts as over.
    fn quiet(self) -> Duration {
        if self == Self::Full { QUIET_WHEN_FULL } else { QUIET }
    }

    /// Whether reading goes on all the while.
    fn is_readable(self) -> bool {
        matches!(self, Self::ReadOnly | Self::Full)
    }
}

impl fmt::Display for OutageReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How long nothing may have failed until an outage counts as over: longer where a write may find space by luck.
const QUIET: Duration = Duration::from_secs(3);
const QUIET_WHEN_FULL: Duration = Duration::from_secs(30);

/// How long a write that failed for lack of space is remembered.
const FULL_REMEMBERED: Duration = Duration::from_secs(10);

/// Whether the database works. Tells the log once when it no longer does, for each reason, and once when it does again,
/// however many operations fail meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Condition {
    /// Read for each operation that works, without waiting for anyone.
    in_trouble: AtomicBool,
    trouble: Mutex<Option<Trouble>>,
    full_at: Mutex<Option<Instant>>,
}

#[derive(Debug)]
struct Trouble {
    since: Instant,
    latest: Instant,
    quiet: Duration,
    /// Whether reading goes on all the while, so that only a write can tell that it is over.
    is_readable: bool,
    failures: u64,
    told: Vec<Option<OutageReason>>,
}

impl Trouble {
    fn new(now: Instant) -> Self {
        Self { since: now, latest: now, quiet: QUIET, is_readable: false, failures: 0, told: Vec::new() }
    }
}

/// What shows that the database works.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Proof {
    Read,
    Write,
}

impl Condition {
    /// Something was read.
    pub(crate) fn reads(&self) {
        self.works(Proof::Read);
    }

    /// Something was written, and committed.
    pub(crate) fn writes(&self) {
        self.works(Proof::Write);
    }

    fn works(&self, proof: Proof) {
        if !self.in_trouble.load(Ordering::Relaxed) {
            return;
        }
        if let Some(trouble) = self.end(proof, Instant::now()) {
            tracing::info!(
                failures = trouble.failures,
                "The database works again, after {} s",
                trouble.latest.duration_since(trouble.since).as_secs()
            );
        }
    }

    /// An operation failed for this reason.
    pub(crate) fn fails(&self, reason: OutageReason, cause: &(dyn Error + 'static)) {
        let now = Instant::now();
        if reason == OutageReason::Full {
            *self.full_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        }
        if !self.begin(Some(reason), now) {
            return;
        }
        if reason.may_pass() {
            tracing::warn!(error = cause, "Trouble with the database: {reason}");
        } else {
            tracing::error!(
                error = cause,
                "Trouble with the database: {reason}. Requests get 503 until it works again"
            );
        }
    }

    /// An operation found no place in the queue.
    pub(crate) fn overflows(&self) {
        if self.begin(None, Instant::now()) {
            tracing::warn!(
                "More operations wait for the database than storage.queue_capacity allows; some requests get 503"
            );
        }
    }

    /// Whether a write failed for lack of space a moment ago. Another one may find space all the same, in a page that has
    /// some left.
    pub(crate) fn was_full(&self) -> bool {
        let full_at = *self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        full_at.is_some_and(|at| at.elapsed() < FULL_REMEMBERED)
    }

    /// Whether this is news. Without a reason, the queue is full.
    fn begin(&self, reason: Option<OutageReason>, now: Instant) -> bool {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        self.in_trouble.store(true, Ordering::Relaxed);
        let trouble = trouble.get_or_insert_with(|| Trouble::new(now));
        trouble.latest = now;
        trouble.failures += 1;
        trouble.quiet = trouble.quiet.max(reason.map_or(QUIET, OutageReason::quiet));
        trouble.is_readable |= reason.is_some_and(OutageReason::is_readable);
        let is_news = !trouble.told.contains(&reason);
        if is_news {
            trouble.told.push(reason);
        }
        is_news
    }

    /// What is over, if something is: operations that were under way may still fail for a while.
    fn end(&self, proof: Proof, now: Instant) -> Option<Trouble> {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let over = trouble.take_if(|trouble| {
            let tells = proof == Proof::Write || !trouble.is_readable;
            tells && trouble.quiet <= now.duration_since(trouble.latest)
        })?;
        self.in_trouble.store(false, Ordering::Relaxed);
        Some(over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn each_reason_is_told_once_and_the_end_once() {
        let (condition, start) = (Condition::default(), Instant::now());
        let begin = |reason, after| condition.begin(reason, start + seconds(after));
        let end = |after| condition.end(Proof::Read, start + seconds(after));
        let (unreachable, slow) = (Some(OutageReason::Unreachable), Some(OutageReason::Slow));
        assert!(end(0).is_none(), "nothing began");
        assert!(begin(unreachable, 0));
        assert!(!begin(unreachable, 1));
        assert!(begin(slow, 2));
        assert!(begin(None, 2), "the queue overflows");
        assert!(!begin(unreachable, 3));
        assert!(end(4).is_none(), "one failed a second ago");
        let over = end(6).unwrap();
        assert_eq!((over.failures, over.latest - over.since), (5, seconds(3)));
        assert!(end(7).is_none(), "told once");
        assert!(begin(unreachable, 8), "the next time is news again");
    }

    #[test]
    fn reading_proves_nothing_where_it_never_stopped() {
        let (condition, start) = (Condition::default(), Instant::now());
        let end = |proof, after| condition.end(proof, start + seconds(after));
        assert!(condition.begin(Some(OutageReason::ReadOnly), start));
        assert!(end(Proof::Read, 100).is_none());
        assert!(end(Proof::Write, 4).is_some());
        assert!(condition.begin(Some(OutageReason::Full), start));
        assert!(end(Proof::Write, 4).is_none(), "one may find space by luck");
        assert!(end(Proof::Write, 31).is_some());
    }

    #[test]
    fn lack_of_space_is_remembered() {
        let condition = Condition::default();
        condition.fails(OutageReason::Slow, &fmt::Error);
        assert!(!condition.was_full());
        condition.fails(OutageReason::Full, &fmt::Error);
        assert!(condition.was_full());
    }
}
