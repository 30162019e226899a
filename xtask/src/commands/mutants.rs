//! `cargo xtask mutants`: small faults in the sources, one at a time, which tests must notice.
//!
//! Invariant: the program in `mutants/` does the work. It changes a copy of the repository
//! under `target/mutants`, never the repository.

use super::bench;

pub fn main(arguments: &[String]) -> Result<bool, String> {
    const PROGRAM: &str = "mutants/Cargo.toml --target-dir target/mutants/program --";
    bench::run(PROGRAM, arguments)
}
