//! Rows as both backends know them, and what they sum up to.

use sha2::{Digest as _, Sha256};

/// What a column holds, whatever either backend calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Integer,
    Flag,
    Text,
    Blob,
}

/// What a row holds in one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Integer(i64),
    Flag(bool),
    Text(String),
    Blob(Vec<u8>),
}

/// A row, in the order of the table's columns.
pub(crate) type Row = Vec<Value>;

impl Value {
    /// Feeds it to a hash so that no two lists of values feed the same.
    fn feed(&self, hash: &mut Sha256) {
        let mut sized = |kind: u8, bytes: &[u8]| {
            hash.update([kind]);
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        match self {
            Self::Null => sized(0, &[]),
            Self::Integer(integer) => sized(1, &integer.to_be_bytes()),
            Self::Flag(flag) => sized(2, &[u8::from(*flag)]),
            Self::Text(text) => sized(3, text.as_bytes()),
            Self::Blob(bytes) => sized(4, bytes),
        }
    }
}

/// The count of rows and the sum of their hashes, whatever their order. The sum is that of two halves, each of 128 bits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    rows: u64,
    sum: [u128; 2],
}

impl Tally {
    /// One that was written down.
    pub(crate) fn from_parts(rows: u64, sum: [u8; 32]) -> Self {
        Self { rows, sum: halves(&sum) }
    }

    /// Counts a row.
    pub(crate) fn add(&mut self, row: &[Value]) {
        let mut hash = Sha256::new();
        row.iter().for_each(|value| value.feed(&mut hash));
        let more = halves(&hash.finalize().into());
        self.rows += 1;
        for (half, more) in self.sum.iter_mut().zip(more) {
            *half = half.wrapping_add(more);
        }
    }

    /// How many rows.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// The sum of their hashes.
    pub(crate) fn sum(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (place, half) in bytes.chunks_exact_mut(16).zip(self.sum) {
            place.copy_from_slice(&half.to_be_bytes());
        }
        bytes
    }

    /// The sum, to be shown.
    pub(crate) fn sum_as_hex(&self) -> String {
        self.sum.iter().map(|half| format!("{half:032x}")).collect()
    }
}

fn halves(bytes: &[u8; 32]) -> [u128; 2] {
    let half = |from: usize| u128::from_be_bytes(std::array::from_fn(|index| bytes[from + index]));
    [half(0), half(16)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(rows: &[&[Value]]) -> Tally {
        let mut tally = Tally::default();
        rows.iter().for_each(|row| tally.add(row));
        tally
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn order_of_rows_does_not_count() {
        let (a, b): (&[_], &[_]) = (&[text("a"), Value::Null], &[Value::Integer(7), Value::Flag(true)]);
        assert_eq!(tally(&[a, b]), tally(&[b, a]));
        assert_eq!(Tally::from_parts(2, tally(&[a, b]).sum()), tally(&[a, b]));
    }

    #[test]
    fn rows_that_differ_sum_up_differently() {
        let rows: [&[Value]; 12] = [
            &[],
            &[Value::Null],
            &[Value::Null, Value::Null],
            &[text("")],
            &[text("ab"), text("c")],
            &[text("a"), text("bc")],
            &[text("abc"), text("")],
            &[Value::Blob(b"abc".to_vec()), text("")],
            &[Value::Integer(0)],
            &[Value::Integer(1)],
            &[Value::Flag(true)],
            &[Value::Blob(vec![0; 8])],
        ];
        for (index, row) in rows.iter().enumerate() {
            for other in &rows[index + 1..] {
                assert_ne!(tally(&[row]), tally(&[other]), "{row:?} {other:?}");
            }
            assert_ne!(
                tally(&[row, row]).sum(),
                Tally::default().sum(),
                "twice the same does not cancel out"
            );
        }
    }
}
