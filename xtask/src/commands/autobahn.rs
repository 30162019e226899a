//! `cargo xtask autobahn`: the Autobahn Testsuite's 517 cases, plain and over
//! TLS, with its server on loopback.
//!
//! Invariant: every case has a result that is good or listed here with its
//! reason; a case that is missing from the report is a failure.

use std::collections::BTreeMap;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::run::process::{Invocation, Job};
use crate::run::{progress, workspace};
use crate::tools::{AUTOBAHN, Tool};

/// What the row in test-all needs.
pub const NEEDS: &[&Tool] = &[&AUTOBAHN];

/// How many cases version 25.10.1 has.
const CASES: usize = 517;

/// The server is ready within this time.
const START_LIMIT: Duration = Duration::from_secs(60);
/// All cases over one scheme: most of it is the server's own work.
const RUN_LIMIT: Duration = Duration::from_secs(45 * 60);
const BUILD_LIMIT: Duration = Duration::from_secs(15 * 60);

/// Results that are not strictly as the suite wants them, and why.
const NON_STRICT: &[(&str, &str)] = &[];

/// What the suite's sections are about.
const SECTIONS: [(&str, &str); 11] = [
    ("1", "framing"),
    ("2", "pings and pongs"),
    ("3", "reserved bits"),
    ("4", "opcodes"),
    ("5", "fragmentation"),
    ("6", "UTF-8"),
    ("7", "closing"),
    ("9", "limits and performance"),
    ("10", "miscellaneous"),
    ("12", "compression, several sizes"),
    ("13", "compression, several parameters"),
];

/// Runs it; an argument is a filter of the suite's cases, which means nothing
/// here, or `--install`, which is what happens anyway.
pub fn main(_: &[String]) -> Result<bool, String> {
    let python = AUTOBAHN.provide(true)?;
    let log = workspace::empty_log("autobahn-run.log")?;
    let example = ["-p", "isosocket", "--example", "autobahn", "--release"];
    let build = Invocation::cargo().arg("build").args(example);
    progress::run("building the client", &build, &log, BUILD_LIMIT)?;
    // Both at once: the server uses one core and takes most of the time.
    let (python, log) = (python.as_path(), log.as_path());
    let results = thread::scope(|scope| {
        let threads = ["ws", "wss"].map(|scheme| scope.spawn(move || run(python, scheme, log)));
        threads.map(|thread| {
            thread
                .join()
                .unwrap_or_else(|_| Err("it panicked".to_owned()))
        })
    });
    let (mut passed, mut failed) = (0, 0);
    for (scheme, result) in ["ws", "wss"].into_iter().zip(results) {
        let cases = result.inspect_err(|_| progress::show_tail(log))?;
        let bad = show(scheme, &cases);
        // One failure for each case that the report lacks.
        let missing = CASES.saturating_sub(cases.len());
        failed += bad + missing;
        passed += cases.len() - bad;
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!("test result: {verdict}. {passed} passed; {failed} failed; 0 ignored");
    Ok(failed == 0)
}

/// How a case went.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Outcome {
    behavior: String,
    close: String,
}

type Cases = BTreeMap<String, Outcome>;

/// Runs all cases over a scheme.
fn run(python: &Path, scheme: &str, log: &Path) -> Result<Cases, String> {
    let folder = workspace::folder(&format!("target/xtask/autobahn-{scheme}"))?;
    let report = folder.join("index.json");
    // There may be none of an earlier run.
    let _ = fs::remove_file(&report);
    let (_server, port) = start(python, scheme, &folder, log)?;
    let client = Invocation::cargo()
        .args(["run", "-q", "-p", "isosocket", "--example", "autobahn"])
        .args(["--release", "--"])
        .arg(format!("{scheme}://localhost:{port}"))
        .env("SSL_CERT_FILE", folder.join("cert.pem"));
    let title = format!("running {CASES} cases over {scheme}:");
    progress::run(&title, &client, log, RUN_LIMIT)?;
    let text = fs::read_to_string(&report).map_err(|error| format!("no report: {error}"))?;
    read(&text)
}

/// Starts the fuzzing server; it ends when the job is dropped.
fn start(python: &Path, scheme: &str, folder: &Path, log: &Path) -> Result<(Job, u16), String> {
    // A port that is free now; if somebody takes it first, the run fails.
    let port = TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map_err(|error| format!("no free port: {error}"))?
        .port();
    // Its list of cases would fill the log.
    let output: PathBuf = folder.join("server.log");
    let mut job = Invocation::new(python)
        .arg(workspace::root().join("xtask/shims/autobahn/server.py"))
        .arg(port.to_string())
        .arg(folder)
        .arg(scheme)
        .stdout_to(&output)
        .spawn(log)?;
    let deadline = Instant::now() + START_LIMIT;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if !job.is_running() || Instant::now() > deadline {
            return Err("the fuzzing server did not start".to_owned());
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok((job, port))
}

/// Reads the report's index, which has one agent.
fn read(index: &str) -> Result<Cases, String> {
    let index: Value = serde_json::from_str(index).map_err(|error| error.to_string())?;
    let agents = index.as_object().ok_or("the report is an object")?;
    let cases = agents.values().filter_map(Value::as_object).flatten();
    let outcome = |(case, result): (&String, &Value)| {
        let text = |name: &str| result[name].as_str().unwrap_or("MISSING").to_owned();
        let outcome = Outcome {
            behavior: text("behavior"),
            close: text("behaviorClose"),
        };
        (case.clone(), outcome)
    };
    Ok(cases.map(outcome).collect())
}

impl Outcome {
    fn is_good(&self, case: &str) -> bool {
        let listed = || NON_STRICT.iter().any(|(known, _)| *known == case);
        let good = |word: &str| match word {
            "OK" | "INFORMATIONAL" => true,
            "NON-STRICT" => listed(),
            _ => false,
        };
        good(&self.behavior) && good(&self.close)
    }
}

/// Prints the results by section, and what is not good; gives its number.
fn show(scheme: &str, cases: &Cases) -> usize {
    println!("{scheme}: {} of {CASES} cases", cases.len());
    for (section, about) in SECTIONS {
        let of_section = |case: &str| case.split('.').next() == Some(section);
        let mut counts = BTreeMap::<&str, usize>::new();
        for (_, outcome) in cases.iter().filter(|(case, _)| of_section(case)) {
            *counts.entry(&outcome.behavior).or_default() += 1;
        }
        let counts: Vec<String> = counts
            .iter()
            .map(|(behavior, count)| format!("{count} {behavior}"))
            .collect();
        println!("  {section:>2} {about:32} {}", counts.join(", "));
    }
    let bad = cases
        .iter()
        .filter(|(case, outcome)| !outcome.is_good(case));
    let bad: Vec<_> = bad.collect();
    for (case, outcome) in &bad {
        println!(
            "  FAILED {case}: {}, closing {}",
            outcome.behavior, outcome.close
        );
    }
    for (case, reason) in NON_STRICT {
        if cases
            .get(*case)
            .is_some_and(|outcome| outcome.behavior == "NON-STRICT")
        {
            println!("  {case} is NON-STRICT: {reason}");
        }
    }
    bad.len()
}

#[cfg(test)]
mod tests {
    use super::{Outcome, read};

    #[test]
    fn only_good_results_are_good() {
        let index = r#"{"isosocket": {
            "1.1.1": {"behavior": "OK", "behaviorClose": "OK"},
            "7.1.6": {"behavior": "INFORMATIONAL", "behaviorClose": "INFORMATIONAL"},
            "12.1.1": {"behavior": "UNIMPLEMENTED", "behaviorClose": "OK"},
            "6.4.1": {"behavior": "NON-STRICT", "behaviorClose": "OK"},
            "6.4.2": {"behavior": "OK", "behaviorClose": "WRONG CODE"},
            "6.4.3": {"behavior": "OK"}
        }}"#;
        let cases = read(index).expect("it is a report");
        let good: Vec<_> = cases
            .iter()
            .filter(|(case, outcome)| outcome.is_good(case))
            .map(|(case, _)| case.as_str())
            .collect();
        assert_eq!(good, ["1.1.1", "7.1.6"]);
        let failed = Outcome {
            behavior: "FAILED".to_owned(),
            close: "OK".to_owned(),
        };
        assert!(!failed.is_good("1.1.1"));
        assert!(read("[]").is_err());
    }
}
