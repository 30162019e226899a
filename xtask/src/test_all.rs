//! `cargo xtask test-all`: the suite on every host, in one table.
//!
//! Invariant: each chosen host has a row, and the run fails unless every row
//! passed (or is missing, where that is allowed).

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::hosts::{Env, HOSTS, Host, Kind, Set};
use crate::process::Invocation;
use crate::report::{self, Counts, Row, Verdict};
use crate::tools::{self, Tool};
use crate::{demo, page, peer, progress, wasm, workspace};

/// A build takes no longer than this, on a cold machine with two cores.
const BUILD_LIMIT: Duration = Duration::from_secs(15 * 60);

/// A row's cases take no longer than this together.
const RUN_LIMIT: Duration = Duration::from_secs(10 * 60);

/// The same for wasm-bindgen's runner, so that it gives up before we do and
/// can still say why.
const RUNNER_LIMIT: &str = "540";

#[derive(Debug, Default, PartialEq)]
struct Options {
    install: bool,
    allow_missing: bool,
    list: bool,
    all: bool,
    only: Vec<String>,
    filter: Option<String>,
}

pub fn main(arguments: &[String]) -> Result<bool, String> {
    let options = parse(arguments)?;
    let hosts = choose(&options)?;
    if options.list {
        for host in hosts {
            println!("{:20} {}", host.id, host.name);
        }
        return Ok(true);
    }
    let mut session = Session::start(&options)?;
    let mut rows: Vec<Row> = hosts.into_iter().map(|host| session.run(host)).collect();
    compare(&mut rows);
    session.conclude(&rows)
}

fn parse(arguments: &[String]) -> Result<Options, String> {
    let mut options = Options::default();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--install" => options.install = true,
            "--allow-missing" => options.allow_missing = true,
            "--list" => options.list = true,
            "--hosts" => match arguments.next().map(String::as_str) {
                Some("core") => options.all = false,
                Some("all") => options.all = true,
                _ => return Err("--hosts is `core` or `all`".to_owned()),
            },
            "--only" => {
                let names = arguments.next().ok_or("--only needs a host")?;
                options.only.extend(names.split(',').map(str::to_owned));
            }
            flag if flag.starts_with('-') => return Err(format!("test-all knows no `{flag}`")),
            filter if options.filter.is_none() => options.filter = Some(filter.to_owned()),
            _ => return Err("test-all takes one filter".to_owned()),
        }
    }
    Ok(options)
}

/// The hosts meant by the options, in the table's order.
fn choose(options: &Options) -> Result<Vec<&'static Host>, String> {
    let unknown = options
        .only
        .iter()
        .find(|name| !HOSTS.iter().any(|host| host.is_called(name)));
    if let Some(name) = unknown {
        let known: Vec<&str> = HOSTS.iter().map(|host| host.id).collect();
        return Err(format!(
            "there is no host `{name}`; there are {}",
            known.join(", ")
        ));
    }
    let chosen = |host: &&Host| {
        if options.only.is_empty() {
            options.all || host.set == Set::Core
        } else {
            options.only.iter().any(|name| host.is_called(name))
        }
    };
    Ok(HOSTS.iter().filter(chosen).collect())
}

/// What the rows of one run share.
struct Session<'a> {
    options: &'a Options,
    output: PathBuf,
    native: String,
    peer: peer::Running,
    /// What became of each tool that was asked for so far.
    provided: Vec<(&'static str, Result<PathBuf, String>)>,
    /// The suite's wasm binaries, once a row needed them.
    suite: Option<Result<Vec<PathBuf>, String>>,
}

impl<'a> Session<'a> {
    fn start(options: &'a Options) -> Result<Self, String> {
        Ok(Self {
            options,
            output: workspace::output()?,
            native: native_triple()?,
            peer: peer::start()?,
            provided: Vec::new(),
            suite: None,
        })
    }

    /// Runs one host and says on one line how it went.
    fn run(&mut self, host: &'static Host) -> Row {
        let target = match host.kind {
            Kind::Native { .. } => self.native.clone(),
            Kind::Wasm | Kind::Page => tools::WASM_TRIPLE.to_owned(),
        };
        let mut row = Row {
            id: host.id,
            target,
            host: host.name,
            verdict: Verdict::Missing,
            counts: Counts::default(),
            took: Duration::ZERO,
            note: String::new(),
        };
        let missing: Vec<&str> = host
            .needs
            .iter()
            .filter(|tool| self.provide(tool).is_err())
            .map(|tool| tool.name)
            .collect();
        if missing.is_empty() {
            let log = self.output.join(format!("{}.log", host.id));
            self.judge(host, &log, &mut row);
            if row.verdict == Verdict::Fail {
                progress::show_tail(&log);
            }
        } else {
            row.note = format!("needs {}", missing.join(", "));
        }
        let Counts { passed, failed } = row.counts;
        eprintln!(
            "{:7} {}  {passed}/{} cases, {:.1} s{}{}",
            row.verdict.word(),
            row.host,
            passed + failed,
            row.took.as_secs_f64(),
            if row.note.is_empty() { "" } else { "  " },
            row.note
        );
        row
    }

    /// Builds what a row needs, runs its cases, reads the counts.
    fn judge(&mut self, host: &'static Host, log: &Path, row: &mut Row) {
        // What an earlier run wrote must not be counted again.
        if let Err(error) = fs::write(log, "") {
            return row.judge(Some(format!("cannot write the log: {error}")));
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
        row.counts = Counts::read(&fs::read_to_string(log).unwrap_or_default());
        row.judge(problem);
    }

    /// Drives the demo's page: how long it took, and what went wrong.
    fn page(&mut self, log: &Path) -> Result<(Duration, Option<String>), String> {
        let wasm_bindgen = self.provide(&tools::WASM_BINDGEN)?;
        let driver = self.provide(&tools::CHROMIUM)?;
        let folder = demo::build(&wasm_bindgen, log)?;
        let start = Instant::now();
        let filter = self.options.filter.as_deref();
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
                let filter = self.options.filter.as_slice();
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
                    let command = command.arg(binary).args(self.options.filter.as_slice());
                    self.environment(host, command)
                });
                commands.collect()
            }
            Kind::Page => Ok(Vec::new()),
        }
    }

    /// Prints the table, writes the file, and says whether the run is good.
    fn conclude(&self, rows: &[Row]) -> Result<bool, String> {
        let allowed = self.options.allow_missing;
        fs::write(self.output.join("test-all.json"), report::json(rows))
            .map_err(|error| format!("cannot write test-all.json: {error}"))?;
        println!("\n{}", report::table(rows));
        for row in rows.iter().filter(|row| row.verdict != Verdict::Pass) {
            println!("{} {}: {}", row.verdict.word(), row.host, row.note);
        }
        let advice: Vec<&String> = self
            .provided
            .iter()
            .filter_map(|(_, result)| result.as_ref().err())
            .collect();
        if !advice.is_empty() {
            println!("\nWhat is missing, and how to get it (or try --install):");
        }
        for line in advice {
            println!("  {line}");
        }
        println!("{}", report::summary(rows, allowed));
        Ok(rows.iter().all(|row| match row.verdict {
            Verdict::Pass => true,
            Verdict::Missing => allowed,
            Verdict::Fail => false,
        }))
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
        let result = tool.provide(self.options.install);
        self.provided.push((tool.name, result.clone()));
        result
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

/// Fails the rows that ran fewer cases than others did of the same binary.
fn compare(rows: &mut [Row]) {
    let runs_the_suite = |row: &&mut Row| {
        let host = HOSTS.iter().find(|host| host.id == row.id);
        row.verdict == Verdict::Pass && host.is_some_and(|host| matches!(host.kind, Kind::Wasm))
    };
    let total = |row: &Row| row.counts.passed + row.counts.failed;
    let most = rows
        .iter_mut()
        .filter(runs_the_suite)
        .map(|row| total(row))
        .max();
    for row in rows.iter_mut().filter(runs_the_suite) {
        let (count, most) = (total(row), most.unwrap_or_default());
        if count != most {
            row.judge(Some(format!("ran {count} cases where others ran {most}")));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Options, choose, compare, parse};
    use crate::report::{Counts, Row, Verdict};

    fn options(line: &str) -> Result<Options, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        parse(&words)
    }

    #[test]
    fn arguments_are_read_in_any_order() {
        let parsed = options("close --only deno,bun --install").expect("they are right");
        assert_eq!(parsed.only, ["deno", "bun"]);
        assert_eq!(parsed.filter.as_deref(), Some("close"));
        assert!(parsed.install && !parsed.allow_missing && !parsed.all);
    }

    #[test]
    fn wrong_arguments_are_refused() {
        for line in ["--instal", "--hosts some", "--hosts", "--only", "a b"] {
            assert!(options(line).is_err(), "{line}");
        }
        assert!(choose(&options("--only netscape").expect("parses")).is_err());
    }

    #[test]
    fn the_core_set_is_part_of_all() {
        let count = |line: &str| {
            let hosts = choose(&options(line).expect("parses")).expect("they exist");
            hosts.len()
        };
        assert!(count("") < count("--hosts all"));
        assert_eq!(count("--only webkit,native"), 5);
    }

    #[test]
    fn a_host_that_ran_fewer_cases_than_others_fails() {
        let row = |id, passed| Row {
            id,
            target: String::new(),
            host: id,
            verdict: Verdict::Pass,
            counts: Counts { passed, failed: 0 },
            took: Duration::ZERO,
            note: String::new(),
        };
        let mut rows = [row("native", 90), row("deno", 40), row("bun", 39)];
        compare(&mut rows);
        let verdicts = rows.map(|row| row.verdict);
        assert_eq!(verdicts, [Verdict::Pass, Verdict::Pass, Verdict::Fail]);
    }
}
