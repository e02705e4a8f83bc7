//! Whether rows come from memory, as far as can be told by how long they take.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// A read that takes longer came from the disk, or its thread was kept from running.
pub(super) const SLOW: Duration = Duration::from_millis(1);
/// For how long nothing is read where it is asked for after the first slow read. Each one that follows doubles it.
const LEAST_PAUSE: Duration = Duration::from_millis(16);
/// Up to this.
const MOST_PAUSE: Duration = Duration::from_millis(1024);

/// Says when reads may be tried where they are asked for. A thread that is kept from running looks slow once, a slow disk again
/// and again: then there is a try a second.
pub(super) struct Pace {
    /// What the other times count from.
    epoch: Instant,
    /// Until when nothing is tried, in microseconds.
    paused_until: AtomicU64,
    /// How long the next pause is, in microseconds.
    next_pause: AtomicU64,
}

impl Pace {
    /// Allows tries.
    pub(super) fn new(now: Instant) -> Self {
        Self { epoch: now, paused_until: AtomicU64::new(0), next_pause: AtomicU64::new(micros(LEAST_PAUSE)) }
    }

    /// Whether a read may be tried.
    pub(super) fn allows(&self, now: Instant) -> bool {
        self.paused_until.load(Ordering::Relaxed) <= self.since_epoch(now)
    }

    /// Notes how long a read took that was tried.
    pub(super) fn note(&self, began: Instant, ended: Instant) {
        // Of two at once one may be lost, which does no harm.
        let pause = self.next_pause.load(Ordering::Relaxed);
        if ended.saturating_duration_since(began) < SLOW {
            if pause != micros(LEAST_PAUSE) {
                self.next_pause.store(micros(LEAST_PAUSE), Ordering::Relaxed);
            }
        } else {
            self.paused_until.store(self.since_epoch(ended).saturating_add(pause), Ordering::Relaxed);
            self.next_pause.store((2 * pause).min(micros(MOST_PAUSE)), Ordering::Relaxed);
        }
    }

    fn since_epoch(&self, now: Instant) -> u64 {
        micros(now.saturating_duration_since(self.epoch))
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_micros(20);

    #[test]
    fn one_slow_read_pauses_for_a_moment() {
        let start = Instant::now();
        let pace = Pace::new(start);
        assert!(pace.allows(start));
        pace.note(start, start + QUICK);
        assert!(pace.allows(start + QUICK));
        let slow = start + SLOW;
        pace.note(start, slow);
        assert!(!pace.allows(slow));
        assert!(!pace.allows(slow + LEAST_PAUSE - QUICK));
        assert!(pace.allows(slow + LEAST_PAUSE));
    }

    #[test]
    fn slow_reads_in_a_row_pause_longer_and_longer_until_a_quick_one() {
        let mut now = Instant::now();
        let pace = Pace::new(now);
        for expected in [16, 32, 64, 128, 256, 512, 1024, 1024].map(Duration::from_millis) {
            pace.note(now, now + SLOW);
            now += SLOW;
            assert!(!pace.allows(now + expected - QUICK));
            now += expected;
            assert!(pace.allows(now));
        }
        pace.note(now, now + QUICK);
        pace.note(now, now + SLOW);
        assert!(pace.allows(now + SLOW + LEAST_PAUSE));
    }
}
