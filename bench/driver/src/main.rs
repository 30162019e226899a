//! `cargo xtask bench`: compares isosocket with other clients, in tables and pictures.
//!
//! Invariant: what is printed was measured in this very run, by one command.

mod budget;
mod builds;
mod circumstances;
mod native;
mod page_size;
mod plan;
mod plot;
mod program_budget;
mod queues;
mod results;
mod server;
mod size;
mod table;
mod web;
mod workloads;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use xtask_kit::run::Invocation;

/// The benchmarks' own workspace, and where it is built.
const MANIFEST: &str = "bench/Cargo.toml";
const TARGET: &str = "target/bench";

/// What is asked of a run.
#[derive(Debug, Default, PartialEq)]
pub struct Options {
    /// Few rounds of the short workloads, for a first impression.
    pub quick: bool,
    /// Only these workloads and clients; empty for all.
    pub only: Vec<String>,
    /// Install what the web's half needs.
    pub install: bool,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(reason) => {
            eprintln!("bench: {}", reason.trim_end());
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &[String]) -> Result<bool, String> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["bench", "native", ..] => native::main(&parse(&arguments[2..])?),
        ["bench", "queues"] => queues::main(),
        ["bench", "web", ..] => web::main(&parse(&arguments[2..])?),
        ["size", ..] => budget::main(&arguments[1..]),
        _ => Err("bench what? There are `native`, `web` and `queues`".to_owned()),
    }
}

/// A cargo command on the bench workspace.
fn cargo(command: &str) -> Invocation {
    Invocation::cargo().args([command, "--manifest-path", MANIFEST])
}

/// Writes one file of results.
fn save(folder: &Path, name: &str, text: &str) -> Result<(), String> {
    fs::write(folder.join(name), text).map_err(|error| format!("cannot write {name}: {error}"))
}

fn parse(arguments: &[String]) -> Result<Options, String> {
    let mut options = Options::default();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => options.quick = true,
            "--install" => options.install = true,
            "--only" => {
                let names = arguments.next().ok_or("--only needs names")?;
                options.only.extend(names.split(',').map(str::to_owned));
            }
            other => return Err(format!("bench knows no `{other}`")),
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::{Options, parse};

    #[test]
    fn arguments_are_checked() {
        let words =
            |line: &str| -> Vec<String> { line.split_whitespace().map(str::to_owned).collect() };
        let expected = Options {
            quick: true,
            only: vec!["ping".to_owned(), "yawc".to_owned()],
            install: false,
        };
        assert_eq!(parse(&words("--quick --only ping,yawc")), Ok(expected));
        assert!(parse(&words("--only")).is_err());
        assert!(parse(&words("--quik")).is_err());
    }
}
