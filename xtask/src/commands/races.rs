//! `cargo xtask races`: faults between threads, and undefined behaviour. `loom` runs models of
//! what threads share, in every order of the threads. `miri` interprets the tests of core and
//! of the engine.
//!
//! Invariant: each is built with flags of its own, in a target folder of its own, so that no
//! other build changes by it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::run::{Invocation, progress, workspace};
use crate::suite::build;
use crate::tools::MIRI;

/// Miri takes the longest.
const LIMIT: Duration = Duration::from_secs(3 * 60 * 60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Loom,
    Miri,
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Way::Loom => "loom",
            Way::Miri => "miri",
        }
    }

    /// The test commands, without what is for the test programs.
    fn commands(self, install: bool) -> Result<Vec<Invocation>, String> {
        match self {
            Way::Loom => Ok(vec![loom()]),
            Way::Miri => miri(install),
        }
    }
}

/// Loom's locks in place of std's, and a model in place of the system.
fn loom() -> Invocation {
    Invocation::cargo()
        .args(["test", "--profile", "simulation", "-p", "isosocket-loom"])
        .args(["--lib", "--target-dir", "target/loom"])
        .env(
            "RUSTFLAGS",
            "--cfg isosocket_loom --cfg isosocket_simulation",
        )
}

/// Core with its mock, and the parts of the native backend that use no system.
fn miri(install: bool) -> Result<Vec<Invocation>, String> {
    const CORE: &str = "-p isosocket-core --features mock --lib --tests";
    const ENGINE: &str = "-p isosocket-native --no-default-features --lib";
    let cargo = MIRI.provide(install)?;
    // rustup's stand-in for `cargo miri` asks which toolchain it is to use.
    let toolchain = cargo.ancestors().nth(2).unwrap_or(&cargo).to_owned();
    let command = |arguments: &str| {
        build::nightly(&cargo, "")
            .env("RUSTUP_TOOLCHAIN", &toolchain)
            .env("MIRIFLAGS", "-Zmiri-disable-isolation")
            .args(["miri", "test", "--target-dir", "target/miri"])
            .args(arguments.split_whitespace())
    };
    Ok([CORE, ENGINE].map(command).to_vec())
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
    let mut ways = [Way::Loom, Way::Miri].into_iter();
    let way = ways.find(|way| way.name() == name);
    let mut task = Task {
        way: way.ok_or(format!("races wants loom or miri, not `{name}`"))?,
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
    let log = workspace::output()?.join(format!("races-{name}.log"));
    fs::write(&log, "").map_err(|error| format!("cannot write the log: {error}"))?;
    let said = workspace::output()?.join(format!("races-{name}.txt"));
    let commands = task.way.commands(task.install)?;
    for command in &commands {
        let build = command.clone().arg("--no-run");
        progress::run(&format!("building for {name}"), &build, &log, LIMIT)
            .inspect_err(|_| progress::show_tail(&log))?;
    }
    if task.build_only {
        return Ok(true);
    }
    let mut is_good = true;
    for command in commands {
        // What a test prints is for the log.
        let run = command
            .args(["--no-fail-fast", "--", "--nocapture"])
            .args(task.filter.clone())
            .stdout_to(&said);
        let result = progress::run(&format!("running {name}"), &run, &log, LIMIT);
        print!("{}", fs::read_to_string(&said).unwrap_or_default());
        if result.is_err() {
            progress::show_tail(&log);
        }
        is_good &= result.is_ok();
    }
    if task.way == Way::Loom {
        println!("{} orders of the threads", orders(&log));
    }
    Ok(is_good)
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

    #[test]
    fn arguments_are_a_way_and_a_filter() {
        let parse = |text: &str| {
            let arguments: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            parse(&arguments)
        };
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
            parse("miri --install decoder"),
            task(Way::Miri, false, true, Some("decoder"))
        );
        assert!(parse("").is_err() && parse("all").is_err() && parse("loom --fast").is_err());
    }
}
