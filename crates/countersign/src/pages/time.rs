//! A point in time as pages show it: in UTC, since nobody knows the reader's zone without a script.

use countersign_core::Timestamp;
use serde::Serialize;

/// A point in time in parts, so that each language can put them in its own order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct When {
    /// For machines, as in `<time datetime>`: `2026-11-18T10:00:00Z`.
    pub machine: String,
    /// The year.
    pub year: i16,
    /// The month, from 1.
    pub month: i8,
    /// The day of the month.
    pub day: i8,
    /// Hours and minutes: `10:00`.
    pub clock: String,
}

impl From<Timestamp> for When {
    /// A time outside of the years -9999 to 9999, which no clock of ours tells, becomes the epoch.
    fn from(timestamp: Timestamp) -> Self {
        let second = timestamp.as_millis().div_euclid(1000);
        let time = jiff::Timestamp::from_second(second).unwrap_or_default();
        let civil = jiff::tz::Offset::UTC.to_datetime(time);
        Self {
            machine: time.to_string(),
            year: civil.year(),
            month: civil.month(),
            day: civil.day(),
            clock: format!("{:02}:{:02}", civil.hour(), civil.minute()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_in_utc_and_cut_to_seconds() {
        for (millis, machine, clock) in [
            (0, "1970-01-01T00:00:00Z", "00:00"),
            (-1, "1969-12-31T23:59:59Z", "23:59"),
            (1_794_996_000_999, "2026-11-18T10:00:00Z", "10:00"),
            (951_782_399_000, "2000-02-28T23:59:59Z", "23:59"),
            (i64::MAX, "1970-01-01T00:00:00Z", "00:00"),
        ] {
            let when = When::from(Timestamp::from_millis(millis));
            assert_eq!((when.machine.as_str(), when.clock.as_str()), (machine, clock), "{millis}");
        }
    }
}
