//! What the rows of one run share: tools, builds, the peer. And how one row is run.
//!
//! Invariant: a tool is looked for, and a thing is built, only once. Whoever needs it
//! waits for whoever began. Whatever happens in a row ends as its verdict; it ends neither
//! the run nor another row.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::build::{self, Binary};
use super::host::{Env, Host, Kind};
use super::peer;
use crate::browser;
use crate::browser::marionette::FirefoxDriver;
use crate::commands::{demo, pages};
use crate::run::{Invocation, progress, workspace};
use crate::tools::{self, Tool};

/// A row's cases take no longer than this together. They take a minute or two, on a busy
/// machine several.
const RUN_LIMIT: Duration = Duration::from_secs(10 * 60);

/// The limit for rows that are not the suite. They are commands of ours, and
/// have shorter limits of their own.
const COMMAND_LIMIT: Duration = Duration::from_secs(60 * 60);

/// The same for wasm-bindgen's runner, in seconds, so that it gives up before we do and
/// can still say why.
const RUNNER_LIMIT: &str = "570";

/// What the rows of one run share.
pub struct Session {
    pub install: bool,
    filter: Option<String>,
    output: PathBuf,
    pub native: String,
    pub peer: peer::Running,
    tools: Once<PathBuf>,
    builds: Once<Vec<Binary>>,
}

/// Things that are made once, by name.
type Once<T> = Mutex<BTreeMap<String, Arc<OnceLock<Result<T, String>>>>>;

/// How a row's commands ended.
pub enum Ended {
    /// What it needs and is not there.
    Missing(Vec<&'static str>),
    Ran {
        version: String,
        took: Duration,
        problem: Option<String>,
    },
}

impl Session {
    /// # Errors
    /// If there is no Rust, or the peer cannot be started.
    pub fn start(install: bool, filter: Option<String>) -> Result<Self, String> {
        Ok(Self {
            install,
            filter,
            native: workspace::native_triple()?,
            peer: peer::start(Some(&workspace::output()?.join("reports.log")))?,
            output: workspace::output()?,
            tools: Once::default(),
            builds: Once::default(),
        })
    }

    pub fn log(&self, host: &Host) -> PathBuf {
        self.output.join(format!("{}.log", host.id))
    }

    /// Where a tool is; looked for, and installed if allowed, only once.
    pub fn provide(&self, tool: &Tool) -> Result<PathBuf, String> {
        once(&self.tools, tool.name, || tool.provide(self.install))
    }

    /// The names of those of some tools that are not there.
    fn missing(&self, tools: &[&'static Tool]) -> Vec<&'static str> {
        let missing = tools.iter().filter(|tool| self.provide(tool).is_err());
        missing.map(|tool| tool.name).collect()
    }

    /// How to get what was asked for and is missing.
    pub fn advice(&self) -> Vec<String> {
        let tools = self.tools.lock().unwrap_or_else(PoisonError::into_inner);
        let results = tools.values().filter_map(|cell| cell.get());
        results.filter_map(|result| result.clone().err()).collect()
    }

    /// Builds what a row needs to be built, and gives the programs of its tests.
    ///
    /// # Errors
    /// One line; the compiler's output is in the row's log.
    pub fn build(&self, host: &'static Host) -> Result<Vec<Binary>, String> {
        let log = self.log(host);
        // What an earlier run wrote must not be counted again.
        workspace::empty(&log)?;
        // The tools that run wasm may still be on their way. Without them there is no row,
        // which the row itself says.
        let needed = match host.is_wasm() && self.install {
            true => &[&tools::WASM_TARGET][..],
            false => host.needs,
        };
        if !self.missing(needed).is_empty() {
            return Ok(Vec::new());
        }
        let environment = self.of_peer();
        for command in host.builds {
            once(&self.builds, command, || {
                build::run(command, host, &environment, &log)
            })?;
        }
        match &host.kind {
            Kind::Tests {
                arguments, nightly, ..
            } => once(&self.builds, arguments, || {
                let cargo = match nightly {
                    Some(flags) => build::nightly(&self.provide(&tools::NIGHTLY)?, flags),
                    None => Invocation::cargo(),
                };
                build::tests(cargo, arguments, host, &environment, &log)
            }),
            Kind::Page { .. } => once(&self.builds, "pages", || {
                let wasm_bindgen = self.provide(&tools::WASM_BINDGEN)?;
                pages::build(&wasm_bindgen, &log)?;
                let folder = demo::build(&wasm_bindgen, &log)?;
                isosocket_page_tests::add_page_without_websocket(&folder)?;
                Ok(Vec::new())
            }),
            Kind::Command(_) => Ok(Vec::new()),
        }
    }

    /// Runs a row that was built.
    pub fn run(&self, host: &'static Host, built: Result<Vec<Binary>, String>) -> Ended {
        let missing = self.missing(host.needs);
        if !missing.is_empty() {
            return Ended::Missing(missing);
        }
        let start = Instant::now();
        let problem = built.and_then(|binaries| match host.kind {
            Kind::Page { only, cycles } => self.page(host, only, cycles),
            _ => self.run_all(host, &binaries),
        });
        Ended::Ran {
            version: self.version(host),
            took: start.elapsed(),
            problem: problem.err(),
        }
    }

    /// Runs all that a row has to run; the first failure is reported after the last one ran.
    fn run_all(&self, host: &'static Host, binaries: &[Binary]) -> Result<(), String> {
        // Each row has a Firefox of its own, which ends with the row.
        let firefox = host.environment.iter().find_map(|variable| match variable {
            Env::FirefoxDriver(name) => Some(*name),
            _ => None,
        });
        let firefox = match firefox {
            Some(name) => Some((name, self.firefox(&self.log(host))?)),
            None => None,
        };
        let (mut result, filter) = (Ok(()), self.filter.as_slice());
        for command in self.commands(host, binaries)? {
            let command = self.environment(host, command.args(filter))?;
            let command = match &firefox {
                Some((name, driver)) => command.env(name, driver.url()),
                None => command,
            };
            let limit = if host.suite { RUN_LIMIT } else { COMMAND_LIMIT };
            let title = format!("running {}", host.name);
            let one = progress::run(&title, &command, &self.log(host), limit);
            result = result.and(one);
        }
        result
    }

    /// The commands that run a row's cases.
    fn commands(&self, host: &Host, binaries: &[Binary]) -> Result<Vec<Invocation>, String> {
        let (arguments, wasm, docs, only) = match host.kind {
            Kind::Command(command) => return Ok(vec![workspace::xtask(command)]),
            Kind::Page { .. } => return Ok(Vec::new()),
            Kind::Tests {
                arguments,
                wasm,
                docs,
                only,
                ..
            } => (arguments, wasm, docs, only),
        };
        let mut commands = Vec::new();
        let wanted = |binary: &&Binary| only.is_none_or(|package| binary.is_of(package));
        for binary in binaries.iter().filter(wanted) {
            let command = match wasm {
                false => wrapped(host, &binary.program).folder(&binary.folder),
                true => {
                    let runner = self
                        .provide(&tools::WASM_BINDGEN)?
                        .with_file_name("wasm-bindgen-test-runner");
                    wrapped(host, &runner).arg(&binary.program)
                }
            };
            commands.push(command);
        }
        if docs {
            let command = Invocation::cargo().args(["test", "--doc", "--no-fail-fast"]);
            commands.push(command.args(arguments.split_whitespace()));
        }
        Ok(commands)
    }

    fn firefox(&self, log: &Path) -> Result<FirefoxDriver, String> {
        FirefoxDriver::start(&self.provide(&tools::FIREFOX)?, log)
    }

    /// Drives pages.
    fn page(&self, host: &'static Host, only: Option<&str>, cycles: u32) -> Result<(), String> {
        let log = self.log(host);
        let is_firefox = |tool: &Tool| tool.name == tools::FIREFOX.name;
        let engine = match host.engine.is_some_and(is_firefox) {
            true => browser::Engine::Firefox(self.firefox(&log)?),
            false => browser::Engine::Chromium(self.provide(&tools::CHROMIUM)?),
        };
        let axe = self.provide(&tools::AXE)?;
        let filter = only.or(self.filter.as_deref());
        let (pages, secure) = pages::start(&self.peer)?;
        let servers = isosocket_page_tests::Servers {
            demo: format!("http://{}/", demo::start(demo::folder()?, &self.peer, 0)?),
            pages,
            secure,
            peer: &self.peer.address,
            secure_echo: self.peer.tls_url("/echo"),
            record: &|id| self.peer.record(id),
            cycles,
        };
        isosocket_page_tests::run(engine, &servers, &axe, filter, &log)
    }

    /// The host's name and version, if they are known.
    fn version(&self, host: &Host) -> String {
        let version = match host.engine {
            None => tools::rustc_version(),
            Some(tool) => self.provide(tool).ok().and_then(|path| tool.version(&path)),
        };
        version.unwrap_or_else(|| "unknown".to_owned())
    }

    /// What every command has to know about the peer.
    fn of_peer(&self) -> Vec<(&'static str, OsString)> {
        vec![
            ("ISOSOCKET_PEER", self.peer.address.clone().into()),
            ("ISOSOCKET_PEER_CA", self.peer.ca.clone().into()),
        ]
    }

    /// Adds a host's variables to a command.
    fn environment(&self, host: &Host, command: Invocation) -> Result<Invocation, String> {
        let mut command = command
            .envs(self.of_peer())
            // Who reports, natively; and what a test runs its own program with.
            .env("ISOSOCKET_ROW", host.id)
            .env("ISOSOCKET_WRAPPER", host.wrapper.join(" "))
            .env("WASM_BINDGEN_TEST_TIMEOUT", RUNNER_LIMIT)
            .env("WASM_BINDGEN_TEST_DRIVER_TIMEOUT", "60");
        for variable in host.environment {
            command = match variable {
                Env::Set(name, value) => command.env(name, value),
                Env::Tool(name, tool) => command.env(name, self.provide(tool)?),
                Env::File(name, file) => command.env(name, workspace::root().join(file)),
                Env::PathTo(folder) => {
                    command.env("PATH", first_on_path(&workspace::root().join(folder))?)
                }
                Env::PathOf(tool) => {
                    let program = self.provide(tool)?;
                    let folder = program.parent().ok_or("a program lies in a folder")?;
                    command.env("PATH", first_on_path(folder)?)
                }
                Env::FirefoxDriver(_) => command,
            };
        }
        Ok(command)
    }
}

/// A program, run by the host's wrapper if it has one.
fn wrapped(host: &Host, program: &Path) -> Invocation {
    match host.wrapper.split_first() {
        Some((wrapper, rest)) => Invocation::new(wrapper).args(rest).arg(program),
        None => Invocation::new(program),
    }
}

/// What was made under a name; made now if it was not, by whoever asks first.
fn once<T: Clone>(
    all: &Once<T>,
    name: &str,
    make: impl FnOnce() -> Result<T, String>,
) -> Result<T, String> {
    let cell = {
        let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(name.to_owned()).or_default())
    };
    cell.get_or_init(make).clone()
}

/// The search path with one more folder at its front.
fn first_on_path(folder: &Path) -> Result<OsString, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder.to_owned()).chain(std::env::split_paths(&path));
    std::env::join_paths(folders).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::{Once, once};
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::thread;

    #[test]
    fn a_thing_is_made_once_and_everybody_has_it() {
        let (all, made) = (Once::<usize>::default(), AtomicUsize::new(0));
        let begin = Barrier::new(4);
        let make = || Ok(made.fetch_add(1, Relaxed));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    begin.wait();
                    assert_eq!(once(&all, "a", make), Ok(0));
                });
            }
        });
        assert_eq!(once(&all, "another", make), Ok(1));
    }

    #[test]
    fn what_cannot_be_made_is_not_tried_again() {
        let all = Once::<()>::default();
        let failed = once(&all, "a", || Err("why".to_owned()));
        assert_eq!(failed, Err("why".to_owned()));
        assert_eq!(once(&all, "a", || Ok(())), failed);
    }
}
