//! `cargo xtask test-all`: the suite on every host, in one table.
//!
//! Invariant: each chosen host has a row, and the run fails unless every row
//! passed (or is missing, where that is allowed).

use std::fs;

use crate::hosts::{HOSTS, Host, Kind, Set};
use crate::report::{self, Row, Verdict};
use crate::session::Session;
use crate::workspace;

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
    let mut session = Session::start(options.install, options.filter.clone())?;
    let mut rows: Vec<Row> = hosts.into_iter().map(|host| session.run(host)).collect();
    compare(&mut rows);
    conclude(&rows, &session.advice(), options.allow_missing)
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

/// Prints the table, writes the file, and says whether the run is good.
fn conclude(rows: &[Row], advice: &[&String], allowed: bool) -> Result<bool, String> {
    fs::write(
        workspace::output()?.join("test-all.json"),
        report::json(rows),
    )
    .map_err(|error| format!("cannot write test-all.json: {error}"))?;
    println!("\n{}", report::table(rows));
    for row in rows.iter().filter(|row| row.verdict != Verdict::Pass) {
        println!("{} {}: {}", row.verdict.word(), row.host, row.note);
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
