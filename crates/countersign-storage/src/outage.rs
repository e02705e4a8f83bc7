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
        match self {
            Self::ReadOnly | Self::Full => QUIET_WHILE_READABLE,
            Self::Unreachable | Self::Refused | Self::Crowded | Self::Slow | Self::Busy | Self::Broken => {
                QUIET
            }
        }
    }
}

impl fmt::Display for OutageReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How long nothing may have failed until an outage counts as over: longer where reading goes on all the while.
const QUIET: Duration = Duration::from_secs(3);
const QUIET_WHILE_READABLE: Duration = Duration::from_secs(30);

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
    failures: u64,
    told: Vec<&'static str>,
}

impl Condition {
    /// An operation was carried out.
    pub(crate) fn works(&self) {
        if !self.in_trouble.load(Ordering::Relaxed) {
            return;
        }
        if let Some(trouble) = self.end(Instant::now()) {
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
        if !self.begin(reason.as_str(), reason.quiet(), now) {
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
        if self.begin("overflow", QUIET, Instant::now()) {
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

    /// Whether this is news.
    fn begin(&self, what: &'static str, quiet: Duration, now: Instant) -> bool {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        self.in_trouble.store(true, Ordering::Relaxed);
        let new = || Trouble { since: now, latest: now, quiet, failures: 0, told: Vec::new() };
        let trouble = trouble.get_or_insert_with(new);
        trouble.latest = now;
        trouble.quiet = trouble.quiet.max(quiet);
        trouble.failures += 1;
        let is_news = !trouble.told.contains(&what);
        if is_news {
            trouble.told.push(what);
        }
        is_news
    }

    /// What is over, if something is: operations that were under way may still fail for a while.
    fn end(&self, now: Instant) -> Option<Trouble> {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let over = trouble.take_if(|trouble| trouble.quiet <= now.duration_since(trouble.latest))?;
        self.in_trouble.store(false, Ordering::Relaxed);
        Some(over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_told_once_and_the_end_once() {
        let condition = Condition::default();
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        assert!(condition.end(start).is_none(), "nothing began");
        let begin = |what, seconds| condition.begin(what, QUIET, after(seconds));
        assert!(begin("unreachable", 0));
        assert!(!begin("unreachable", 1));
        assert!(begin("slow", 2));
        assert!(!begin("unreachable", 3));
        assert!(condition.end(after(4)).is_none(), "one failed a second ago");
        let over = condition.end(after(6)).unwrap();
        assert_eq!((over.failures, over.latest - over.since), (4, Duration::from_secs(3)));
        assert!(condition.end(after(7)).is_none(), "told once");
        assert!(begin("unreachable", 8), "the next time is news again");
        assert!(condition.begin("full", QUIET_WHILE_READABLE, after(9)));
        assert!(condition.end(after(20)).is_none(), "reading goes on while nothing can be written");
        assert!(condition.end(after(40)).is_some());
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
