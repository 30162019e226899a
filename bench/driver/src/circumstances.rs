//! Under which circumstances something was measured.
//!
//! Invariant: what cannot be found out is left empty, not guessed.

use std::fs;
use std::thread;
use std::time::Duration;

use crate::{Options, cargo};
use xtask_kit::run::Invocation;

/// What is recorded about every run: name and value.
pub type Circumstances = Vec<(&'static str, String)>;

/// Of a run of this half, with these packages among what the bench package
/// depends on.
pub fn collect(half: &str, options: &Options, package: &str, clients: &[&str]) -> Circumstances {
    let says = |program: &str, arguments: &[&str]| {
        let output = Invocation::new(program)
            .args(arguments)
            .output(Duration::from_secs(20));
        output.unwrap_or_default().trim().to_owned()
    };
    let reads = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let processor = reads("/proc/cpuinfo")
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map(|rest| rest.trim_start_matches([' ', '\t', ':']).to_owned())
        .unwrap_or_default();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let quick = if options.quick { " --quick" } else { "" };
    let only = match options.only.is_empty() {
        true => String::new(),
        false => format!(" --only {}", options.only.join(",")),
    };
    vec![
        ("command", format!("cargo xtask bench {half}{quick}{only}")),
        ("date", says("date", &["-u", "+%F"])),
        ("machine", format!("{cores} cores, {processor}")),
        (
            "kernel",
            reads("/proc/sys/kernel/osrelease").trim().to_owned(),
        ),
        ("rustc", says("rustc", &["--version"])),
        ("clients", versions(package, clients).join(", ")),
        ("load before", format!("{:.1}", load())),
    ]
}

/// The clients' versions, as cargo resolved them.
fn versions(package: &str, clients: &[&str]) -> Vec<String> {
    let tree = cargo("tree")
        .args(["--depth", "1", "--prefix", "none", "--edges", "normal"])
        .args(["--package", package])
        .output(Duration::from_secs(60))
        .unwrap_or_default();
    tree.lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let (name, version) = (words.next()?, words.next()?);
            let version = version.strip_prefix('v')?;
            clients.contains(&name).then(|| format!("{name} {version}"))
        })
        .collect()
}

/// How many others wanted to run in the last minute.
fn load() -> f64 {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first = load.split(' ').next();
    first.and_then(|load| load.parse().ok()).unwrap_or(0.0)
}

pub fn warn_if_busy() {
    let load = load();
    if load > 0.7 {
        eprintln!("The machine is busy (load {load}): expect worse figures and wider ratios.");
    }
}
