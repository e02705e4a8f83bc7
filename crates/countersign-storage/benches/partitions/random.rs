//! Random numbers that are the same in each run.

/// A generator (splitmix64).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Evenly in 0..1.
    pub(crate) fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Evenly among the first `count` numbers.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        ((self.share() * count as f64) as usize).min(count - 1)
    }

    /// Exponentially distributed, as the gaps between independent arrivals are.
    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.share()).ln()
    }

    /// A duration that is mostly near `usual` and now and then far above: one in a hundred takes ten times as long.
    pub(crate) fn with_tail(&mut self, usual: f64) -> f64 {
        let tail = if self.share() < 0.01 { 10.0 } else { 1.0 };
        usual * tail * (0.75 + 0.5 * self.share())
    }
}
