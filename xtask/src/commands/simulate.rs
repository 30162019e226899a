//! `cargo xtask simulate`: the whole client in simulated time, from seeds.
//!
//! Invariant: it is built with `--cfg isosocket_simulation` in a target folder of its own,
//! so that no other build changes by it.

use std::fs;
use std::time::Duration;

use super::number;
use crate::run::{Invocation, progress, workspace};

const PACKAGE: &str = "isosocket-simulation";
const PROFILE: &str = "simulation";
const TARGET: &str = "target/simulation";
const BUILD_LIMIT: Duration = Duration::from_secs(20 * 60);
const RUN_LIMIT: Duration = Duration::from_secs(60 * 60);

/// How many seeds are one line of the log, which test-all counts as one case.
const BLOCK: u64 = 1000;
/// How many seeds a run has if none are asked for: a row of test-all.
const SEEDS: u64 = 20_000;

#[derive(Debug, PartialEq, Eq)]
enum Task {
    /// So many seeds, from this one on.
    Run(u64, u64),
    Replay(u64),
    Build,
}

fn parse(arguments: &[String]) -> Result<Task, String> {
    let (mut seeds, mut from) = (SEEDS, 0);
    let mut rest = arguments.iter().map(String::as_str);
    while let Some(argument) = rest.next() {
        let mut number = || number(argument, &mut rest);
        match argument {
            "--seeds" => seeds = number()?,
            "--from" => from = number()?,
            "--replay" => return Ok(Task::Replay(number()?)),
            "build" => return Ok(Task::Build),
            other => return Err(format!("simulate knows no `{other}`")),
        }
    }
    Ok(Task::Run(from, seeds))
}

pub fn main(arguments: &[String]) -> Result<bool, String> {
    let task = parse(arguments)?;
    let log = workspace::empty_log("simulate.log")?;
    let build = Invocation::cargo()
        .args(["build", "--profile", PROFILE, "--package", PACKAGE])
        .args(["--target-dir", TARGET])
        .env("RUSTFLAGS", "--cfg isosocket_simulation");
    progress::run_or_show("building the simulation", &build, &log, BUILD_LIMIT)?;
    let binary = workspace::root().join(TARGET).join(PROFILE).join(PACKAGE);
    let numbers = match task {
        Task::Build => return Ok(true),
        Task::Replay(seed) => vec!["replay".to_owned(), seed.to_string()],
        Task::Run(from, count) => {
            let numbers = [from, count, BLOCK].map(|number| number.to_string());
            [vec!["run".to_owned()], numbers.to_vec()].concat()
        }
    };
    let said = workspace::output()?.join("simulate.txt");
    let run = Invocation::new(binary).args(&numbers).stdout_to(&said);
    let result = progress::run("simulating", &run, &log, RUN_LIMIT);
    print!("{}", fs::read_to_string(&said).unwrap_or_default());
    if let Err(problem) = &result {
        eprintln!("{problem}; `cargo xtask simulate --replay SEED` shows one run");
    }
    Ok(result.is_ok())
}

#[cfg(test)]
mod tests {
    use super::{SEEDS, Task, parse};
    use crate::words;

    #[test]
    fn arguments_are_numbers() {
        let parse = |text: &str| parse(&words(text));
        assert_eq!(parse(""), Ok(Task::Run(0, SEEDS)));
        assert_eq!(parse("--from 5 --seeds 7"), Ok(Task::Run(5, 7)));
        assert_eq!(parse("--replay 9"), Ok(Task::Replay(9)));
        assert_eq!(parse("build"), Ok(Task::Build));
        assert!(parse("--seeds").is_err() && parse("--seeds x").is_err() && parse("7").is_err());
    }
}
