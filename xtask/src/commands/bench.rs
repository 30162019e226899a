//! `cargo xtask bench` and `cargo xtask size`: by a program of the benchmarks' workspace.
//!
//! Invariant: it is built there, so that no other command waits for it.

use std::process::Command;

use crate::run::workspace;
use crate::tools::{NODE_ANY, Tool, WASM_BINDGEN, WASM_OPT, WASM_TARGET};

/// What the row of sizes in test-all needs.
pub const FOR_SIZE: &[&Tool] = &[&WASM_TARGET, &WASM_BINDGEN, &WASM_OPT, &NODE_ANY];

pub fn main(command: &str, arguments: &[String]) -> Result<bool, String> {
    const PROGRAM: &str = "bench/Cargo.toml --target-dir target/bench -p isosocket-bench-driver";
    run(&format!("{PROGRAM} -- {command}"), arguments)
}

/// Builds a program of another workspace, and hands the terminal and the arguments over to it.
pub fn run(program: &str, arguments: &[String]) -> Result<bool, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["run", "-q", "--manifest-path"])
        .args(program.split(' '))
        .args(arguments)
        .current_dir(workspace::root())
        .status();
    status
        .map(|status| status.success())
        .map_err(|error| format!("cannot start cargo: {error}"))
}
