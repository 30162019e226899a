//! A process with thousands of sockets, which counts what it has: `cargo xtask soak` builds
//! it, and runs it beside the scripted peer.
//!
//! Invariant: the peer is another process, so that everything counted here is the client's.

mod allocated;
mod behaviour;
mod histogram;
mod load;
mod picture;
mod process;
mod sample;
mod verdict;

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use behaviour::Peer;
use load::Load;
use process::Process;
use sample::Sample;

/// What is left of the sockets is gone within this time after the last one was dropped.
const END_LIMIT: Duration = Duration::from_secs(120);

/// What a run is asked for.
struct Plan {
    peer: Peer,
    sockets: usize,
    time: Duration,
    /// The time between two samples.
    every: Duration,
    /// The time between two messages of a socket.
    period: Duration,
    /// Where the samples and the picture go.
    folder: PathBuf,
}

const USAGE: &str = "usage: isosocket-soak PLAIN_PORT TLS_PORT REFUSED_PORT SOCKETS SECONDS \
                     SECONDS_BETWEEN_SAMPLES MILLISECONDS_BETWEEN_MESSAGES FOLDER";

fn main() -> ExitCode {
    let Some(plan) = plan() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match run(&plan) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("isosocket-soak: {error}");
            ExitCode::from(2)
        }
    }
}

fn plan() -> Option<Plan> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [numbers @ .., folder] = &arguments[..] else {
        return None;
    };
    let numbers: Vec<u64> = numbers
        .iter()
        .map(|text| text.parse().ok())
        .collect::<Option<_>>()?;
    let [plain, tls, refused, sockets, seconds, every, period] = numbers[..] else {
        return None;
    };
    let port = |number: u64| u16::try_from(number).ok();
    Some(Plan {
        peer: Peer {
            plain: port(plain)?,
            tls: port(tls)?,
            refused: port(refused)?,
        },
        sockets: usize::try_from(sockets).ok().filter(|count| *count > 0)?,
        time: Duration::from_secs(seconds),
        every: Duration::from_secs(every.max(1)),
        period: Duration::from_millis(period.max(1)),
        folder: PathBuf::from(folder),
    })
}

/// Runs it all. Whether everything stayed flat.
fn run(plan: &Plan) -> Result<bool, String> {
    let file = plan.folder.join("soak.jsonl");
    let mut lines =
        File::create(&file).map_err(|error| format!("cannot write {file:?}: {error}"))?;
    let before = Process::now();
    let mut load = Load::new(&plan.peer, plan.sockets);
    let mut samples = Vec::new();
    let begin = Instant::now();
    let step = plan.period / u32::try_from(plan.sockets).unwrap_or(u32::MAX);
    let (mut due, mut next_sample) = (begin, begin + plan.every);
    let mut index = 0;
    while begin.elapsed() < plan.time {
        load.visit(index);
        index = (index + 1) % plan.sockets;
        due += step;
        if let Some(early) = due.checked_duration_since(Instant::now()) {
            thread::park_timeout(early);
        } else {
            // What a busy machine could not do in time is left out.
            due = due.max(Instant::now() - plan.period);
        }
        if Instant::now() >= next_sample {
            let sample = Sample::take(begin, &load, samples.last());
            writeln!(lines, "{}", sample.to_json()).map_err(|error| error.to_string())?;
            samples.push(sample);
            next_sample = Instant::now() + plan.every;
        }
    }
    let totals = load.totals();
    drop(load);
    let after = Process::when_like(&before, END_LIMIT);
    let picture = picture::draw(&samples, plan.sockets);
    fs::write(plan.folder.join("soak.svg"), picture)
        .map_err(|error| format!("cannot write the picture: {error}"))?;
    sample::print(&samples);
    println!("at the end: {after}; before the first socket: {before}");
    println!("in all: {totals}");
    Ok(verdict::print(&verdict::judge(
        &samples, &totals, &before, &after,
    )))
}
