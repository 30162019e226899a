//! `cargo xtask races`: faults between threads, and undefined behaviour. `loom` runs models of
//! what threads share, in every order of the threads. `tsan` runs the native tests with
//! ThreadSanitizer. `miri` interprets the tests of core and of the engine.
//!
//! Invariant: each is built with flags of its own, in a target folder of its own, so that no
//! other build changes by it. ThreadSanitizer and Miri also run a test with a race, and must
//! report it.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::run::{Invocation, progress, workspace};
use crate::suite::build;
use crate::tools::{MIRI, NIGHTLY, Tool};

/// What the rows in test-all need.
pub const FOR_TSAN: &[&Tool] = &[&NIGHTLY];
pub const FOR_MIRI: &[&Tool] = &[&MIRI];

/// The slowest way, on a busy machine.
const LIMIT: Duration = Duration::from_secs(3 * 60 * 60);

/// The test with a race.
const RACE: &str = "-p isosocket-loom --features race --test race";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Loom,
    Tsan,
    Miri,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Way::Loom => "loom",
            Way::Tsan => "tsan",
            Way::Miri => "miri",
        }
    }

    /// Cargo's test command with the flags of this way.
    fn cargo(self, install: bool) -> Result<Invocation, String> {
        let command = match self {
            // Loom's locks in place of std's, and a model in place of the system.
            Way::Loom => Invocation::cargo()
                .env(
                    "RUSTFLAGS",
                    "--cfg isosocket_loom --cfg isosocket_simulation",
                )
                .args(["test", "--profile", "simulation"]),
            Way::Tsan => build::nightly(&NIGHTLY.provide(install)?, "-Zsanitizer=thread")
                // Reports name lines, and tests keep their deadlines.
                .env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only")
                .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1")
                .env("TSAN_OPTIONS", "die_after_fork=0")
                .args(["test", "-Zbuild-std", "--target"])
                .arg(workspace::native_triple()?),
            Way::Miri => {
                let cargo = MIRI.provide(install)?;
                // rustup's stand-in for `cargo miri` asks which toolchain it is to use.
                let toolchain = cargo.ancestors().nth(2).unwrap_or(&cargo).to_owned();
                build::nightly(&cargo, "")
                    .env("RUSTUP_TOOLCHAIN", &toolchain)
                    .env("MIRIFLAGS", "-Zmiri-disable-isolation -Zmiri-ignore-leaks")
                    .args(["miri", "test"])
            }
        };
        Ok(command
            .args(["--target-dir", &format!("target/{}", self.name())])
            // A test's panic on purpose would take seconds to describe.
            .env("RUST_BACKTRACE", "0"))
    }

    /// The tests: arguments of cargo, and of the test programs.
    fn tests(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Way::Loom => &[("-p isosocket-loom --lib", "")],
            // These modules of the native backend have no threads. The test that is left out
            // measures the memory of the process. ThreadSanitizer's own record of the memory is
            // in it, and grows with each thread that there ever was.
            Way::Tsan => &[(
                "-p isosocket-core -p isosocket-native -p isosocket-tests --lib --tests \
                 --features isosocket-core/mock,isosocket-core/json",
                "--skip engine:: --skip wire:: --skip url:: \
                 --skip sockets_share_one_thread_and_leave_nothing_behind",
            )],
            // These modules use nothing of the system, of which Miri has little. The inflater is
            // another project's. It and the queue of frames, whose chunks are a MiB, take long.
            // The two parts run side by side, as each interpreter uses one core.
            Way::Miri => &[
                ("-p isosocket-core --features mock --lib --tests", ""),
                (
                    "-p isosocket-native --lib",
                    "engine:: wire:: --skip wire::deflate --skip engine::send",
                ),
            ],
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Task {
    way: Way,
    build_only: bool,
    install: bool,
    filter: Option<String>,
}

fn parse(arguments: &[String]) -> Result<Task, String> {
    let mut words = arguments.iter().map(String::as_str);
    let name = words.next().unwrap_or_default();
    let mut ways = [Way::Loom, Way::Tsan, Way::Miri].into_iter();
    let way = ways.find(|way| way.name() == name);
    let mut task = Task {
        way: way.ok_or(format!("races wants loom, tsan or miri, not `{name}`"))?,
        build_only: false,
        install: false,
        filter: None,
    };
    for word in words {
        match word {
            "build" => task.build_only = true,
            "--install" => task.install = true,
            option if option.starts_with("--") => {
                return Err(format!("races knows no `{option}`"));
            }
            name => task.filter = Some(name.to_owned()),
        }
    }
    Ok(task)
}

pub fn main(arguments: &[String]) -> Result<bool, String> {
    let task = parse(arguments)?;
    let name = task.way.name();
    let log = workspace::empty_log(&format!("races-{name}.log"))?;
    let cargo = task.way.cargo(task.install)?;
    let command = |arguments: &str| cargo.clone().args(arguments.split_whitespace());
    let race = Some(RACE).filter(|_| task.way != Way::Loom && task.filter.is_none());
    for arguments in task.way.tests().iter().map(|(it, _)| *it).chain(race) {
        let build = command(arguments).arg("--no-run");
        progress::run_or_show(&format!("building for {name}"), &build, &log, LIMIT)?;
    }
    if task.build_only {
        return Ok(true);
    }
    let (task, cargo) = (&task, &cargo);
    let results: Vec<_> = thread::scope(|scope| {
        let start = |part| scope.spawn(move || run_part(task, cargo, part));
        let runs: Vec<_> = (0..task.way.tests().len()).map(start).collect();
        runs.into_iter().map(|run| run.join()).collect()
    });
    let mut is_good = true;
    for result in results {
        is_good &= result.map_err(|_| "a thread has panicked")??;
    }
    if let Some(race) = race {
        is_good &= is_reported(&command(race), name)?;
    }
    Ok(is_good)
}

/// Runs a part of the tests. Whether all of them passed.
fn run_part(task: &Task, cargo: &Invocation, part: usize) -> Result<bool, String> {
    let name = task.way.name();
    let (arguments, for_programs) = task.way.tests()[part];
    let log = workspace::empty_log(&format!("races-{name}-{part}.log"))?;
    let said = workspace::output()?.join(format!("races-{name}-{part}.txt"));
    let run = cargo.clone().args(arguments.split_whitespace());
    // What a test prints is for the log.
    let run = run.args(["--no-fail-fast", "--", "--nocapture"]);
    let run = match &task.filter {
        Some(filter) => run.arg(filter),
        None => run.args(for_programs.split_whitespace()),
    };
    let title = format!("running {name}, part {}", part + 1);
    let result = progress::run_or_show(&title, &run.stdout_to(&said), &log, LIMIT);
    print!("{}", fs::read_to_string(&said).unwrap_or_default());
    if task.way == Way::Loom {
        println!("{} orders of the threads", orders(&log));
    }
    Ok(result.is_ok())
}

/// Whether the race that is there on purpose is reported. ThreadSanitizer misses it in one
/// of ten runs, so there are as many as it takes, at most eight.
fn is_reported(race: &Invocation, name: &str) -> Result<bool, String> {
    let mut is_reported = false;
    for _ in 0..8 {
        let log = workspace::empty_log(&format!("races-{name}-race.log"))?;
        let failed = progress::run("running a race", race, &log, LIMIT).is_err();
        let report = fs::read_to_string(&log).unwrap_or_default().to_lowercase();
        is_reported = failed && report.contains("data race");
        if is_reported {
            break;
        }
    }
    let word = if is_reported { "ok" } else { "FAILED" };
    println!("test a_race_put_in_on_purpose_is_reported ... {word}");
    Ok(is_reported)
}

/// In how many orders the models ran, by the lines `orders: N` of the log.
fn orders(log: &Path) -> u64 {
    let text = fs::read_to_string(log).unwrap_or_default();
    let numbers = text.lines().filter_map(|line| {
        let (_, number) = line.split_once("orders: ")?;
        number.trim().parse::<u64>().ok()
    });
    numbers.sum()
}

#[cfg(test)]
mod tests {
    use super::{Task, Way, parse};
    use crate::words;

    #[test]
    fn arguments_are_a_way_and_a_filter() {
        let parse = |text: &str| parse(&words(text));
        let task = |way, build_only, install, filter: Option<&str>| {
            Ok(Task {
                way,
                build_only,
                install,
                filter: filter.map(str::to_owned),
            })
        };
        assert_eq!(parse("loom"), task(Way::Loom, false, false, None));
        assert_eq!(parse("miri build"), task(Way::Miri, true, false, None));
        assert_eq!(
            parse("tsan --install decoder"),
            task(Way::Tsan, false, true, Some("decoder"))
        );
        assert!(parse("").is_err() && parse("all").is_err() && parse("loom --fast").is_err());
    }
}
