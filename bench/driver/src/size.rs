//! How large a minimal program is with each client, and of how many crates.
//!
//! Invariant: all are built alike, without TLS.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::plan::{self, Client};
use crate::results::Size;
use crate::{Options, TARGET, cargo};
use xtask_kit::run::{progress, workspace};

/// The clients as packages, which are features of the minimal program.
pub const CLIENTS: &[&str] = &[
    "isosocket",
    "fastwebsockets",
    "yawc",
    "tokio-websockets",
    "tokio-tungstenite",
    "tokio-tungstenite-wasm",
    "reqwest-websocket",
    "tungstenite",
    "ewebsock",
];

const PACKAGE: &str = "isosocket-bench-echo";
const LIMIT: Duration = Duration::from_secs(10 * 60);

pub fn measure(options: &Options, clients: &[Client], log: &Path) -> Result<Vec<Size>, String> {
    let asked = options.only.iter().any(|name| name == plan::SIZE);
    let some_asked = !options.only.is_empty();
    if !asked && (options.quick || some_asked) {
        return Ok(Vec::new());
    }
    let mut sizes = vec![measure_one(None, log)?];
    for name in CLIENTS {
        if clients.iter().any(|client| client.id == *name) {
            sizes.push(measure_one(Some(name), log)?);
        }
    }
    Ok(sizes)
}

fn measure_one(client: Option<&str>, log: &Path) -> Result<Size, String> {
    let name = client.unwrap_or("none");
    let features = ["--package", PACKAGE, "--features", client.unwrap_or("")];
    let build = cargo("build")
        .args(["--release", "--target-dir", TARGET])
        .args(features);
    progress::run(&format!("building an echo with {name}"), &build, log, LIMIT)
        .inspect_err(|_| progress::show_tail(log))?;
    let binary = workspace::root().join(TARGET).join("release").join(PACKAGE);
    let bytes = fs::metadata(&binary)
        .map_err(|error| format!("there is no {PACKAGE}: {error}"))?
        .len();
    let tree = cargo("tree")
        .args(["--edges", "normal", "--prefix", "none"])
        .args(features)
        .output(Duration::from_secs(60))
        .ok_or("cargo tree failed")?;
    Ok(Size {
        client: name.to_owned(),
        bytes,
        crates: crates(&tree),
    })
}

/// How many packages a tree names, without its root.
fn crates(tree: &str) -> usize {
    let packages: BTreeSet<&str> = tree
        .lines()
        .map(|line| line.split(" (").next().unwrap_or(line))
        .filter(|line| !line.is_empty())
        .collect();
    packages.len().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::crates;

    #[test]
    fn a_crate_counts_once() {
        let tree = "echo v0.0.0 (/somewhere)\nlog v0.4.1\nmio v1.0.0\nlog v0.4.1 (*)\n\n";
        assert_eq!(crates(tree), 2);
    }
}
