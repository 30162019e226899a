//! `cargo xtask fuzz`: the targets of `fuzz/` by libFuzzer, on the stable toolchain.
//!
//! Invariant: everything is built in target folders of its own. What a run has learned stays
//! under `target/fuzz`; the repository holds the seeds, and the inputs that found something.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::positive;
use crate::run::{Invocation, progress, workspace};

const MANIFEST: &str = "fuzz/Cargo.toml";
const FOLDER: &str = "target/fuzz";
const BUILD_LIMIT: Duration = Duration::from_secs(30 * 60);
/// How long a target runs if nothing else is asked for: a row of test-all.
const SECONDS: u64 = 60;

/// What libFuzzer needs of the compiler. Each flag is a stable one.
const INSTRUMENTED: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares";
/// Opens the private parts, and puts a model in place of the system.
const OPENED: &str = "--cfg fuzzing --cfg isosocket_simulation";

#[derive(Debug, PartialEq, Eq)]
enum Task {
    Run { seconds: u64, only: Option<String> },
    Coverage,
    Build,
}

fn parse(arguments: &[String]) -> Result<Task, String> {
    let (mut seconds, mut only) = (SECONDS, None);
    let mut rest = arguments.iter().map(String::as_str);
    while let Some(argument) = rest.next() {
        match argument {
            "--minutes" => {
                seconds = positive(argument, &mut rest)?.saturating_mul(60);
            }
            "--target" => {
                let name = rest.next().ok_or("--target wants a name")?;
                only = Some(name.to_owned());
            }
            "--coverage" => return Ok(Task::Coverage),
            "build" => return Ok(Task::Build),
            other => return Err(format!("fuzz knows no `{other}`")),
        }
    }
    Ok(Task::Run { seconds, only })
}

pub fn main(arguments: &[String]) -> Result<bool, String> {
    let task = parse(arguments)?;
    let log = workspace::empty_log("fuzz.log")?;
    let (seconds, only) = match task {
        Task::Run { seconds, only } => (seconds, only),
        Task::Coverage => return coverage(&log).map(|()| true),
        Task::Build => {
            build(&log)?;
            return replay(&["--no-run"], &log).map(|()| true);
        }
    };
    let known = targets()?;
    let chosen: Vec<&String> = match &only {
        None => known.iter().collect(),
        Some(name) => known.iter().filter(|known| *known == name).collect(),
    };
    if chosen.is_empty() {
        return Err(format!("the targets are {}", known.join(", ")));
    }
    let folder = build(&log).inspect_err(|_| progress::show_tail(&log))?;
    replay(&[], &log).inspect_err(|_| progress::show_tail(&log))?;
    let mut failed = 0;
    for target in &chosen {
        let found = run(&folder, target, seconds, &log)?;
        println!("{target}: {}", found.summary);
        let word = if found.good { "ok" } else { "FAILED" };
        println!("test fuzz {target} ... {word}");
        failed += usize::from(!found.good);
    }
    let word = if failed == 0 { "ok" } else { "FAILED" };
    let passed = chosen.len() - failed;
    println!("test result: {word}. {passed} passed; {failed} failed; 0 ignored");
    if failed > 0 {
        eprintln!("the inputs are in {FOLDER}/artifacts; put each into fuzz/findings");
    }
    Ok(failed == 0)
}

/// The names of all targets: the files of `fuzz/fuzz_targets`.
fn targets() -> Result<Vec<String>, String> {
    let folder = workspace::root().join("fuzz/fuzz_targets");
    let files = fs::read_dir(&folder).map_err(|error| format!("no fuzz targets: {error}"))?;
    let name = |file: fs::DirEntry| Some(file.path().file_stem()?.to_str()?.to_owned());
    let mut names: Vec<String> = files.flatten().filter_map(name).collect();
    names.sort();
    Ok(names)
}

/// Builds all targets; gives their folder.
fn build(log: &Path) -> Result<PathBuf, String> {
    // With a target named, build scripts are not instrumented.
    let triple = workspace::native_triple()?;
    let command = Invocation::cargo()
        .args(["build", "--release", "--bins", "--manifest-path", MANIFEST])
        .args(["--target-dir", FOLDER, "--target", &triple])
        .env("RUSTFLAGS", format!("{OPENED} {INSTRUMENTED}"));
    progress::run("building the fuzz targets", &command, log, BUILD_LIMIT)?;
    Ok(workspace::root().join(FOLDER).join(triple).join("release"))
}

/// Every target with the seeds, and the inputs that found something once.
fn replay(arguments: &[&str], log: &Path) -> Result<(), String> {
    let command = Invocation::cargo()
        .args(["test", "--manifest-path", MANIFEST])
        .args(arguments)
        .args(["--target-dir", FOLDER])
        .env("RUSTFLAGS", OPENED);
    progress::run(
        "replaying the inputs of the repository",
        &command,
        log,
        BUILD_LIMIT,
    )
}

/// How a target ended.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    good: bool,
    summary: String,
}

fn run(folder: &Path, target: &str, seconds: u64, log: &Path) -> Result<Found, String> {
    let corpus = workspace::folder(&format!("{FOLDER}/corpus/{target}"))?;
    let artifacts = workspace::folder(&format!("{FOLDER}/artifacts/{target}"))?;
    let own = workspace::output()?.join(format!("fuzz-{target}.log"));
    fs::write(&own, "").map_err(|error| format!("cannot write a log: {error}"))?;
    let mut command = Invocation::new(folder.join(target))
        .arg(&corpus)
        .arg(workspace::root().join("fuzz/corpus").join(target))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .arg(format!("-max_total_time={seconds}"))
        .args([
            "-print_final_stats=1",
            "-timeout=20",
            "-rss_limit_mb=2048",
            "-max_len=4096",
        ]);
    let dictionary = workspace::root().join(format!("fuzz/dictionaries/{target}.dict"));
    if dictionary.exists() {
        command = command.arg(format!("-dict={}", dictionary.display()));
    }
    let limit = Duration::from_secs(seconds.saturating_mul(2).saturating_add(300));
    let ended = progress::run(&format!("fuzzing {target}"), &command, &own, limit);
    if ended.is_err() {
        progress::show_tail(&own);
    }
    let text = fs::read_to_string(&own).unwrap_or_default();
    let _ = fs::write(log, &text);
    Ok(read(&text, ended.is_ok()))
}

/// Reads what libFuzzer printed.
fn read(text: &str, exited: bool) -> Found {
    let stat = |name: &str| {
        let value = text
            .lines()
            .rev()
            .find_map(|line| line.strip_prefix(name))?;
        value.trim().parse::<u64>().ok()
    };
    let executions = stat("stat::number_of_executed_units:");
    let rate = stat("stat::average_exec_per_sec:");
    let edges = text.lines().rev().find_map(|line| {
        let (_, rest) = line.split_once(" cov: ")?;
        rest.split_whitespace().next()
    });
    let (Some(executions), Some(rate), Some(edges)) = (executions, rate, edges) else {
        let summary = "it did not run to its end".to_owned();
        return Found {
            good: false,
            summary,
        };
    };
    Found {
        good: exited && executions > 0,
        summary: format!("{executions} executions, {rate} a second, {edges} edges"),
    }
}

/// Prints how much of the engine and the wire format the inputs of all runs reach.
fn coverage(log: &Path) -> Result<(), String> {
    let profiles = workspace::folder(&format!("{FOLDER}/profiles"))?;
    let inputs = workspace::folder(&format!("{FOLDER}/corpus"))?;
    let test = Invocation::cargo()
        .args([
            "test",
            "--release",
            "--test",
            "replay",
            "--manifest-path",
            MANIFEST,
        ])
        .args(["--target-dir", "target/fuzz-coverage"])
        .env("RUSTFLAGS", format!("{OPENED} -Cinstrument-coverage"))
        .env("FUZZ_INPUTS", &inputs)
        .env("LLVM_PROFILE_FILE", profiles.join("replay-%m.profraw"));
    progress::run_or_show("running all inputs", &test, log, BUILD_LIMIT)?;
    let tool = |name: &str| {
        let root = Invocation::new("rustc").args(["--print", "sysroot"]);
        let root = root.output(Duration::from_secs(20)).unwrap_or_default();
        let bin = Path::new(root.trim())
            .join("lib/rustlib")
            .join(workspace::native_triple()?)
            .join("bin");
        let path = bin.join(name);
        let missing = "coverage needs `rustup component add llvm-tools`".to_owned();
        if path.exists() {
            Ok(path)
        } else {
            Err(missing)
        }
    };
    let merged = profiles.join("merged.profdata");
    let raw = fs::read_dir(&profiles).map_err(|error| error.to_string())?;
    let raw = raw.flatten().map(|file| file.path());
    let raw = raw.filter(|path| path.extension().is_some_and(|end| end == "profraw"));
    let merge = Invocation::new(tool("llvm-profdata")?)
        .args(["merge", "-sparse", "-o"])
        .arg(&merged)
        .args(raw);
    progress::run("merging profiles", &merge, log, BUILD_LIMIT)?;
    let report = Invocation::new(tool("llvm-cov")?)
        .args(["report", "--summary-only"])
        .arg(format!("--instr-profile={}", merged.display()))
        .arg(replay_binary()?)
        .args(["engine", "wire"].map(|name| format!("backend-native/src/{name}")));
    let text = report.output(BUILD_LIMIT).ok_or("llvm-cov failed")?;
    print!("{text}");
    Ok(())
}

/// The newest test binary of the coverage build.
fn replay_binary() -> Result<PathBuf, String> {
    let folder = workspace::root().join("target/fuzz-coverage/release/deps");
    let files = fs::read_dir(folder).map_err(|error| error.to_string())?;
    let is_test = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("replay-") && path.extension().is_none()
    };
    let files = files.flatten().map(|file| file.path()).filter(is_test);
    let newest = files.max_by_key(|path| path.metadata().and_then(|data| data.modified()).ok());
    newest.ok_or_else(|| "the test binary is missing".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words;

    #[test]
    fn arguments_are_minutes_and_a_target() {
        let parse = |text: &str| parse(&words(text));
        let run = |seconds, only: Option<&str>| {
            let only = only.map(str::to_owned);
            Ok(Task::Run { seconds, only })
        };
        assert_eq!(parse(""), run(60, None));
        assert_eq!(parse("--minutes 5 --target url"), run(300, Some("url")));
        assert_eq!(parse("--coverage"), Ok(Task::Coverage));
        assert!(parse("--minutes").is_err() && parse("--minutes 0").is_err());
        assert!(parse("decoder").is_err());
    }

    #[test]
    fn every_target_has_seeds_and_is_a_program() {
        let manifest = fs::read_to_string(workspace::root().join(MANIFEST)).unwrap();
        for target in targets().unwrap() {
            let seeds = workspace::root().join("fuzz/corpus").join(&target);
            assert!(fs::read_dir(seeds).unwrap().count() > 2, "{target}");
            assert!(
                manifest.contains(&format!("name = \"{target}\"")),
                "{target}"
            );
        }
    }

    #[test]
    fn a_run_is_good_only_with_its_figures() {
        let text = "#8\tDONE   cov: 12 ft: 30 corp: 3/9b\nstat::number_of_executed_units: 8\n\
            stat::average_exec_per_sec:     4\n";
        let summary = "8 executions, 4 a second, 12 edges".to_owned();
        assert_eq!(
            read(text, true),
            Found {
                good: true,
                summary
            }
        );
        assert!(!read(text, false).good);
        assert!(!read("", true).good);
    }
}
