//! `cargo xtask size native`: the least program must not get larger, nor depend on more.
//!
//! Invariant: a budget of bytes is what was measured last, and 2 % more; one of crates is
//! what was counted. Whoever makes the program smaller lowers its budget.

use std::fs;

use crate::budget::Verdicts;
use crate::size::{DEFAULT, PLAIN, Program};
use xtask_kit::run::workspace;

struct Budget {
    program: &'static Program,
    /// Its name in the list of tests.
    name: &'static str,
    bytes: u64,
    bytes_goal: u64,
    crates: u64,
    crates_goal: u64,
}

static BUDGETS: &[Budget] = &[
    Budget {
        program: &DEFAULT,
        name: "default_features",
        bytes: 2_685_000,
        bytes_goal: 2_000_000,
        crates: 55,
        crates_goal: 55,
    },
    Budget {
        program: &PLAIN,
        name: "without_tls_and_idna",
        bytes: 1_021_000,
        bytes_goal: 750_000,
        crates: 32,
        crates_goal: 40,
    },
];

/// Builds and measures the programs. It prints lines like those of a test.
pub fn main() -> Result<bool, String> {
    let log = workspace::folder("target/xtask/bench")?.join("size.log");
    fs::write(&log, "").map_err(|error| format!("cannot write the log: {error}"))?;
    let mut verdicts = Verdicts::default();
    for budget in BUDGETS {
        let size = budget.program.measure(&log)?;
        let (name, crates) = (budget.name, size.crates as u64);
        verdicts.add(name, "bytes", size.bytes, budget.bytes, budget.bytes_goal);
        let name = format!("{name}_crates");
        verdicts.add(&name, "crates", crates, budget.crates, budget.crates_goal);
    }
    Ok(verdicts.end())
}
