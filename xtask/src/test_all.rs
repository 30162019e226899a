//! `cargo xtask test-all`: the suite on every host, in one table.
//!
//! Invariant: each chosen host has a row, and the run fails unless every row
//! passed (or is missing, where that is allowed) and all rows agree.

use std::collections::BTreeMap;
use std::fs;

use crate::cases::{Case, few};
use crate::hosts::{HOSTS, Host, Set};
use crate::record::Run;
use crate::report::{self, Row, Verdict};
use crate::session::Session;
use crate::{agreement, workspace};

/// How many failed cases are shown; the matrix has them all.
const SHOWN_FAILURES: usize = 30;

/// How many JavaScript hosts run at a time unless `--jobs` says otherwise.
const JOBS: usize = 2;

#[derive(Debug, Default, PartialEq)]
struct Options {
    install: bool,
    allow_missing: bool,
    list: bool,
    core: bool,
    beside: bool,
    jobs: Option<usize>,
    only: Vec<String>,
    filter: Option<String>,
}

pub fn main(arguments: &[String]) -> Result<bool, String> {
    run(arguments).map(|(_, good)| good)
}

/// Runs what the arguments say, shows it and keeps its record; nothing is
/// returned where only a list was wanted.
pub fn run(arguments: &[String]) -> Result<(Option<Run>, bool), String> {
    let options = parse(arguments)?;
    let hosts = choose(&options)?;
    if options.list {
        for host in hosts {
            println!("{:20} {}", host.id, host.name);
        }
        return Ok((None, true));
    }
    let suite = |host: &&&Host| host.set != Set::Beside;
    let all = HOSTS.iter().filter(|host| suite(&host)).count();
    let everything = hosts.iter().filter(suite).count() == all && options.filter.is_none();
    let mut session = Session::start(options.install, options.filter)?;
    let mut rows = session.run(&hosts, options.jobs.unwrap_or(JOBS));
    agreement::check(&mut rows, everything);
    let run = Run::new(rows, everything);
    run.save()?;
    let good = conclude(&run.rows, &session.advice(), options.allow_missing)?;
    Ok((Some(run), good))
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
                Some("core") => options.core = true,
                Some("all") => options.core = false,
                Some("more") => options.beside = true,
                _ => return Err("--hosts is `core`, `all` or `more`".to_owned()),
            },
            "--jobs" => {
                let jobs = arguments.next().and_then(|jobs| jobs.parse().ok());
                options.jobs = Some(jobs.ok_or("--jobs needs a number")?);
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
    let chosen = |host: &&Host| {
        if options.only.is_empty() {
            match host.set {
                Set::Core => true,
                Set::All => !options.core,
                Set::Beside => options.beside,
            }
        } else {
            options.only.iter().any(|name| host.is_called(name))
        }
    };
    Ok(HOSTS.iter().filter(chosen).collect())
}

/// Prints the table, writes the file, and says whether the run is good.
fn conclude(rows: &[Row], advice: &[&String], allowed: bool) -> Result<bool, String> {
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
    use super::{Options, choose, failures, parse};
    use crate::cases::Case;
    use crate::hosts::{self, HOSTS};
    use crate::report::Row;

    fn options(line: &str) -> Result<Options, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        parse(&words)
    }

    #[test]
    fn arguments_are_read_in_any_order() {
        let parsed = options("close --only deno,bun --jobs 1 --install").expect("they are right");
        assert_eq!(parsed.only, ["deno", "bun"]);
        assert_eq!(parsed.filter.as_deref(), Some("close"));
        assert_eq!(parsed.jobs, Some(1));
        assert!(parsed.install && !parsed.allow_missing && !parsed.core);
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
    fn all_hosts_are_run_unless_fewer_are_asked_for() {
        let count = |line: &str| {
            let hosts = choose(&options(line).expect("parses")).expect("they exist");
            hosts.len()
        };
        assert_eq!(count("--hosts more"), HOSTS.len());
        assert_eq!(count(""), count("--hosts all"));
        assert!(count("--hosts all") < HOSTS.len());
        assert!(count("--hosts core") < count("--hosts all"));
        assert_eq!(count("--only webkit,native"), 6);
    }

    #[test]
    fn a_case_that_failed_on_several_hosts_is_one_line() {
        let case = r#"{"rule":"S1","case":"a","mark":"M","result":"fail","seen":"b"}"#;
        let rows = ["native", "deno"].map(|id| {
            let mut row = Row::new(hosts::called(id).expect("it is a host"));
            row.cases = vec![Case::read(case).expect("it is a report")];
            row
        });
        assert_eq!(failures(&rows), ["S1 a (native, Deno): b"]);
    }
}
