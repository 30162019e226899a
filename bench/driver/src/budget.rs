//! `cargo xtask size`: a page must not take more than its budget, and neither must a
//! native program.
//!
//! Invariant: a page's budget is what was measured last, and some 100 bytes more, in steps
//! of 50. Whoever makes a page smaller lowers its budget.

use std::fs;

use crate::page_size::{self, Programs};
use crate::program_budget;
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
        most: 15_850,
        goal: 14_500,
    },
    Budget {
        id: "isosocket-close",
        name: "handlers_close_and_errors",
        most: 18_050,
        goal: 16_500,
    },
    Budget {
        id: "isosocket-stream",
        name: "stream",
        most: 19_100,
        goal: 19_000,
    },
    Budget {
        id: "isosocket-reconnecting",
        name: "reconnecting_with_a_heartbeat",
        most: 27_700,
        goal: 25_000,
    },
];

/// Builds and measures the programs; `--install` gets what is missing first. It prints
/// lines like those of a test, which test-all counts.
pub fn main(arguments: &[String]) -> Result<bool, String> {
    if arguments.iter().any(|argument| argument == "native") {
        return program_budget::main();
    }
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
    let mut verdicts = Verdicts::default();
    for budget in BUDGETS {
        let size = page_size::brotli(budget.id, budget.name, &programs)?;
        let size = size.saturating_sub(nothing);
        verdicts.add(budget.name, "bytes", size, budget.most, budget.goal);
    }
    Ok(verdicts.end())
}

/// Prints lines like those of a test.
#[derive(Default)]
pub struct Verdicts {
    passed: u64,
    failed: u64,
}

impl Verdicts {
    pub fn add(&mut self, name: &str, unit: &str, size: u64, most: u64, goal: u64) {
        let (line, fits) = verdict(name, unit, size, most, goal);
        println!("{line}");
        match fits {
            true => self.passed += 1,
            false => self.failed += 1,
        }
    }

    /// Prints how many passed, and says whether all did.
    pub fn end(self) -> bool {
        let Verdicts { passed, failed } = self;
        let word = if failed == 0 { "ok" } else { "FAILED" };
        println!("test result: {word}. {passed} passed; {failed} failed");
        failed == 0
    }
}

/// A line about one program, and whether it is within its budget.
fn verdict(name: &str, unit: &str, size: u64, most: u64, goal: u64) -> (String, bool) {
    let fits = size <= most;
    let word = if fits { "ok" } else { "FAILED" };
    let figures = format!("{name}: {size} {unit}, at most {most}, goal {goal}");
    (format!("{figures}\ntest size::{name} ... {word}"), fits)
}

#[cfg(test)]
mod tests {
    use super::verdict;

    #[test]
    fn a_page_above_its_budget_fails() {
        let (line, fits) = verdict("a", "bytes", 1_000, 1_000, 900);
        assert!(fits && line.ends_with("test size::a ... ok"), "{line}");
        let (line, fits) = verdict("a", "bytes", 1_001, 1_000, 900);
        assert!(!fits && line.ends_with("test size::a ... FAILED"), "{line}");
    }
}
