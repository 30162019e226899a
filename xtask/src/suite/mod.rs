//! `cargo xtask test-all`: the suite on every host, in one table.
//!
//! `rows.rs` is the table of hosts, with other machines in `machines.rs`; `schedule.rs` says what runs when, `session.rs` how a
//! row is run; `evidence.rs` and `agreement.rs` judge. How cases are shown to people is not
//! in here.
//!
//! Invariant: each chosen host has a row, and the run fails unless every row
//! passed (or is missing, where that is allowed) and all rows agree.

pub mod agreement;
pub mod build;
mod evidence;
mod host;
mod log;
mod machines;
pub mod peer;
pub mod record;
mod report;
mod rows;
mod schedule;
pub mod session;

use std::collections::BTreeMap;
use std::fs;
use std::time::Instant;

use isosocket_parity::{Case, few};

use crate::run::{progress, times, workspace};
use host::Host;
pub use host::Set;
use report::{Row, Verdict};
use rows::HOSTS;
use session::Session;

/// How many failed cases are shown; the matrix has them all.
const SHOWN_FAILURES: usize = 30;

#[derive(Debug, PartialEq)]
struct Options {
    install: bool,
    allow_missing: bool,
    list: bool,
    times: bool,
    set: Set,
    jobs: usize,
    only: Vec<String>,
    filter: Option<String>,
}

impl Options {
    /// What a run is called in the record of times.
    fn name(&self) -> String {
        let filter = self.filter.as_deref().unwrap_or_default();
        match (&self.only[..], self.set) {
            ([], Set::Quick) => format!("test-all {filter}"),
            ([], Set::All) => format!("test-all --hosts all {filter}"),
            ([], Set::More) => format!("test-all --hosts more {filter}"),
            (only, _) => format!("test-all --only {} {filter}", only.join(",")),
        }
        .trim_end()
        .to_owned()
    }
}

pub fn main(arguments: &[String]) -> Result<bool, String> {
    run(arguments, Set::Quick).map(|good| good != Some(false))
}

/// Runs what the arguments say, shows it, and returns whether it is good; nothing where only
/// a list was wanted. `set` is what runs if they name no hosts.
pub fn run(arguments: &[String], set: Set) -> Result<Option<bool>, String> {
    let options = parse(arguments, set)?;
    let hosts = choose(&options)?;
    if options.list {
        for host in hosts {
            println!("{:20} {}", host.id, host.name);
        }
        return Ok(None);
    }
    let part = options.name();
    let rows = hosts.len();
    match times::about(&part) {
        Some(time) => progress::say(&format!("{rows} rows, about {}", progress::rough(time))),
        None => progress::say(&format!("{rows} rows")),
    }
    let start = Instant::now();
    let suite = |host: &&&Host| host.set != Set::More;
    let all = HOSTS.iter().filter(|host| suite(&host)).count();
    let everything = hosts.iter().filter(suite).count() == all && options.filter.is_none();
    let session = Session::start(options.install, options.filter)?;
    let mut rows = schedule::run(&session, &hosts, options.jobs);
    agreement::check(&mut rows, everything);
    times::took(&part, start.elapsed());
    times::save()?;
    if options.times {
        println!("\n{}", times::table());
    }
    record::save(&rows, everything)?;
    conclude(&rows, &session.advice(), options.allow_missing).map(Some)
}

fn parse(arguments: &[String], set: Set) -> Result<Options, String> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut options = Options {
        install: false,
        allow_missing: false,
        list: false,
        times: false,
        set,
        // Rows wait far more than they compute.
        jobs: cores + 1,
        only: Vec::new(),
        filter: None,
    };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--install" => options.install = true,
            "--allow-missing" => options.allow_missing = true,
            "--list" => options.list = true,
            "--times" => options.times = true,
            "--hosts" => {
                options.set = match arguments.next().map(String::as_str) {
                    Some("quick") => Set::Quick,
                    Some("all") => Set::All,
                    Some("more") => Set::More,
                    _ => return Err("--hosts is `quick`, `all` or `more`".to_owned()),
                };
            }
            "--jobs" => {
                let jobs = arguments.next().and_then(|jobs| jobs.parse().ok());
                options.jobs = jobs.ok_or("--jobs needs a number")?;
            }
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
    let chosen = |host: &&Host| match options.only.is_empty() {
        true => host.set <= options.set,
        false => options.only.iter().any(|name| host.is_called(name)),
    };
    Ok(HOSTS.iter().filter(chosen).collect())
}

/// Prints the table, writes the file, and says whether the run is good.
fn conclude(rows: &[Row], advice: &[String], allowed: bool) -> Result<bool, String> {
    fs::write(
        workspace::output()?.join("test-all.json"),
        report::json(rows),
    )
    .map_err(|error| format!("cannot write test-all.json: {error}"))?;
    println!("\n{}", report::table(rows));
    for row in rows.iter().filter(|row| !row.note.is_empty()) {
        println!("{} {}: {}", row.verdict.word(), row.host.name, row.note);
    }
    let failures = failures(rows);
    if !failures.is_empty() {
        println!("\nCases that failed (`cargo xtask parity --last` shows where, and the others):");
    }
    for line in failures.iter().take(SHOWN_FAILURES) {
        println!("  {line}");
    }
    if let Some(more) = failures.len().checked_sub(SHOWN_FAILURES + 1) {
        println!("  and {} more", more + 1);
    }
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

/// The cases that failed, each with the hosts where it did and what the first
/// of them saw.
fn failures(rows: &[Row]) -> Vec<String> {
    let mut failed: BTreeMap<String, (&Case, Vec<&str>)> = BTreeMap::new();
    for row in rows {
        for case in row.failures() {
            let entry = failed.entry(case.title()).or_insert((case, Vec::new()));
            entry.1.push(row.host.name);
        }
    }
    let line = |(title, (case, hosts)): (String, (&Case, Vec<&str>))| {
        format!("{title} ({}): {}", few(&hosts, 3), case.seen)
    };
    failed.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::report::Row;
    use super::rows::HOSTS;
    use super::{Options, Set, choose, failures, host, parse};
    use isosocket_parity::Case;

    fn options(line: &str) -> Result<Options, String> {
        parse(&crate::words(line), Set::Quick)
    }

    #[test]
    fn arguments_are_read_in_any_order() {
        let parsed = options("close --only deno,bun --jobs 1 --install").expect("they are right");
        assert_eq!(parsed.only, ["deno", "bun"]);
        assert_eq!(parsed.filter.as_deref(), Some("close"));
        assert_eq!(parsed.jobs, 1);
        assert!(parsed.install && !parsed.allow_missing);
    }

    #[test]
    fn wrong_arguments_are_refused() {
        for line in [
            "--instal",
            "--hosts some",
            "--hosts",
            "--only",
            "--jobs x",
            "a b",
        ] {
            assert!(options(line).is_err(), "{line}");
        }
        assert!(choose(&options("--only netscape").expect("parses")).is_err());
    }

    #[test]
    fn a_quick_set_of_hosts_is_run_unless_more_are_asked_for() {
        let count = |line: &str| {
            let hosts = choose(&options(line).expect("parses")).expect("they exist");
            hosts.len()
        };
        assert_eq!(count(""), 9);
        assert_eq!(count(""), count("--hosts quick"));
        assert_eq!(count("--hosts more"), HOSTS.len());
        assert!(count("--hosts all") < HOSTS.len());
        assert!(count("--hosts quick") < count("--hosts all"));
        assert_eq!(count("--only webkit,native"), 6);
    }

    #[test]
    fn a_case_that_failed_on_several_hosts_is_one_line() {
        let case = r#"{"rule":"S1","case":"a","mark":"M","result":"fail","seen":"b"}"#;
        let rows = ["native", "deno"].map(|id| {
            let mut row = Row::new(host::called(id).expect("it is a host"));
            row.cases = vec![Case::read(case).expect("it is a report")];
            row
        });
        assert_eq!(failures(&rows), ["S1 a (native, Deno): b"]);
    }
}
