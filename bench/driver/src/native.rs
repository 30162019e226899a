//! `cargo xtask bench native`: builds the bench crate, drives it round by
//! round, and writes the results.
//!
//! Invariant: each measurement is a process of its own; the clients of a step
//! take turns, so that a slow minute of the machine befalls all of them.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::plan::{self, Client, NATIVE, Step};
use crate::results::{Outcome, Results, StepResults};
use crate::server::Server;
use crate::{Options, builds, circumstances, plot, save, size, table};
use xtask_kit::run::{Invocation, progress, workspace};

const PACKAGE: &str = "isosocket-bench";
/// The clients' packages.
const PEERS: &[&str] = &[
    "isosocket",
    "fastwebsockets",
    "yawc",
    "tokio-websockets",
    "tokio-tungstenite",
    "tokio-tungstenite-wasm",
    "reqwest-websocket",
    "tungstenite",
    "ewebsock",
    "sockudo-ws",
    "web-socket",
    "workflow-websocket",
];
const MEASUREMENT_LIMIT: Duration = Duration::from_secs(90);

pub fn main(options: &Options) -> Result<bool, String> {
    if !cfg!(target_os = "linux") {
        return Err("bench native reads /proc, and so needs Linux".to_owned());
    }
    let began = Instant::now();
    let folder = workspace::folder("target/xtask/bench")?;
    let log = folder.join("native.log");
    fs::write(&log, "").map_err(|error| format!("cannot write the log: {error}"))?;
    circumstances::warn_if_busy();
    // Who asks about programs only need not wait for the clients' build.
    let binaries = match size::is_all(options) {
        true => None,
        false => Some(
            Server::build("building the clients", &[PACKAGE], &log)
                .inspect_err(|_| progress::show_tail(&log))?,
        ),
    };
    let all = match &binaries {
        Some(binaries) => clients(&binaries.join(PACKAGE))?,
        None => size::clients(),
    };
    plan::check(
        options,
        &all,
        NATIVE,
        &[plan::SIZE, plan::BUILD, plan::COMPRESSION],
    )?;
    let clients: Vec<Client> = plan::clients(options, &all).into_iter().cloned().collect();
    let circumstances = circumstances::collect("native", options, PACKAGE, PEERS);
    let steps = match &binaries {
        Some(binaries) => measure(binaries, &folder, &log, options, &clients)?,
        None => Vec::new(),
    };
    let mut results = Results {
        circumstances,
        steps,
        sizes: size::measure(options, &clients, &log)?,
        builds: builds::measure(options, &clients, &log)?,
        clients,
    };
    let minutes = format!("{:.1} minutes", began.elapsed().as_secs_f64() / 60.0);
    results.circumstances.push(("duration", minutes));
    write(&results, &folder)
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
    binaries: &Path,
    folder: &Path,
    log: &Path,
    options: &Options,
    clients: &[Client],
) -> Result<Vec<StepResults>, String> {
    let steps = plan::steps(options, NATIVE);
    // The last core: the first has the interrupts.
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let core = (cores - 1).to_string();
    let server = Server::start(binaries, &core, folder, log)?;
    let binary = binaries.join(PACKAGE);
    let mut all = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        eprintln!("[{}/{}] {}", index + 1, steps.len(), step.id());
        let mut outcomes: Vec<Outcome> = clients.iter().map(|_| Outcome::default()).collect();
        for _ in 0..step.rounds {
            for (client, outcome) in clients.iter().zip(&mut outcomes) {
                if step.concerns(client) && outcome.is_applicable() {
                    let core = if step.is_unpinned() { "any" } else { &core };
                    let printed = run(&binary, core, &server, client, step);
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

/// Has one process measure one client, on the same core as the server.
fn run(binary: &Path, core: &str, server: &Server, client: &Client, step: &Step) -> Option<String> {
    let number = step.number.to_string();
    let milliseconds = step.milliseconds.to_string();
    Invocation::new(binary)
        .args(["client", core, &server.address, &client.id])
        .args([step.workload.name, &number, &milliseconds])
        .output(MEASUREMENT_LIMIT)
}

fn write(results: &Results, folder: &Path) -> Result<bool, String> {
    let table = table::render(results);
    save(folder, "native.json", &format!("{:#}\n", results.to_json()))?;
    save(folder, "native.md", &table)?;
    for (name, picture) in plot::render(results, "native") {
        save(folder, &name, &picture)?;
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
