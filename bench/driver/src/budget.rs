//! `cargo xtask size`: a page must not take more than its budget.
//!
//! Invariant: a budget is what was measured last, and 2 % more, in steps of 50 bytes.
//! Whoever makes a page smaller lowers its budget.

use std::fs;

use crate::page_size::{self, Programs};
use xtask_kit::run::workspace;
use xtask_kit::tools::{WASM_BINDGEN, WASM_OPT, WASM_TARGET};

/// A page's program: its feature of the package `web-echo`, its name, the most bytes it
/// may add to a program that does nothing (brotli), and the goal.
struct Budget {
    id: &'static str,
    name: &'static str,
    most: u64,
    goal: u64,
}

const BUDGETS: &[Budget] = &[
    Budget {
        id: "isosocket",
        name: "handlers",
        most: 19_600,
        goal: 14_500,
    },
    Budget {
        id: "isosocket-close",
        name: "handlers_close_and_errors",
        most: 21_800,
        goal: 16_500,
    },
    Budget {
        id: "isosocket-stream",
        name: "stream",
        most: 23_450,
        goal: 19_000,
    },
    Budget {
        id: "isosocket-reconnecting",
        name: "reconnecting_with_a_heartbeat",
        most: 36_750,
        goal: 25_000,
    },
];

/// Builds and measures the programs; `--install` gets what is missing first. It prints
/// lines like those of a test, which test-all counts.
pub fn main(arguments: &[String]) -> Result<bool, String> {
    let install = arguments.iter().any(|argument| argument == "--install");
    let log = workspace::folder("target/xtask/bench")?.join("size.log");
    fs::write(&log, "").map_err(|error| format!("cannot write the log: {error}"))?;
    WASM_TARGET.provide(install)?;
    let programs = Programs {
        wasm_bindgen: &WASM_BINDGEN.provide(install)?,
        wasm_opt: &WASM_OPT.provide(install)?,
        log: &log,
    };
    let nothing = page_size::brotli("", "nothing", &programs)?;
    let mut failed = 0;
    for budget in BUDGETS {
        let size = page_size::brotli(budget.id, budget.name, &programs)?;
        let (line, fits) = verdict(budget, size.saturating_sub(nothing));
        println!("{line}");
        failed += u64::from(!fits);
    }
    let passed = BUDGETS.len() as u64 - failed;
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!("test result: {word}. {passed} passed; {failed} failed");
    Ok(failed == 0)
}

/// A line about one program, and whether it is within its budget.
fn verdict(budget: &Budget, size: u64) -> (String, bool) {
    let fits = size <= budget.most;
    let word = if fits { "ok" } else { "FAILED" };
    let figures = format!(
        "{}: {size} bytes, at most {}, goal {}",
        budget.name, budget.most, budget.goal
    );
    (
        format!("{figures}\ntest size::{} ... {word}", budget.name),
        fits,
    )
}

#[cfg(test)]
mod tests {
    use super::{Budget, verdict};

    #[test]
    fn a_page_above_its_budget_fails() {
        let budget = Budget {
            id: "a",
            name: "a",
            most: 1_000,
            goal: 900,
        };
        let (line, fits) = verdict(&budget, 1_000);
        assert!(fits && line.ends_with("test size::a ... ok"), "{line}");
        let (line, fits) = verdict(&budget, 1_001);
        assert!(!fits && line.ends_with("test size::a ... FAILED"), "{line}");
    }
}
