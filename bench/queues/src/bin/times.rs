//! What the queues take of the processor's time, as ratios.
//!
//! All but the last row run on one thread. So no lock is contended. Nothing is woken in the
//! kernel, for which both sides would pay the same.
//!
//! Invariant: the two sides of a row take turns, so a slow minute of the machine befalls both.

use std::hint::black_box;
use std::time::{Duration, Instant};

use isosocket_bench_queues::{ours, theirs};

/// A side of a row: does its work so many times.
type Side = fn(u64);

/// What is compared: a name, how many operations one call counts for, ours, and async-channel.
const ROWS: &[(&str, u64, Side, Side)] = &[
    ("a job alone", 1, ours::job, theirs::job),
    ("a job of 64", ours::BATCH, ours::jobs, theirs::jobs),
    ("a look when there is nothing", 1, ours::look, theirs::look),
    (
        "an answer of the resolver, a channel for each loop",
        1,
        ours::answer,
        theirs::answer,
    ),
    (
        "an answer of the resolver, a channel for each lookup",
        1,
        ours::answer,
        theirs::answer_of_its_own,
    ),
    ("a status that is awaited", 1, ours::status, theirs::status),
    (
        "a status that nobody reads",
        1,
        ours::unread_status,
        theirs::unread_status,
    ),
    (
        "a job while another thread takes them",
        1,
        ours::crossing,
        theirs::crossing,
    ),
];

const ROUNDS: usize = 41;
const ROUND: Duration = Duration::from_millis(4);

fn main() {
    println!("| what | ours | async-channel | ratio |");
    println!("| --- | ---: | ---: | ---: |");
    for (name, operations, ours, theirs) in ROWS {
        let counts = [ours, theirs].map(|side| calibrate(*side));
        let (mut times, mut ratios) = ([Vec::new(), Vec::new()], Vec::new());
        for _ in 0..ROUNDS {
            let [ours, theirs] = [(ours, counts[0]), (theirs, counts[1])]
                .map(|(side, count)| time(*side, count) / *operations as f64);
            ratios.push(theirs / ours);
            times[0].push(ours);
            times[1].push(theirs);
        }
        let [ours, theirs] = times.map(median);
        let ratio = median(ratios);
        println!("| {name} | {ours:.1} ns | {theirs:.1} ns | {ratio:.2}× |");
    }
}

/// How many calls take about the time of a round.
fn calibrate(side: Side) -> u64 {
    let mut count = 1;
    loop {
        let began = Instant::now();
        side(black_box(count));
        if began.elapsed() >= ROUND {
            return count;
        }
        count *= 2;
    }
}

/// Nanoseconds for each call.
fn time(side: Side, count: u64) -> f64 {
    let began = Instant::now();
    side(black_box(count));
    began.elapsed().as_nanos() as f64 / count as f64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
