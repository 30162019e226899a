//! `cargo xtask servers`: compression with servers that are not ours: npm's
//! `ws` and PyPI's `websockets`.
//!
//! Invariant: what was said about each conversation is in the log, and a run in
//! which a server is missing is no pass.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::run::process::{Invocation, Job};
use crate::run::{progress, workspace};
use crate::tools::{NODE_ANY, Tool, WEBSOCKETS, WS};

/// What the row in test-all needs.
pub const NEEDS: &[&Tool] = &[&NODE_ANY, &WS, &WEBSOCKETS];

/// A server is ready within this time.
const START_LIMIT: Duration = Duration::from_secs(60);
/// All conversations together.
const RUN_LIMIT: Duration = Duration::from_secs(5 * 60);

/// Runs it; `--install` gets what is missing first. Another argument is a
/// filter of the suite's cases, which means nothing here.
pub fn main(arguments: &[String]) -> Result<bool, String> {
    let install = arguments.iter().any(|argument| argument == "--install");
    let node = NODE_ANY.provide(install)?;
    let ws = WS.provide(install)?;
    let python = WEBSOCKETS.provide(install)?;
    let log = workspace::empty_log("servers-run.log")?;
    let shims = workspace::root().join("xtask/shims/servers");
    let node = Invocation::new(node).arg(shims.join("ws.js")).arg(ws);
    let python = Invocation::new(python).arg(shims.join("websockets_echo.py"));
    let (_node, of_ws) = start(node, "ws", &log)?;
    let (_python, of_websockets) = start(python, "websockets", &log)?;
    let client = Invocation::cargo()
        .args(["run", "-q", "-p", "isosocket-native"])
        .args(["--example", "deflate_echo", "--"])
        .args(of_ws)
        .args(of_websockets);
    let result = progress::run("talking with real servers", &client, &log, RUN_LIMIT);
    let said = fs::read_to_string(&log).unwrap_or_default();
    for line in said.lines().filter(|line| line.starts_with("test ")) {
        println!("{line}");
    }
    if let Err(problem) = &result {
        eprintln!("{problem}");
        progress::show_tail(&log);
    }
    Ok(result.is_ok())
}

/// Starts a program that writes a file with its servers' ports; it ends when
/// the job is dropped. Gives `NAME=URL` for each.
fn start(program: Invocation, name: &str, log: &Path) -> Result<(Job, Vec<String>), String> {
    let file = workspace::output()?.join(format!("ports-of-{name}.json"));
    // There may be none of an earlier run.
    let _ = fs::remove_file(&file);
    let mut job = program.arg(&file).spawn(log)?;
    let deadline = Instant::now() + START_LIMIT;
    loop {
        if let Ok(text) = fs::read_to_string(&file) {
            let ports: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
            let ports = ports.as_object().ok_or("ports are an object")?;
            let url = |(name, port)| format!("{name}=ws://127.0.0.1:{port}/");
            return Ok((job, ports.iter().map(url).collect()));
        }
        if !job.is_running() || Instant::now() > deadline {
            progress::show_tail(log);
            return Err(format!("the servers by {name} did not start"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
