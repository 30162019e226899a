//! What was counted at a moment, as a line of JSON and as a row of a table.

use std::time::Instant;

use crate::load::{Load, Totals};
use crate::process::{Process, mebibytes};

/// One moment of a run, and what happened since the one before.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    /// Seconds since the beginning.
    pub at: f64,
    pub process: Process,
    /// Open sockets.
    pub open: usize,
    /// Since the beginning.
    pub totals: Totals,
    /// Times a second that a thread which serves sockets woke up.
    pub wake_ups: f64,
    /// Share of one core, in percent.
    pub processor: f64,
    /// Messages answered a second.
    pub rate: f64,
    /// Connections established a second.
    pub connects: f64,
    /// The times of answers, in microseconds: half, 99 % and 99.9 % took no longer.
    pub latencies: [u64; 3],
}

impl Sample {
    pub fn take(begin: Instant, load: &Load, last: Option<&Sample>) -> Self {
        let latencies = load.take_latencies();
        let (process, totals) = (Process::now(), load.totals());
        let at = begin.elapsed().as_secs_f64();
        let first = Sample::default();
        let last = last.unwrap_or(&first);
        let time = (at - last.at).max(1e-3);
        let per_second = |now: u64, before: u64| now.saturating_sub(before) as f64 / time;
        Sample {
            at,
            open: load.open(),
            wake_ups: per_second(process.sleeps, last.process.sleeps),
            processor: per_second(process.processor, last.process.processor) / 10.0,
            rate: per_second(totals.answers, last.totals.answers),
            connects: per_second(totals.opened, last.totals.opened),
            latencies: [0.5, 0.99, 0.999].map(|share| latencies.share(share)),
            process,
            totals,
        }
    }

    pub fn to_json(self) -> String {
        let Sample {
            at,
            process,
            open,
            totals,
            wake_ups,
            processor,
            rate,
            connects,
            latencies: [p50, p99, p999],
        } = self;
        let Process {
            memory,
            allocated,
            descriptors,
            threads,
            ..
        } = process;
        let (opened, lost) = (totals.opened, totals.lost);
        format!(
            "{{\"seconds\":{at:.1},\"memory\":{memory},\"allocated\":{allocated},\"descriptors\":{descriptors},\
             \"threads\":{threads},\"open\":{open},\"wake_ups_per_second\":{wake_ups:.1},\
             \"processor_percent\":{processor:.1},\"answers_per_second\":{rate:.1},\
             \"connects_per_second\":{connects:.1},\"connections\":{opened},\"losses\":{lost},\
             \"p50_us\":{p50},\"p99_us\":{p99},\"p999_us\":{p999}}}"
        )
    }
}

/// A few of the samples as a table in Markdown, the last one among them.
pub fn print(samples: &[Sample]) {
    const ROWS: usize = 12;

    println!(
        "| minutes | memory (MiB) | allocated (MiB) | descriptors | threads | open | wake-ups/s | \
         answers/s | connects/s | p50 (ms) | p99 (ms) | p99.9 (ms) |"
    );
    println!("|{}", " ---: |".repeat(12));
    let step = samples.len().div_ceil(ROWS).max(1);
    for sample in samples
        .iter()
        .rev()
        .step_by(step)
        .collect::<Vec<_>>()
        .iter()
        .rev()
    {
        let Process {
            memory,
            allocated,
            descriptors,
            threads,
            ..
        } = sample.process;
        let [p50, p99, p999] = sample.latencies.map(|time| time as f64 / 1e3);
        println!(
            "| {:.1} | {:.1} | {:.2} | {descriptors} | {threads} | {} | {:.0} | {:.0} | {:.1} | \
             {p50:.1} | {p99:.1} | {p999:.1} |",
            sample.at / 60.0,
            mebibytes(memory),
            mebibytes(allocated),
            sample.open,
            sample.wake_ups,
            sample.rate,
            sample.connects,
        );
    }
}
