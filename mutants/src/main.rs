//! Mutation testing: small faults are put into the sources, one at a time, and a test must
//! notice each.
//!
//! Invariant: everything is built once. All mutants are in the same programs, and a number
//! in the environment chooses one. So a trial takes as long as the tests that reach it.

mod build;
mod cfg;
mod find;
mod node;
mod patience;
mod report;
mod switch;
mod tree;
mod trial;
mod values;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use build::Tests;
use report::{Known, Outcome};
use tree::{PACKAGES, Package, Tree};

/// What the command line asks for.
#[derive(Default)]
struct Task {
    files: Vec<String>,
    /// Only what the last run did not catch.
    again: bool,
    list: bool,
    tests: Tests,
    jobs: usize,
}

fn parse(arguments: impl Iterator<Item = String>) -> Result<Task, String> {
    let mut task = Task {
        jobs: 2,
        ..Task::default()
    };
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--again" => task.again = true,
            "--suite" => task.tests = Tests::Suite,
            "--unit" => task.tests = Tests::Unit,
            "--list" => task.list = true,
            "--jobs" => {
                let number = arguments.next().and_then(|text| text.parse().ok());
                task.jobs = number
                    .filter(|jobs| *jobs > 0)
                    .ok_or("--jobs wants a number")?;
            }
            file if !file.starts_with('-') => task.files.push(file.to_owned()),
            other => return Err(format!("mutants knows no `{other}`")),
        }
    }
    Ok(task)
}

fn root() -> PathBuf {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    own.parent()
        .expect("this crate lies in the repository")
        .to_path_buf()
}

fn main() -> ExitCode {
    let result = parse(std::env::args().skip(1)).and_then(|task| run(&task));
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::from(2)
        }
    }
}

fn run(task: &Task) -> Result<bool, String> {
    let mut good = true;
    for package in &PACKAGES {
        let is_inside = |file: &String| file.starts_with(package.folder);
        if task.files.is_empty() || task.files.iter().any(is_inside) {
            good &= run_package(task, package)?;
        }
    }
    Ok(good)
}

fn run_package(task: &Task, package: &Package) -> Result<bool, String> {
    let folder = root().join("target/mutants").join(package.folder);
    let mut tree = Tree::copy(&root(), &folder, package)?;
    let mut known = Known::read(package)?;
    let mutants = build::make_viable(&mut tree, package)?;
    let names = report::names(&mutants);
    let is_asked = |file: &str| {
        task.files.is_empty()
            || task
                .files
                .iter()
                .any(|asked| file.starts_with(asked.as_str()))
    };
    let chosen = mutants.iter().zip(&names);
    let chosen = chosen
        .filter(|(mutant, name)| is_asked(&mutant.file) && !(task.again && known.is_caught(name)));
    let chosen: Vec<_> = chosen.collect();
    if task.list {
        chosen.iter().for_each(|(mutant, name)| {
            println!("{} {}:{} {name}", mutant.number, mutant.file, mutant.line)
        });
        return Ok(true);
    }
    let programs = build::tests(&tree, package, task.tests)?;
    let tests = trial::survey(&programs, task.jobs);
    eprintln!("{} mutants, {} tests", chosen.len(), tests.len());
    let count = AtomicUsize::new(0);
    let outcomes = trial::in_parallel(&chosen, task.jobs, |(mutant, name)| {
        let verdict = trial::judge(mutant.number, mutant.site, &tests);
        let outcome = Outcome {
            name: (*name).clone(),
            line: mutant.line,
            verdict,
        };
        report::say(package, &outcome);
        let done = count.fetch_add(1, Ordering::Relaxed) + 1;
        if done % 100 == 0 {
            eprintln!("{done} of {}", chosen.len());
        }
        outcome
    });
    known.add(outcomes, &names);
    known.write()?;
    Ok(known.print(&is_asked))
}
