//! How long a minimal program takes to build from nothing, with each client.
//!
//! Invariant: nothing is downloaded meanwhile, and the programs take turns, so that a
//! slow minute of the machine befalls all of them.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::plan::{self, Client};
use crate::results::Build;
use crate::size::{self, Program};
use crate::{Options, cargo};
use xtask_kit::run::{progress, workspace};

/// Emptied before each build.
const COLD: &str = "target/bench-cold";
const LIMIT: Duration = Duration::from_secs(20 * 60);

/// Builds in each profile, if there is no hurry.
const ROUNDS: usize = 2;

/// Measures only when asked: it takes many minutes.
pub fn measure(options: &Options, clients: &[Client], log: &Path) -> Result<Vec<Build>, String> {
    if !options.only.iter().any(|name| name == plan::BUILD) {
        return Ok(Vec::new());
    }
    let fetch = cargo("fetch");
    progress::run("downloading the sources", &fetch, log, LIMIT)
        .inspect_err(|_| progress::show_tail(log))?;
    let programs: Vec<&Program> = size::of(clients).collect();
    let rounds = if options.quick { 1 } else { ROUNDS };
    let mut builds: Vec<Build> = programs
        .iter()
        .map(|program| Build {
            name: program.name,
            debug: Vec::new(),
            release: Vec::new(),
        })
        .collect();
    for _ in 0..rounds {
        for (program, build) in programs.iter().zip(&mut builds) {
            build.debug.push(seconds(program, "dev", log)?);
        }
    }
    for _ in 0..rounds {
        for (program, build) in programs.iter().zip(&mut builds) {
            build.release.push(seconds(program, "release", log)?);
        }
    }
    empty()?;
    Ok(builds)
}

fn seconds(program: &Program, profile: &str, log: &Path) -> Result<f64, String> {
    empty()?;
    let build = cargo("build")
        .args(["--offline", "--profile", profile, "--target-dir", COLD])
        .args(program.arguments())
        // Crates of a registry, as all are for users, are built without.
        .env("CARGO_INCREMENTAL", "0");
    let title = format!("building {} from nothing ({profile})", program.name);
    let start = Instant::now();
    progress::run(&title, &build, log, LIMIT).inspect_err(|_| progress::show_tail(log))?;
    Ok(start.elapsed().as_secs_f64())
}

fn empty() -> Result<(), String> {
    match fs::remove_dir_all(workspace::root().join(COLD)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(format!("cannot empty {COLD}: {error}"))
        }
        _ => Ok(()),
    }
}
