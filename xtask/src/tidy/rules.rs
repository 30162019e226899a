//! Whether each rule of connecting again (R1 and on) is cited by a test, and
//! each that is cited is written. The suite itself sees to those of every
//! socket (S1 and on).

use std::collections::BTreeSet;

use super::Source;

/// Where the rules are written, as items of a list: `- **R1** ..`.
const RULES: &str = "facade/guide/reconnecting.md";

/// The tests that cite them, in a comment: files, and folders of them.
const TESTS: &[&str] = &[
    "core/tests/reconnect/",
    "core/tests/heartbeat.rs",
    "core/tests/stats.rs",
    "tests/src/cases/reconnecting.rs",
    "backend-native/tests/reconnecting.rs",
    "backend-native/tests/waking.rs",
];

pub(super) fn check(sources: &[Source], complaints: &mut Vec<String>) {
    let of = |path: &str| sources.iter().find(|source| source.path == path);
    let Some(rules) = of(RULES) else { return };
    let items = rules.text.lines().filter_map(|line| {
        let number = line.strip_prefix("- **R")?.split_once("**")?.0;
        number.parse::<u32>().ok()
    });
    let written: BTreeSet<u32> = items.collect();
    let is_test = |source: &&Source| TESTS.iter().any(|test| source.path.starts_with(test));
    let comments = sources
        .iter()
        .filter(is_test)
        .flat_map(|source| source.text.lines())
        .filter(|line| line.trim_start().starts_with("///"));
    let cited: BTreeSet<u32> = comments.flat_map(numbers).collect();
    for number in written.difference(&cited) {
        complaints.push(format!("{RULES}: no test cites R{number}"));
    }
    for number in cited.difference(&written) {
        complaints.push(format!(
            "{RULES}: a test cites R{number}, which is not there"
        ));
    }
}

/// The rules that a comment names.
fn numbers(comment: &str) -> impl Iterator<Item = u32> {
    let words = comment.split(|c: char| !c.is_ascii_alphanumeric());
    words.filter_map(|word| word.strip_prefix('R')?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::{RULES, Source, TESTS, check};

    #[test]
    fn rules_and_tests_are_held_against_each_other() {
        let about = |rules: &str, tests: &str| {
            let source = |path: &str, text: &str| Source {
                path: path.to_owned(),
                text: text.to_owned(),
            };
            let mut complaints = Vec::new();
            let sources = [source(RULES, rules), source(TESTS[1], tests)];
            check(&sources, &mut complaints);
            complaints.join("; ")
        };
        let rules = "R9 is none.\n- **R1** One.\n- **R12** Two.\n";
        assert_eq!(about(rules, "/// R1, R12: why.\nlet r = R3;\n"), "");
        let complaints = about(rules, "    /// R12, R2.\n");
        assert!(complaints.contains("no test cites R1;"), "{complaints}");
        assert!(complaints.contains("R2, which is not"), "{complaints}");
    }
}
