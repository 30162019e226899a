//! `cargo xtask bench native`: builds the bench crate, drives it round by
//! round, and writes the results.
//!
//! Invariant: each measurement is a process of its own; the clients of a step
//! take turns, so that a slow minute of the machine befalls all of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::bench::Options;
use crate::bench::plan::{self, Client, Step};
use crate::bench::results::{Outcome, Results, StepResults};
use crate::bench::{plot, size, table};
use crate::process::{Invocation, Job};
use crate::{progress, workspace};

const MANIFEST: &str = "bench/Cargo.toml";
pub const TARGET: &str = "target/bench";
const BUILD_LIMIT: Duration = Duration::from_secs(20 * 60);
const MEASUREMENT_LIMIT: Duration = Duration::from_secs(90);

pub fn main(options: &Options) -> Result<bool, String> {
    if !cfg!(target_os = "linux") {
        return Err("bench native reads /proc, and so needs Linux".to_owned());
    }
    let began = Instant::now();
    let folder = workspace::folder("target/xtask/bench")?;
    let log = folder.join("native.log");
    fs::write(&log, "").map_err(|error| format!("cannot write the log: {error}"))?;
    warn_if_busy();
    let binary = build(&log).inspect_err(|_| progress::show_tail(&log))?;
    let all = clients(&binary)?;
    let clients: Vec<Client> = plan::clients(options, &all)?.into_iter().cloned().collect();
    let circumstances = circumstances(options);
    let mut results = Results {
        circumstances,
        steps: measure(&binary, &folder, &log, options, &clients)?,
        sizes: size::measure(options, &clients, &log)?,
        clients,
    };
    let minutes = format!("{:.1} minutes", began.elapsed().as_secs_f64() / 60.0);
    results.circumstances.push(("duration", minutes));
    write(&results, &folder)
}

/// A cargo command on the bench workspace.
pub fn cargo(command: &str) -> Invocation {
    Invocation::cargo().args([command, "--manifest-path", MANIFEST])
}

fn build(log: &Path) -> Result<PathBuf, String> {
    let build = cargo("build").args(["--release", "--target-dir", TARGET]);
    progress::run("building the clients", &build, log, BUILD_LIMIT)?;
    Ok(workspace::root()
        .join(TARGET)
        .join("release/isosocket-bench"))
}

fn clients(binary: &Path) -> Result<Vec<Client>, String> {
    let printed = Invocation::new(binary)
        .arg("list")
        .output(MEASUREMENT_LIMIT)
        .ok_or("the bench binary does not list its clients")?;
    let list: serde_json::Value = serde_json::from_str(&printed)
        .map_err(|error| format!("the list of clients is no JSON: {error}"))?;
    let entries = list.as_array().ok_or("the list of clients is no list")?;
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let client = |entry: &serde_json::Value| Client {
        id: text(&entry["id"]),
        name: text(&entry["name"]),
        has_thread_each: entry["has_thread_each"] == true,
        is_for_compression: entry["is_for_compression"] == true,
    };
    Ok(entries.iter().map(client).collect())
}

fn measure(
    binary: &Path,
    folder: &Path,
    log: &Path,
    options: &Options,
    clients: &[Client],
) -> Result<Vec<StepResults>, String> {
    let steps = match options.only.as_slice() {
        [only] if only == plan::SIZE => Vec::new(),
        _ => plan::steps(options),
    };
    let server = Server::start(binary, folder, log)?;
    let mut all = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        eprintln!("[{}/{}] {}", index + 1, steps.len(), step.id());
        let mut outcomes: Vec<Outcome> = clients.iter().map(|_| Outcome::default()).collect();
        for _ in 0..step.rounds {
            for (client, outcome) in clients.iter().zip(&mut outcomes) {
                if step.concerns(client) && outcome.is_applicable() {
                    let printed = server.measure(binary, client, step);
                    if printed.is_none() {
                        eprintln!("      {} failed", client.id);
                    }
                    outcome.add(printed.as_deref());
                }
            }
        }
        all.push(StepResults {
            step: *step,
            outcomes,
        });
    }
    Ok(all)
}

/// The server's process, on the same core as each client's.
struct Server {
    core: String,
    address: String,
    _job: Job,
}

impl Server {
    fn start(binary: &Path, folder: &Path, log: &Path) -> Result<Self, String> {
        // The last core: the first has the interrupts.
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let core = (cores - 1).to_string();
        let said = folder.join("server.txt");
        let mut job = Invocation::new(binary)
            .args(["server", &core])
            .stdout_to(&said)
            .spawn(log)?;
        let deadline = Instant::now() + Duration::from_secs(10);
        while job.is_running() && Instant::now() < deadline {
            let text = fs::read_to_string(&said).unwrap_or_default();
            if let Some((address, _)) = text.split_once('\n') {
                return Ok(Server {
                    core,
                    address: address.to_owned(),
                    _job: job,
                });
            }
            thread::sleep(Duration::from_millis(5));
        }
        progress::show_tail(log);
        Err("the bench server does not start".to_owned())
    }

    fn measure(&self, binary: &Path, client: &Client, step: &Step) -> Option<String> {
        let core = if step.is_unpinned() {
            "any"
        } else {
            &self.core
        };
        let number = step.number.to_string();
        let milliseconds = step.milliseconds.to_string();
        Invocation::new(binary)
            .args(["client", core, &self.address, &client.id, step.workload])
            .args([&number, &milliseconds])
            .output(MEASUREMENT_LIMIT)
    }
}

fn write(results: &Results, folder: &Path) -> Result<bool, String> {
    let save = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|error| format!("cannot write {name}: {error}"))
    };
    let table = table::render(results);
    save("native.json", &format!("{:#}\n", results.to_json()))?;
    save("native.md", &table)?;
    for (name, picture) in plot::render(results) {
        save(&name, &picture)?;
    }
    println!("{table}");
    println!(
        "Tables, figures and pictures: {}",
        workspace::relative(folder)
    );
    let failed = |outcome: &Outcome| outcome.missing.as_deref() == Some("failed");
    Ok(!results
        .steps
        .iter()
        .flat_map(|step| &step.outcomes)
        .any(failed))
}

/// Under which circumstances it was measured.
fn circumstances(options: &Options) -> Vec<(&'static str, String)> {
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
    let only = match options.only.as_slice() {
        [] => String::new(),
        names => format!(" --only {}", names.join(",")),
    };
    vec![
        ("command", format!("cargo xtask bench native{quick}{only}")),
        ("date", says("date", &["-u", "+%F"])),
        ("machine", format!("{cores} cores, {processor}")),
        (
            "kernel",
            reads("/proc/sys/kernel/osrelease").trim().to_owned(),
        ),
        ("rustc", says("rustc", &["--version"])),
        ("clients", versions().join(", ")),
        ("load before", format!("{:.1}", load())),
    ]
}

/// The clients' versions, as cargo resolved them.
fn versions() -> Vec<String> {
    let tree = cargo("tree")
        .args(["--depth", "1", "--prefix", "none", "--edges", "normal"])
        .args(["--package", "isosocket-bench"])
        .output(Duration::from_secs(60))
        .unwrap_or_default();
    let clients = size::CLIENTS;
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

fn warn_if_busy() {
    let load = load();
    if load > 0.7 {
        eprintln!("The machine is busy (load {load}): expect worse figures and wider ratios.");
    }
}
