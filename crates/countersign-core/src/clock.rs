//! Points in time, and where they come from.

use std::{fmt, time::Duration};

/// A point in time: milliseconds since the Unix epoch, as both APIs write it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The given number of milliseconds after the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The time that is `duration` later, or the end of time.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// The time that is `duration` earlier, or the beginning of time.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Tells the time. The only way to it, so that a test can hold the hands.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn time_stops_at_its_ends() {
        let (first, last) = (Timestamp::from_millis(i64::MIN), Timestamp::from_millis(i64::MAX));
        assert_eq!(last.after(Duration::from_millis(1)), last);
        assert_eq!(first.before(Duration::MAX), first);
        assert_eq!(Timestamp::from_millis(0).after(Duration::MAX), last);
        assert_eq!(first.since(last), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn since_undoes_after(start in -1_000_000_000_000..4_000_000_000_000_i64, millis in 0..1_000_000_000_000_u64) {
            let (start, wait) = (Timestamp::from_millis(start), Duration::from_millis(millis));
            prop_assert_eq!(start.after(wait).since(start), wait);
            prop_assert_eq!(start.after(wait).before(wait), start);
            prop_assert_eq!(start.before(wait).since(start), Duration::ZERO);
        }
    }
}
