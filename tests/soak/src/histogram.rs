//! Counts of times, in a fixed amount of memory.

/// Buckets for each doubling: a bucket is at most 4.5 % wide.
const PER_DOUBLING: f64 = 16.0;
/// From a microsecond up to eighteen minutes.
const BUCKETS: usize = 30 * PER_DOUBLING as usize;

/// Times in microseconds.
#[derive(Debug)]
pub struct Histogram {
    counts: Box<[u32; BUCKETS]>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram {
            counts: Box::new([0; BUCKETS]),
            total: 0,
        }
    }
}

impl Histogram {
    pub fn add(&mut self, microseconds: u64) {
        let bucket = (microseconds.max(1) as f64).log2() * PER_DOUBLING;
        self.counts[(bucket as usize).min(BUCKETS - 1)] += 1;
        self.total += 1;
    }

    #[cfg(test)]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The time within which this share of all is, in microseconds: the upper end of its
    /// bucket. 0 if there is none.
    pub fn share(&self, share: f64) -> u64 {
        let wanted = (self.total as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += u64::from(*count);
            if seen >= wanted && seen > 0 {
                return ((bucket + 1) as f64 / PER_DOUBLING).exp2().round() as u64;
            }
        }
        0
    }

    /// Takes all that was counted.
    pub fn take(&mut self) -> Histogram {
        std::mem::take(self)
    }
}

#[cfg(test)]
mod tests {
    use super::Histogram;

    #[test]
    fn shares_are_right_within_a_bucket() {
        let mut times = Histogram::default();
        assert_eq!(times.share(0.5), 0);
        (1..=10_000).for_each(|time| times.add(time));
        for (share, exact) in [(0.5, 5_000.0), (0.99, 9_900.0), (0.999, 9_990.0)] {
            let ratio = times.share(share) as f64 / exact;
            assert!((0.999..1.05).contains(&ratio), "{share}: {ratio}");
        }
        assert_eq!((times.take().total(), times.total()), (10_000, 0));
    }
}
