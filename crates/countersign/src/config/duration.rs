//! Durations in the file: `"10m"`, `"24h"`, `"500ms"`, or a plain number of seconds.

use std::fmt;
use std::time::Duration;

use serde::de::{self, Visitor};
use serde::{Deserializer, Serializer};

/// Units from the longest to the shortest, in milliseconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// The longest duration that makes sense here. It keeps sums with points in time far from overflowing.
const LONGEST_MS: u64 = 100 * 365 * 86_400_000;

/// For `#[serde(with = "duration")]`: reads a duration.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    deserializer.deserialize_any(DurationVisitor)
}

/// For `#[serde(with = "duration")]`: writes a duration in the longest unit that divides it.
pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&Written(*duration))
}

/// Parses a whole number and its unit.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let (_, unit_ms) = UNITS.iter().find(|(name, _)| *name == unit.trim_start())?;
    from_ms(number.parse::<u64>().ok()?.checked_mul(*unit_ms)?)
}

fn from_ms(ms: u64) -> Option<Duration> {
    (ms <= LONGEST_MS).then(|| Duration::from_millis(ms))
}

/// A duration as the file spells it.
struct Written(Duration);

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.as_millis();
        let (unit, unit_ms) = UNITS
            .into_iter()
            .find(|(_, unit_ms)| 0 < ms && ms.is_multiple_of(u128::from(*unit_ms)))
            .unwrap_or(("s", 1_000));
        write!(f, "{}{unit}", ms / u128::from(unit_ms))
    }
}

struct DurationVisitor;

impl Visitor<'_> for DurationVisitor {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration such as \"90s\", \"10m\", \"24h\" or \"30d\", of at most 100 years")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
        parse(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }

    fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Duration, E> {
        let ms = u64::try_from(seconds).ok().and_then(|seconds| seconds.checked_mul(1_000));
        ms.and_then(from_ms).ok_or_else(|| E::invalid_value(de::Unexpected::Signed(seconds), &self))
    }

    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Duration, E> {
        let ms = seconds.checked_mul(1_000);
        ms.and_then(from_ms).ok_or_else(|| E::invalid_value(de::Unexpected::Unsigned(seconds), &self))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_with_a_unit_is_a_duration() {
        let cases = [
            ("0s", 0),
            ("500ms", 500),
            ("90s", 90_000),
            ("10m", 600_000),
            ("24h", 86_400_000),
            ("30d", 2_592_000_000),
            ("10 m", 600_000),
        ];
        for (text, ms) in cases {
            assert_eq!(parse(text), Some(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in
            ["", "m", "10", "-1s", "1.5h", "10M", "10m30s", "10 minutes", "99999999999999999999s", "36501d"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(ms in 0..=LONGEST_MS) {
            let duration = Duration::from_millis(ms);
            prop_assert_eq!(parse(&Written(duration).to_string()), Some(duration));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = parse(&text);
        }
    }
}
