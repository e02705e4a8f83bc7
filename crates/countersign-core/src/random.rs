//! Where randomness comes from.

use std::sync::{Mutex, PoisonError};

use zeroize::Zeroizing;

/// Gives unpredictable bytes. The only way to them, so that a test can repeat itself.
pub trait Random: Send + Sync {
    /// Fills `bytes` with unpredictable ones.
    fn fill(&self, bytes: &mut [u8]);
}

impl dyn Random + '_ {
    /// `N` unpredictable bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }
}

/// Random bytes that were drawn at once and are handed out in pieces, since each call to the system costs more than what a
/// piece is used for. What is left is wiped.
pub struct DrawnRandom<'a> {
    source: &'a dyn Random,
    drawn: Mutex<(Zeroizing<[u8; DRAWN]>, usize)>,
}

/// Enough for a request for a token: ids, nonces.
const DRAWN: usize = 128;

impl<'a> DrawnRandom<'a> {
    /// Draws from `source`; and again, piece by piece, once that is used up.
    pub fn new(source: &'a dyn Random) -> Self {
        Self { source, drawn: Mutex::new((Zeroizing::new(source.bytes()), 0)) }
    }
}

impl Random for DrawnRandom<'_> {
    fn fill(&self, bytes: &mut [u8]) {
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        let (pool, used) = &mut *drawn;
        let end = *used + bytes.len();
        match pool.get(*used..end) {
            Some(piece) => {
                bytes.copy_from_slice(piece);
                *used = end;
            }
            None => self.source.fill(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::HashSet,
        sync::atomic::{AtomicU16, Ordering},
    };

    use super::*;

    /// Counts in every two bytes, so that none come twice.
    #[derive(Default)]
    struct Counting(AtomicU16);

    impl Random for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            for pair in bytes.chunks_mut(2) {
                let count = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
                pair.copy_from_slice(&count[..pair.len()]);
            }
        }
    }

    #[test]
    fn nothing_is_handed_out_twice() {
        let source = Counting::default();
        let random: &dyn Random = &DrawnRandom::new(&source);
        let mut seen = HashSet::new();
        for length in [16, 24, 22, 24, 16, 40, 100, 200, 16, 2] {
            let mut piece = vec![0xff; length];
            random.fill(&mut piece);
            assert!(piece.chunks(2).all(|pair| seen.insert(pair.to_vec())), "{length}");
        }
    }
}
