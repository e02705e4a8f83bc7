//! What tells of most lookup keys that they are not there, without a look into the database.

use std::{
    fmt,
    sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering},
};

use crate::LookupKey;

/// How many keys share a block: about one key in 200 that is not there then passes a full filter.
const KEYS_PER_BLOCK: usize = 48;

/// A blocked Bloom filter of lookup keys: it may take a key that was never added for one that was, never the other way.
/// Keys are keyed hashes, so their own bits choose the bits that stand for them, and nobody outside can choose those.
///
/// Keys are only ever added, in the order of their numbers, by one at a time; any number may ask meanwhile. 11 bits a key.
/// The numbers are those that one source gave: another one's mean other keys.
/// Putze, Sanders and Singler, "Cache-, Hash- and Space-Efficient Bloom Filters" (2007).
pub struct LookupFilter {
    source: LookupKeySource,
    blocks: Box<[Block]>,
    added: AtomicUsize,
    covers: AtomicI64,
}

/// A database server from its start to its end, which never gives a number twice. One that takes another's place, without the
/// last of what that had, may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LookupKeySource(pub i64);

/// A line of the processor's cache. A key has one bit in each word.
#[derive(Default)]
#[repr(align(64))]
struct Block([AtomicU64; 8]);

impl LookupFilter {
    /// A filter without keys, for that many of a source.
    pub fn new(source: LookupKeySource, keys: usize) -> Self {
        let blocks = keys.div_ceil(KEYS_PER_BLOCK).max(1);
        Self {
            source,
            blocks: std::iter::repeat_with(Block::default).take(blocks).collect(),
            added: AtomicUsize::new(0),
            covers: AtomicI64::new(0),
        }
    }

    /// Whose keys it has.
    pub fn source(&self) -> LookupKeySource {
        self.source
    }

    /// The number of the last key that it has, and all before it. Ask this first: keys that come meanwhile do no harm.
    pub fn covers(&self) -> i64 {
        self.covers.load(Ordering::Acquire)
    }

    /// How many keys were added.
    pub fn len(&self) -> usize {
        self.added.load(Ordering::Relaxed)
    }

    /// Whether no key was added.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether another number of keys would let more than the promised part of the others pass.
    pub fn has_room(&self, keys: usize) -> bool {
        self.len().saturating_add(keys) <= self.blocks.len() * KEYS_PER_BLOCK
    }

    /// Adds keys with their numbers, the smallest first, all of them larger than what the filter covers.
    pub fn add(&self, keys: &[(i64, LookupKey)]) {
        for (_, key) in keys {
            let (block, bits) = self.find(key);
            for (word, bit) in block.0.iter().zip(bits) {
                word.fetch_or(bit, Ordering::Relaxed);
            }
        }
        self.added.fetch_add(keys.len(), Ordering::Relaxed);
        if let Some((last, _)) = keys.last() {
            // Who sees this number sees the bits.
            self.covers.store(*last, Ordering::Release);
        }
    }

    /// Whether the key may be one of those that were added; if not, it is none.
    pub fn may_contain(&self, key: &LookupKey) -> bool {
        let (block, bits) = self.find(key);
        block.0.iter().zip(bits).all(|(word, bit)| word.load(Ordering::Relaxed) & bit != 0)
    }

    /// The key's block, and its bit in each word.
    fn find(&self, key: &LookupKey) -> (&Block, [u64; 8]) {
        let [high, low, ..] = key.as_bytes().as_chunks::<8>().0 else { unreachable!("a key has 32 bytes") };
        // Multiplying spreads the blocks as a division would. There are fewer than 2^64 of them.
        let block = (u128::from(u64::from_be_bytes(*high)) * self.blocks.len() as u128) >> 64;
        let block = usize::try_from(block).expect("smaller than the number of blocks");
        (&self.blocks[block], low.map(|byte| 1 << (byte & 63)))
    }
}

impl fmt::Debug for LookupFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LookupFilter").field("len", &self.len()).field("covers", &self.covers()).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    use super::*;

    fn key(number: i64) -> LookupKey {
        LookupKey::from_bytes(Sha256::digest(number.to_be_bytes()).into())
    }

    fn keys(numbers: std::ops::RangeInclusive<i64>) -> Vec<(i64, LookupKey)> {
        numbers.map(|number| (number, key(number))).collect()
    }

    #[test]
    fn one_without_keys_lets_none_pass() {
        for capacity in [0, 1, 1000] {
            let filter = LookupFilter::new(LookupKeySource(1), capacity);
            assert!(filter.is_empty() && filter.covers() == 0);
            assert!((0..1000).all(|number| !filter.may_contain(&key(number))));
        }
    }

    #[test]
    fn a_full_one_lets_few_others_pass() {
        let filter = LookupFilter::new(LookupKeySource(1), 100_000);
        filter.add(&keys(1..=60_000));
        filter.add(&keys(60_001..=100_000));
        assert_eq!((filter.len(), filter.covers()), (100_000, 100_000));
        assert!(filter.has_room(0) && !filter.has_room(KEYS_PER_BLOCK));
        let others = (100_001..=200_000).filter(|number| filter.may_contain(&key(*number))).count();
        assert!(others < 1000, "{others} of 100,000 pass");
    }

    proptest! {
        #[test]
        fn all_that_were_added_pass(capacity in 0_usize..200, parts in prop::collection::vec(0_i64..100, 0..8)) {
            let filter = LookupFilter::new(LookupKeySource(1), capacity);
            let mut last = 0;
            for part in parts {
                filter.add(&keys(last + 1..=last + part));
                last += part;
                prop_assert_eq!(filter.covers(), last);
            }
            prop_assert!((1..=last).all(|number| filter.may_contain(&key(number))));
        }
    }
}
