//! Whether rows come from memory, as far as can be told by how long they take.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// A read that takes longer came from the disk, or its thread was kept from running.
pub(super) const SLOW: Duration = Duration::from_millis(1);
/// For how long nothing is read where it is asked for after a slow read: at least so long,
const LEAST_PAUSE: Duration = Duration::from_millis(16);
/// so many times as long as the read took,
const PAUSE_PER_READ: u32 = 8;
/// and at most so long.
const MOST_PAUSE: Duration = Duration::from_secs(10);

/// All reads may be tried.
const OPEN: u64 = 0;
/// One is being tried, alone.
const ON_TRIAL: u64 = u64::MAX;

/// Says when reads may be tried where they are asked for, so that slow ones have a ninth of a thread's time at most.
pub(super) struct Pace {
    /// What the other time counts from.
    epoch: Instant,
    /// [`OPEN`], [`ON_TRIAL`], or until when nothing is tried, in microseconds. Then one is, before others are.
    state: AtomicU64,
}

/// A read that may be tried, and whose time is to be noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Try {
    /// One of many.
    Usual,
    /// The first after a pause.
    Trial,
}

impl Pace {
    /// Begins with a trial.
    pub(super) fn new(now: Instant) -> Self {
        Self { epoch: now, state: AtomicU64::new(1) }
    }

    /// Whether a read may be tried now. What came of it must be [noted](Self::note).
    pub(super) fn begin(&self, now: Instant) -> Option<Try> {
        match self.state.load(Ordering::Relaxed) {
            OPEN => Some(Try::Usual),
            until if until <= self.since_epoch(now).max(1) => {
                let claimed =
                    self.state.compare_exchange(until, ON_TRIAL, Ordering::Relaxed, Ordering::Relaxed);
                claimed.is_ok().then_some(Try::Trial)
            }
            // The pause lasts, or another is on trial.
            _ => None,
        }
    }

    /// Notes how long a read took that was tried.
    pub(super) fn note(&self, tried: Try, began: Instant, ended: Instant) {
        let took = ended.saturating_duration_since(began);
        if SLOW <= took {
            let pause = (PAUSE_PER_READ * took).clamp(LEAST_PAUSE, MOST_PAUSE);
            self.state.store(self.since_epoch(ended + pause), Ordering::Relaxed);
        } else if tried == Try::Trial {
            // Unless one that began before the trial was slow meanwhile.
            let _ = self.state.compare_exchange(ON_TRIAL, OPEN, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    fn since_epoch(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.epoch).as_micros()).unwrap_or(ON_TRIAL - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_micros(20);
    const DISK: Duration = Duration::from_millis(20);

    /// A pace at which everything may be tried, and the time.
    fn open() -> (Pace, Instant) {
        let now = Instant::now();
        let pace = Pace::new(now);
        let trial = pace.begin(now).unwrap();
        pace.note(trial, now, now + QUICK);
        (pace, now + QUICK)
    }

    #[test]
    fn the_first_read_is_alone() {
        let now = Instant::now();
        let pace = Pace::new(now);
        assert_eq!(pace.begin(now), Some(Try::Trial));
        assert_eq!(pace.begin(now + DISK), None);
        pace.note(Try::Trial, now, now + QUICK);
        assert_eq!(pace.begin(now + DISK), Some(Try::Usual));
        assert_eq!(pace.begin(now + DISK), Some(Try::Usual));
    }

    #[test]
    fn a_slow_read_pauses_for_a_moment_and_then_one_is_tried() {
        let (pace, now) = open();
        let ended = now + SLOW;
        pace.note(Try::Usual, now, ended);
        assert_eq!(pace.begin(ended), None);
        assert_eq!(pace.begin(ended + LEAST_PAUSE - QUICK), None);
        assert_eq!(pace.begin(ended + LEAST_PAUSE), Some(Try::Trial));
        assert_eq!(pace.begin(ended + LEAST_PAUSE), None);
    }

    #[test]
    fn a_quick_read_that_began_before_ends_no_pause() {
        let (pace, now) = open();
        pace.note(Try::Usual, now, now + DISK);
        pace.note(Try::Usual, now + DISK - QUICK, now + DISK);
        assert_eq!(pace.begin(now + 2 * DISK), None);
        // Nor does a trial, if another was slow meanwhile.
        assert_eq!(pace.begin(now + 10 * DISK), Some(Try::Trial));
        pace.note(Try::Usual, now, now + 11 * DISK);
        pace.note(Try::Trial, now + 10 * DISK, now + 10 * DISK + QUICK);
        assert_eq!(pace.begin(now + 12 * DISK), None);
    }

    #[test]
    fn slow_reads_among_quick_ones_have_a_small_part_of_the_time() {
        for slow in [SLOW, DISK, 100 * SLOW] {
            let (pace, start) = open();
            let (mut now, mut blocked) = (start, Duration::ZERO);
            for number in 0..10_000 {
                let took = if number % 2 == 0 { QUICK } else { slow };
                if let Some(tried) = pace.begin(now) {
                    pace.note(tried, now, now + took);
                    now += took;
                    if took == slow {
                        blocked += took;
                    }
                }
                now += Duration::from_millis(5);
            }
            let share = blocked.as_secs_f64() / (now - start).as_secs_f64();
            assert!(share < 1.0 / 8.0, "{slow:?} reads hold a thread up for {share} of the time");
        }
    }

    #[test]
    fn no_pause_is_longer_than_the_longest() {
        let (pace, now) = open();
        let ended = now + Duration::from_hours(1);
        pace.note(Try::Usual, now, ended);
        assert_eq!(pace.begin(ended + MOST_PAUSE - QUICK), None);
        assert_eq!(pace.begin(ended + MOST_PAUSE), Some(Try::Trial));
    }
}
