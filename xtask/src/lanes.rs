//! Runs several jobs at a time, because hosts wait far more than they compute.
//!
//! Invariant: results come to the caller's thread one by one, and every job
//! has one.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

/// Runs jobs in order, so many at a time, and hands on what each returned as
/// soon as it ended.
pub fn run<J: Send, R: Send>(
    jobs: Vec<J>,
    lanes: usize,
    work: impl Fn(J) -> R + Sync,
    mut done: impl FnMut(R),
) {
    let waiting = Mutex::new(VecDeque::from(jobs));
    let next = || {
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.pop_front()
    };
    thread::scope(|scope| {
        let (sender, results) = mpsc::channel();
        for _ in 0..lanes.max(1) {
            let sender = sender.clone();
            scope.spawn(|| {
                // Moved in, so that the channel ends with the last lane.
                let sender = sender;
                while let Some(job) = next() {
                    // Nobody stops listening before the last result.
                    let _ = sender.send(work(job));
                }
            });
        }
        drop(sender);
        for result in results {
            done(result);
        }
    });
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::run;

    #[test]
    fn every_job_has_a_result() {
        let mut results = Vec::new();
        run((0..20).collect(), 3, |n| n * n, |n| results.push(n));
        results.sort_unstable();
        assert_eq!(results, (0..20).map(|n| n * n).collect::<Vec<_>>());
    }

    #[test]
    fn one_lane_keeps_the_order_and_two_lanes_meet() {
        let mut order = Vec::new();
        run(vec![3, 1, 2], 1, |n| n, |n| order.push(n));
        assert_eq!(order, [3, 1, 2]);
        let barrier = Barrier::new(2);
        let mut met = 0;
        run(
            vec![(), ()],
            2,
            |()| barrier.wait().is_leader(),
            |_| met += 1,
        );
        assert_eq!(met, 2);
    }
}
