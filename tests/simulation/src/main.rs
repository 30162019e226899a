//! Simulates the whole client, core and engine, in simulated time: `cargo xtask simulate`
//! builds and runs it.
//!
//! One seed is one run. A run that finds a fault is run again by its seed alone, with a
//! trace of everything that happened.

#[cfg(isosocket_simulation)]
mod again;
#[cfg(isosocket_simulation)]
mod agree;
#[cfg(isosocket_simulation)]
mod network;
#[cfg(isosocket_simulation)]
mod peer;
#[cfg(isosocket_simulation)]
mod plan;
#[cfg(isosocket_simulation)]
mod run;

#[cfg(not(isosocket_simulation))]
fn main() {
    eprintln!("build it by `cargo xtask simulate`, which passes --cfg isosocket_simulation");
    std::process::exit(2);
}

#[cfg(isosocket_simulation)]
fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Vec<u64> = arguments
        .iter()
        .filter_map(|text| text.parse().ok())
        .collect();
    let is_good = match (arguments.first().map(String::as_str), &numbers[..]) {
        (Some("run"), [from, count, block]) => simulate(*from, *count, *block),
        (Some("replay"), [seed]) => replay(*seed),
        _ => {
            eprintln!("usage: isosocket-simulation run FROM COUNT BLOCK | replay SEED");
            return std::process::ExitCode::from(2);
        }
    };
    match is_good {
        true => std::process::ExitCode::SUCCESS,
        false => std::process::ExitCode::FAILURE,
    }
}

/// Runs so many seeds. Each block of them is one line, and each fault that a seed found.
#[cfg(isosocket_simulation)]
fn simulate(from: u64, count: u64, block: u64) -> bool {
    /// More seeds that fail say no more.
    const MOST: usize = 10;

    let began = std::time::Instant::now();
    let end = from.saturating_add(count);
    let (mut seed, mut passed, mut failed, mut bad) = (from, 0, 0, 0);
    std::panic::set_hook(Box::new(|_| {}));
    while seed < end && bad < MOST {
        let (first, before) = (seed, bad);
        while seed < end.min(first.saturating_add(block)) && bad < MOST {
            let faults = attempt(seed);
            bad += usize::from(!faults.is_empty());
            for fault in faults {
                println!("seed {seed}: {fault}");
            }
            seed += 1;
        }
        let word = match bad == before {
            true => "ok",
            false => "FAILED",
        };
        *(if bad == before {
            &mut passed
        } else {
            &mut failed
        }) += 1;
        println!("test seeds from {first} to {} ... {word}", seed - 1);
    }
    let seconds = began.elapsed().as_secs_f64();
    let rate = (seed - from) as f64 / seconds;
    println!(
        "{} seeds in {seconds:.1} s: {rate:.0} a second",
        seed - from
    );
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!("test result: {word}. {passed} passed; {failed} failed; 0 ignored");
    failed == 0
}

/// One seed of four is for a socket that connects again, and one of eight compares the mock
/// with the real client.
#[cfg(isosocket_simulation)]
fn one(seed: u64, trace: bool) -> (run::Faults, Vec<String>) {
    match seed % 8 {
        3 | 7 => again::run(seed, trace),
        5 => agree::run(seed, trace),
        _ => run::run(seed, trace),
    }
}

/// A run's faults; a panic is one too.
#[cfg(isosocket_simulation)]
fn attempt(seed: u64) -> Vec<String> {
    let outcome = std::panic::catch_unwind(|| one(seed, false).0);
    outcome.unwrap_or_else(|_| vec!["it panicked".to_owned()])
}

/// Runs one seed, and prints everything that happens.
#[cfg(isosocket_simulation)]
fn replay(seed: u64) -> bool {
    let (faults, trace) = one(seed, true);
    for line in trace {
        println!("{line}");
    }
    for fault in &faults {
        println!("FAULT: {fault}");
    }
    faults.is_empty()
}
