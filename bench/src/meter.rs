//! How many operations are timed at once, and for how long.
//!
//! Invariant: the clock is read twice for each batch, never for each operation.

use std::time::{Duration, Instant};

/// A batch grows until it takes this long: less than a time slice, so that
/// another program on the machine spoils some batches, and not the median.
const BATCH: Duration = Duration::from_millis(2);
/// The same where a batch ends with waiting for the server.
pub const LONG_BATCH: Duration = Duration::from_millis(20);
/// No batch has more operations; a million small messages take a buffer of
/// some tens of megabytes where a client queues them.
const MOST: u64 = 1_000_000;

/// Times batches of operations.
#[derive(Debug)]
pub struct Meter {
    budget: Duration,
    batch: Duration,
    count: u64,
    calibrated: bool,
    /// What the batch before took, while the count still grows.
    previous: Duration,
    began: Option<Instant>,
    measured: Duration,
    samples: Vec<f64>,
}

impl Meter {
    /// Measures for about `budget`, after warming up.
    pub fn new(budget: Duration) -> Self {
        Meter {
            budget,
            batch: BATCH,
            count: 1,
            calibrated: false,
            previous: Duration::ZERO,
            began: None,
            measured: Duration::ZERO,
            samples: Vec::new(),
        }
    }

    /// With batches that take at least `batch`.
    pub fn with_batch(self, batch: Duration) -> Self {
        Meter { batch, ..self }
    }

    /// Begins a batch and returns how many operations it has; `None` when enough
    /// was measured.
    pub fn begin(&mut self) -> Option<u64> {
        // A handful of samples is the least; a client that takes a second for
        // a batch is not asked for more.
        let enough = self.measured >= self.budget
            && (self.samples.len() >= 5 || self.measured >= self.budget * 2);
        if enough {
            return None;
        }
        self.began = Some(Instant::now());
        Some(self.count)
    }

    /// The batch is done.
    pub fn end(&mut self) {
        let Some(began) = self.began.take() else {
            return;
        };
        let elapsed = began.elapsed();
        if self.calibrated {
            self.measured += elapsed;
            self.samples
                .push(elapsed.as_nanos() as f64 / self.count as f64);
        } else if (elapsed >= self.batch && self.grows(elapsed)) || self.count >= MOST {
            self.calibrated = true;
        } else {
            self.previous = elapsed;
            self.count = (self.count * 2).min(MOST);
        }
    }

    /// Whether twice the operations took about twice the time: not so while a
    /// batch mostly waits for something that comes once, such as a delayed
    /// acknowledgement.
    fn grows(&self, elapsed: Duration) -> bool {
        !self.previous.is_zero() && elapsed.as_secs_f64() >= 1.7 * self.previous.as_secs_f64()
    }

    /// Nanoseconds for each operation, one value for each batch.
    pub fn into_samples(self) -> Vec<f64> {
        self.samples
    }
}
