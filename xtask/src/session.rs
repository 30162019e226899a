//! What the rows of one run share, and how one row is run.
//!
//! Invariant: whatever happens in a row ends as its verdict; it ends neither
//! the run nor another row.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::evidence::{self, Ended};
use crate::hosts::{Env, Host, Kind};
use crate::log::Counts;
use crate::process::Invocation;
use crate::report::{Row, Verdict};
use crate::tools::{self, Tool};
use crate::{demo, lanes, page, peer, progress, wasm, workspace};

/// A build takes no longer than this, on a cold machine with two cores.
const BUILD_LIMIT: Duration = Duration::from_secs(15 * 60);

/// A row's cases take no longer than this together: they take a minute or two,
/// and a browser that hangs is tried once more.
const RUN_LIMIT: Duration = Duration::from_secs(5 * 60);

/// The limit for rows that are not the suite. They are commands of ours, and
/// have shorter limits of their own.
const BESIDE_LIMIT: Duration = Duration::from_secs(60 * 60);

/// If more rows than this fail, a busy machine is not the reason, and there is
/// no second try.
const SECOND_TRIES: usize = 4;

/// The same for wasm-bindgen's runner, so that it gives up before we do and
/// can still say why.
const RUNNER_LIMIT: &str = "270";

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

    /// Runs hosts, so many of the JavaScript ones at a time, and says on one
    /// line how each went.
    ///
    /// A few rows that failed are run once more, each alone, because on a busy
    /// machine a browser may miss a case's deadline. The table says that it was
    /// a second try, and what failed at first.
    pub fn run(&mut self, hosts: &[&'static Host], lanes: usize) -> Vec<Row> {
        let mut rows = self.pass(hosts, lanes);
        let failed = |row: &&mut Row| row.verdict == Verdict::Fail;
        if rows.iter_mut().filter(failed).count() > SECOND_TRIES {
            return rows;
        }
        for row in rows.iter_mut().filter(|row| row.verdict == Verdict::Fail) {
            progress::say(&format!("{} once more, alone", row.host.name));
            let first = std::mem::take(&mut row.note);
            if let Some(again) = self.pass(&[row.host], 1).pop() {
                *row = again;
            }
            let note = format!("second try; at first: {first}");
            row.note = match row.note.is_empty() {
                true => note,
                false => format!("{}; {note}", row.note),
            };
        }
        rows
    }

    fn pass(&mut self, hosts: &[&'static Host], lanes: usize) -> Vec<Row> {
        let mut rows: Vec<Row> = hosts.iter().map(|host| Row::new(host)).collect();
        let mut jobs = Vec::new();
        for (index, row) in rows.iter_mut().enumerate() {
            if !self.begin(row) {
                say(row);
                continue;
            }
            let log = self.log(row.host);
            // Native rows run first, one at a time: cases count threads and
            // descriptors, and another job would disturb the count.
            let ended = match row.host.kind {
                Kind::Page => self.page(row.host, &log),
                Kind::Native { .. } | Kind::Wasm => match self.prepare(row.host, &log) {
                    Ok(commands) => {
                        let job = Job {
                            index,
                            host: row.host,
                            commands,
                            log,
                        };
                        if matches!(row.host.kind, Kind::Wasm) {
                            jobs.push(job);
                            continue;
                        }
                        job.run()
                    }
                    Err(problem) => Err(problem),
                },
            };
            self.end(row, ended);
        }
        let work = |job: Job| (job.index, job.run());
        lanes::run(jobs, lanes, work, |(index, ended)| {
            self.end(&mut rows[index], ended);
        });
        evidence::unclaimed(&mut rows, &self.peer.take_reports(|_| true));
        rows
    }

    /// Looks for what a host needs; whether its cases can be run.
    fn begin(&mut self, row: &mut Row) -> bool {
        let host = row.host;
        row.target = match host.kind {
            Kind::Native { .. } if host.engine.is_none() => self.native.clone(),
            Kind::Native { .. } | Kind::Wasm | Kind::Page => tools::WASM_TRIPLE.to_owned(),
        };
        let missing: Vec<&str> = host
            .needs
            .iter()
            .filter(|tool| self.provide(tool).is_err())
            .map(|tool| tool.name)
            .collect();
        if !missing.is_empty() {
            row.note = format!("needs {}", missing.join(", "));
            return false;
        }
        row.version = self.version(host);
        // What an earlier run wrote must not be counted again.
        match fs::write(self.log(host), "") {
            Ok(()) => true,
            Err(error) => {
                row.judge(&[], Some(format!("cannot write the log: {error}")));
                false
            }
        }
    }

    /// Reads what a host left, and says how it went.
    fn end(&mut self, row: &mut Row, ended: Ended) {
        let log = self.log(row.host);
        let complaint = self.peer.new_complaints().into_iter().next();
        let text = fs::read_to_string(&log).unwrap_or_default();
        let reports = self.peer.take_reports(|from| from == row.host.id);
        let reports: Vec<String> = reports.into_iter().map(|(_, line)| line).collect();
        evidence::judge(row, ended, complaint, &text, &reports);
        // Cases that failed tell more than the end of a log.
        if row.verdict == Verdict::Fail && row.failures().next().is_none() {
            progress::show_tail(&log);
        }
        say(row);
    }

    fn log(&self, host: &Host) -> PathBuf {
        self.output.join(format!("{}.log", host.id))
    }

    /// Drives the demo's pages: how long it took, and what went wrong.
    fn page(&mut self, host: &'static Host, log: &Path) -> Ended {
        let wasm_bindgen = self.provide(&tools::WASM_BINDGEN)?;
        let is_firefox = |tool: &Tool| tool.name == tools::FIREFOX.name;
        let engine = match host.engine.is_some_and(is_firefox) {
            true => page::Engine::Firefox {
                driver: self.provide(&tools::GECKODRIVER)?,
                browser: self.provide(&tools::FIREFOX)?,
            },
            false => page::Engine::Chromium {
                driver: self.provide(&tools::CHROMIUM)?,
            },
        };
        let axe = self.provide(&tools::AXE)?;
        let folder = demo::build(&wasm_bindgen, log)?;
        let start = Instant::now();
        let filter = self.filter.as_deref();
        let outcome = page::run(&engine, folder, &axe, &self.peer, filter, log);
        Ok((start.elapsed(), outcome.err()))
    }

    /// The commands that run a row's cases, with everything built for them.
    fn prepare(&mut self, host: &'static Host, log: &Path) -> Result<Vec<Invocation>, String> {
        match &host.kind {
            Kind::Native { builds, run } => {
                for build in *builds {
                    let title = format!("building {}", host.name);
                    let command = self.environment(host, self.cargo(build))?;
                    progress::run(&title, &command, log, BUILD_LIMIT)?;
                }
                let filter = self.filter.as_slice();
                let command = self.cargo(run).args(filter);
                Ok(vec![self.environment(host, command)?])
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

    /// The host's name and version, if they are known.
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
                Env::Runner => {
                    let runner =
                        path_of(&tools::WASM_BINDGEN)?.with_file_name("wasm-bindgen-test-runner");
                    command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", runner)
                }
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

/// A host's cases, ready to be run.
struct Job {
    index: usize,
    host: &'static Host,
    commands: Vec<Invocation>,
    log: PathBuf,
}

impl Job {
    fn run(&self) -> Ended {
        let start = Instant::now();
        let mut problem = None;
        for command in &self.commands {
            let title = format!("running {}", self.host.name);
            // The other binaries' cases are run all the same.
            let limit = match self.host.kind {
                Kind::Native { .. } if !self.host.runs_the_suite() => BESIDE_LIMIT,
                _ => RUN_LIMIT,
            };
            if let Err(error) = progress::run(&title, command, &self.log, limit) {
                problem.get_or_insert(error);
            }
        }
        Ok((start.elapsed(), problem))
    }
}

/// Says how a row went.
fn say(row: &Row) {
    let Counts { passed, failed } = row.counts;
    progress::say(&format!(
        "{:7} {}  {passed}/{} cases, {:.1} s{}{}",
        row.verdict.word(),
        row.host.name,
        passed + failed,
        row.took.as_secs_f64(),
        if row.note.is_empty() { "" } else { "  " },
        row.note
    ));
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
