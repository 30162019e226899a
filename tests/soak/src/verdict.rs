//! What must hold at the end of a run: that nothing grew, and that nothing is left.
//!
//! Invariant: the first quarter of a run judges nothing. Sockets are made there, and
//! allocators take what they will use.

use crate::load::Totals;
use crate::process::Process;
use crate::sample::Sample;

/// A name as a test has it, and what is wrong.
pub type Outcome = (&'static str, Result<(), String>);

/// Memory may differ between two quarters by this share, and by so many bytes more: a
/// moment with more large messages under way takes as much.
const SHARE: f64 = 0.02;
const BYTES: f64 = (1 << 20) as f64;

/// The same for what is allocated, which does not depend on how full the allocator's pages are.
/// In an hour a few bytes for each connection would be more.
const ALLOCATED_SHARE: f64 = 0.002;
const ALLOCATED_BYTES: f64 = (32 << 10) as f64;

pub fn judge(
    samples: &[Sample],
    totals: &Totals,
    before: &Process,
    after: &Process,
) -> Vec<Outcome> {
    let memory = |sample: &Sample| sample.process.memory as f64;
    let allocated = |sample: &Sample| sample.process.allocated as f64;
    // What the sockets themselves have varies with how many of them are open.
    let descriptors = |sample: &Sample| sample.process.descriptors as f64 - sample.open as f64;
    let threads = |sample: &Sample| sample.process.threads as f64;
    let sockets = samples.iter().map(|it| it.open).max().unwrap_or(0) as f64;
    let memory_slack = BYTES + SHARE * middle(samples, memory);
    let allocated_slack = ALLOCATED_BYTES + ALLOCATED_SHARE * middle(samples, allocated);
    let zero = |count: u64, what: &str| match count {
        0 => Ok(()),
        count => Err(format!("{count} {what}")),
    };
    let left = |now: u64, before: u64, what: &str| match now <= before {
        true => Ok(()),
        false => Err(format!("{now} {what} are left, {before} before")),
    };
    vec![
        (
            "memory_stays_flat",
            flat(samples, "bytes", memory, memory_slack),
        ),
        (
            "allocated_memory_stays_flat",
            flat(samples, "bytes", allocated, allocated_slack),
        ),
        (
            "descriptors_stay_flat",
            flat(samples, "descriptors", descriptors, 16.0 + SHARE * sockets),
        ),
        ("threads_stay_flat", flat(samples, "threads", threads, 2.0)),
        (
            "no_descriptor_is_left",
            left(after.descriptors, before.descriptors, "descriptors"),
        ),
        (
            "no_thread_is_left",
            left(after.threads, before.threads, "threads"),
        ),
        ("every_answer_is_right", zero(totals.wrong, "wrong answers")),
        (
            "every_message_is_answered_or_lost_with_its_connection",
            zero(totals.unanswered, "messages without an answer"),
        ),
        (
            "no_socket_gives_up",
            zero(totals.gave_up, "sockets gave up"),
        ),
        ("there_was_a_load", loaded(samples, totals)),
    ]
}

/// The middle of the last quarter is not above that of the second one.
fn flat(
    samples: &[Sample],
    unit: &str,
    figure: impl Fn(&Sample) -> f64,
    slack: f64,
) -> Result<(), String> {
    let quarter = samples.len() / 4;
    if quarter == 0 {
        return Err(format!("{} samples are too few", samples.len()));
    }
    let early = middle(&samples[quarter..2 * quarter], &figure);
    let late = middle(&samples[samples.len() - quarter..], &figure);
    match late <= early + slack {
        true => Ok(()),
        false => Err(format!(
            "{early:.0} {unit} in the second quarter, {late:.0} in the last one; \
             {slack:.0} more would be good"
        )),
    }
}

fn middle(samples: &[Sample], figure: impl Fn(&Sample) -> f64) -> f64 {
    let mut figures: Vec<f64> = samples.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(0.0)
}

/// A run in which nothing happens would be flat as well.
fn loaded(samples: &[Sample], totals: &Totals) -> Result<(), String> {
    let open = middle(samples, |sample| sample.open as f64);
    let is_loaded = open > 0.0 && totals.answers > totals.opened && totals.lost > 0;
    match is_loaded {
        true => Ok(()),
        false => Err(format!("{open} sockets were open; {totals}")),
    }
}

/// Prints what libtest would. Whether all is good.
pub fn print(outcomes: &[Outcome]) -> bool {
    let mut failed = 0;
    for (name, outcome) in outcomes {
        match outcome {
            Ok(()) => println!("test {name} ... ok"),
            Err(error) => {
                failed += 1;
                println!("test {name} ... FAILED\n    {error}");
            }
        }
    }
    let word = if failed == 0 { "ok" } else { "FAILED" };
    let passed = outcomes.len() - failed;
    println!("test result: {word}. {passed} passed; {failed} failed; 0 ignored");
    failed == 0
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::load::Totals;
    use crate::process::Process;
    use crate::sample::Sample;

    /// An hour in which each figure grows by so much in all. The names of what failed.
    fn failures(
        [memory, allocated]: [u64; 2],
        descriptors: u64,
        threads: u64,
        left: u64,
    ) -> Vec<&'static str> {
        let sample = |at: u64| Sample {
            open: 9_000 + at as usize % 100,
            process: Process {
                memory: (100 << 20) + memory * at / 360,
                allocated: (90 << 20) + allocated * at / 360,
                descriptors: 9_010 + at % 100 + descriptors * at / 360,
                threads: 2 + threads * at / 360,
                ..Process::default()
            },
            ..Sample::default()
        };
        let samples: Vec<Sample> = (0..360).map(sample).collect();
        let totals = Totals {
            answers: 9,
            opened: 3,
            lost: 2,
            ..Totals::default()
        };
        let after = Process {
            descriptors: left,
            ..Process::default()
        };
        let outcomes = judge(&samples, &totals, &Process::default(), &after);
        let failed = outcomes.iter().filter(|(_, outcome)| outcome.is_err());
        failed.map(|(name, _)| *name).collect()
    }

    #[test]
    fn what_grows_is_found() {
        assert!(failures([0; 2], 0, 0, 0).is_empty());
        assert!(failures([1 << 20, 100_000], 100, 1, 0).is_empty());
        assert_eq!(failures([20 << 20, 0], 0, 0, 0), ["memory_stays_flat"]);
        assert_eq!(
            failures([0, 1 << 20], 0, 0, 0),
            ["allocated_memory_stays_flat"]
        );
        assert_eq!(failures([0; 2], 1_000, 0, 0), ["descriptors_stay_flat"]);
        assert_eq!(failures([0; 2], 0, 10, 0), ["threads_stay_flat"]);
        assert_eq!(failures([0; 2], 0, 0, 1), ["no_descriptor_is_left"]);
    }

    #[test]
    fn a_run_without_load_is_no_proof() {
        let outcomes = judge(
            &[Sample::default(); 4],
            &Totals::default(),
            &Process::default(),
            &Process::default(),
        );
        let (name, last) = outcomes.last().expect("it is judged");
        assert_eq!((*name, last.is_err()), ("there_was_a_load", true));
    }
}
