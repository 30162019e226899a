//! `cargo xtask mutants`: small faults in the sources, one at a time, which tests must notice.
//!
//! Invariant: the program in `mutants/` does the work. It changes a copy of the repository
//! under `target/mutants`, never the repository.

use std::process::Command;

use crate::run::workspace;

/// Builds the program, and hands the terminal and the arguments over to it.
pub fn main(arguments: &[String]) -> Result<bool, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["run", "-q", "--manifest-path", "mutants/Cargo.toml"])
        .args(["--target-dir", "target/mutants/program", "--"])
        .args(arguments)
        .current_dir(workspace::root())
        .status();
    status
        .map(|status| status.success())
        .map_err(|error| format!("cannot start cargo: {error}"))
}
