//! What the rows of one run share, and how one row is run.
//!
//! Invariant: whatever happens in a row ends as its verdict; it ends neither
//! the run nor another row.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::cases::{Case, Mark, Outcome};
use crate::hosts::{Env, Host, Kind};
use crate::log::{Counts, Test};
use crate::process::Invocation;
use crate::report::{Row, Verdict};
use crate::tools::{self, Tool};
use crate::{demo, page, peer, progress, wasm, workspace};

/// A build takes no longer than this, on a cold machine with two cores.
const BUILD_LIMIT: Duration = Duration::from_secs(15 * 60);

/// A row's cases take no longer than this together.
const RUN_LIMIT: Duration = Duration::from_secs(10 * 60);

/// The same for wasm-bindgen's runner, so that it gives up before we do and
/// can still say why.
const RUNNER_LIMIT: &str = "540";

/// What the rows of one run share.
pub struct Session {
    install: bool,
    filter: Option<String>,
    output: PathBuf,
    native: String,
    peer: peer::Running,
    /// What became of each tool that was asked for so far.
    provided: Vec<(&'static str, Result<PathBuf, String>)>,
    /// The suite's wasm binaries, once a row needed them.
    suite: Option<Result<Vec<PathBuf>, String>>,
}

impl Session {
    /// # Errors
    /// If there is no Rust, or the peer cannot be started.
    pub fn start(install: bool, filter: Option<String>) -> Result<Self, String> {
        Ok(Self {
            install,
            filter,
            native: native_triple()?,
            peer: peer::start(Some(&workspace::output()?.join("reports.log")))?,
            output: workspace::output()?,
            provided: Vec::new(),
            suite: None,
        })
    }

    /// Runs one host and says on one line how it went.
    pub fn run(&mut self, host: &'static Host) -> Row {
        let mut row = Row::new(host);
        row.target = match host.kind {
            Kind::Native { .. } => self.native.clone(),
            Kind::Wasm | Kind::Page => tools::WASM_TRIPLE.to_owned(),
        };
        let missing: Vec<&str> = host
            .needs
            .iter()
            .filter(|tool| self.provide(tool).is_err())
            .map(|tool| tool.name)
            .collect();
        if missing.is_empty() {
            row.version = self.version(host);
            let log = self.output.join(format!("{}.log", host.id));
            self.judge(&log, &mut row);
            // Cases that failed tell more than the end of a log.
            if row.verdict == Verdict::Fail && row.failures().next().is_none() {
                progress::show_tail(&log);
            }
        } else {
            row.note = format!("needs {}", missing.join(", "));
        }
        let Counts { passed, failed } = row.counts;
        eprintln!(
            "{:7} {}  {passed}/{} cases, {:.1} s{}{}",
            row.verdict.word(),
            host.name,
            passed + failed,
            row.took.as_secs_f64(),
            if row.note.is_empty() { "" } else { "  " },
            row.note
        );
        row
    }

    /// Builds what a row needs, runs its cases, reads what they left.
    fn judge(&mut self, log: &Path, row: &mut Row) {
        let host = row.host;
        // What an earlier run wrote must not be counted again.
        if let Err(error) = fs::write(log, "") {
            return row.judge(&[], Some(format!("cannot write the log: {error}")));
        }
        let outcome = match host.kind {
            Kind::Page => self.page(log),
            Kind::Native { .. } | Kind::Wasm => self.suite_on(host, log),
        };
        let mut problem = match outcome {
            Ok((took, problem)) => {
                row.took = took;
                problem
            }
            Err(problem) => Some(problem),
        };
        if let Some(complaint) = self.peer.new_complaints().first() {
            problem.get_or_insert(format!(
                "the peer was asked for what it has not: {complaint}"
            ));
        }
        let log = fs::read_to_string(log).unwrap_or_default();
        let tests = Test::read_all(&log);
        let failed = tests.iter().filter(|test| !test.passed);
        let failed: Vec<&str> = failed.map(Test::short_name).collect();
        row.counts = Counts::read(&log);
        row.judge(&failed, problem);
        row.tests = tests
            .iter()
            .filter_map(|test| test.in_suite().map(str::to_owned))
            .collect();
        row.cases = match host.websocket {
            false if host.runs_the_suite() => without_websocket(&tests),
            _ => Vec::new(),
        };
        let (cases, problem) = reported(host, &self.peer.new_reports());
        row.cases.extend(cases);
        if let Some(problem) = problem {
            row.blame(problem);
        }
    }

    /// Drives the demo's page: how long it took, and what went wrong.
    fn page(&mut self, log: &Path) -> Result<(Duration, Option<String>), String> {
        let wasm_bindgen = self.provide(&tools::WASM_BINDGEN)?;
        let driver = self.provide(&tools::CHROMIUM)?;
        let folder = demo::build(&wasm_bindgen, log)?;
        let start = Instant::now();
        let filter = self.filter.as_deref();
        let outcome = page::run(&driver, folder, &self.peer, filter, log);
        Ok((start.elapsed(), outcome.err()))
    }

    /// Runs the suite on a host: how long it took, and what went wrong.
    fn suite_on(
        &mut self,
        host: &'static Host,
        log: &Path,
    ) -> Result<(Duration, Option<String>), String> {
        let commands = self.prepare(host, log)?;
        let start = Instant::now();
        let mut problem = None;
        for command in &commands {
            let title = format!("running {}", host.name);
            // The other binaries' cases are run all the same.
            if let Err(error) = progress::run(&title, command, log, RUN_LIMIT) {
                problem.get_or_insert(error);
            }
        }
        Ok((start.elapsed(), problem))
    }

    /// The commands that run a row's cases, with everything built for them.
    fn prepare(&mut self, host: &'static Host, log: &Path) -> Result<Vec<Invocation>, String> {
        match &host.kind {
            Kind::Native { builds, run } => {
                for build in *builds {
                    let title = format!("building {}", host.name);
                    let command = self.cargo(build);
                    progress::run(&title, &command, log, BUILD_LIMIT)?;
                }
                let filter = self.filter.as_slice();
                Ok(vec![self.cargo(run).args(filter)])
            }
            Kind::Wasm => {
                let runner = self
                    .provide(&tools::WASM_BINDGEN)?
                    .with_file_name("wasm-bindgen-test-runner");
                let binaries = self.suite(log)?;
                let commands = binaries.iter().map(|binary| {
                    let command = match host.wrapper.split_first() {
                        Some((wrapper, rest)) => Invocation::new(wrapper).args(rest).arg(&runner),
                        None => Invocation::new(&runner),
                    };
                    let command = command.arg(binary).args(self.filter.as_slice());
                    self.environment(host, command)
                });
                commands.collect()
            }
            Kind::Page => Ok(Vec::new()),
        }
    }

    fn cargo(&self, arguments: &[&str]) -> Invocation {
        Invocation::cargo()
            .args(arguments)
            .env("ISOSOCKET_PEER", &self.peer.address)
            .env("ISOSOCKET_PEER_CA", &self.peer.ca)
    }

    /// The suite's wasm binaries, built when the first row asks.
    fn suite(&mut self, log: &Path) -> Result<Vec<PathBuf>, String> {
        let peer = &self.peer.address;
        self.suite
            .get_or_insert_with(|| wasm::build_suite(peer, log, BUILD_LIMIT))
            .clone()
    }

    /// Where a tool is; looked for, and installed if allowed, only once.
    fn provide(&mut self, tool: &'static Tool) -> Result<PathBuf, String> {
        if let Some((_, result)) = self.provided.iter().find(|(name, _)| *name == tool.name) {
            return result.clone();
        }
        let result = tool.provide(self.install);
        self.provided.push((tool.name, result.clone()));
        result
    }

    /// What the host is, with its version, as far as it can be told.
    fn version(&mut self, host: &Host) -> String {
        let version = match host.engine {
            None => tools::rustc_version(),
            Some(tool) => {
                let path = self.provide(tool).ok();
                path.and_then(|path| tool.version(&path))
            }
        };
        version.unwrap_or_else(|| "unknown".to_owned())
    }

    /// How to get what was asked for and is missing.
    pub fn advice(&self) -> Vec<&String> {
        let results = self.provided.iter().map(|(_, result)| result);
        results.filter_map(|result| result.as_ref().err()).collect()
    }

    /// Adds a host's variables to a command.
    fn environment(&self, host: &Host, mut command: Invocation) -> Result<Invocation, String> {
        let path_of = |tool: &Tool| {
            let provided = self.provided.iter().find(|(name, _)| *name == tool.name);
            provided
                .and_then(|(_, result)| result.clone().ok())
                .ok_or_else(|| format!("{} uses {}, which it does not need", host.id, tool.name))
        };
        command = command
            .env("WASM_BINDGEN_TEST_TIMEOUT", RUNNER_LIMIT)
            .env("WASM_BINDGEN_TEST_DRIVER_TIMEOUT", "60");
        for variable in host.environment {
            command = match variable {
                Env::Set(name, value) => command.env(name, value),
                Env::Tool(name, tool) => command.env(name, path_of(tool)?),
                Env::File(name, file) => command.env(name, workspace::root().join(file)),
                Env::PathTo(folder) => {
                    command.env("PATH", first_on_path(&workspace::root().join(folder))?)
                }
                Env::PathOf(tool) => {
                    let program = path_of(tool)?;
                    let folder = program.parent().ok_or("a program lies in a folder")?;
                    command.env("PATH", first_on_path(folder)?)
                }
            };
        }
        Ok(command)
    }
}

/// The cases among what the peer was told while a host ran, and what is wrong
/// with the rest.
fn reported(host: &Host, lines: &[(String, String)]) -> (Vec<Case>, Option<String>) {
    let (mut cases, mut problem) = (Vec::new(), None);
    for (from, line) in lines {
        let case = if from == host.id && host.websocket {
            Case::read(line)
        } else {
            Err(format!("a case reported under the name of `{from}`"))
        };
        match case {
            Ok(case) => cases.push(case),
            Err(error) => {
                problem.get_or_insert(error);
            }
        }
    }
    (cases, problem)
}

/// Without a WebSocket nobody can report; S103 is about that, and the harness
/// says how its tests ended.
fn without_websocket(tests: &[Test]) -> Vec<Case> {
    let of_s103 = |test: &Test| {
        let name = test.in_suite()?.strip_prefix("S103::")?;
        Some(Case {
            rule: "S103".to_owned(),
            name: name.to_owned(),
            mark: Mark::M,
            outcome: match test.passed {
                true => Outcome::Pass,
                false => Outcome::Fail,
            },
            seen: "as the harness says".to_owned(),
        })
    };
    tests.iter().filter_map(of_s103).collect()
}

/// The search path with one more folder at its front.
fn first_on_path(folder: &Path) -> Result<OsString, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder.to_owned()).chain(std::env::split_paths(&path));
    std::env::join_paths(folders).map_err(|error| error.to_string())
}

fn native_triple() -> Result<String, String> {
    let version = Invocation::new("rustc")
        .arg("-vV")
        .output(Duration::from_secs(20))
        .ok_or("cannot run rustc")?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .ok_or_else(|| "rustc does not name its host".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{reported, without_websocket};
    use crate::hosts;
    use crate::log::Test;

    #[test]
    fn a_report_under_another_name_is_a_problem() {
        let line = r#"{"rule":"S1","case":"a","mark":"M","result":"pass","seen":""}"#;
        let from = |name: &str| vec![(name.to_owned(), line.to_owned())];
        let deno = hosts::called("deno").expect("it is a host");
        let (cases, problem) = reported(deno, &from("deno"));
        assert_eq!((cases.len(), problem), (1, None));
        let (cases, problem) = reported(deno, &from("node"));
        assert!(cases.is_empty() && problem.is_some());
        let node_20 = hosts::called("node20").expect("it is a host");
        assert!(reported(node_20, &from("node20")).1.is_some());
    }

    #[test]
    fn without_a_websocket_the_harness_is_believed() {
        let log = "test mounted::S103::a ... ok\ntest mounted::S1::b ... ok\n";
        let cases = without_websocket(&Test::read_all(log));
        assert_eq!(cases.len(), 1);
        assert_eq!(cases[0].title(), "S103 a");
    }
}
