//! Whether all hosts ran the same tests and the same cases, and whether each
//! M case passed or says why it does not apply.
//!
//! Invariant: a difference between hosts ends as the failure of a row, never
//! as a smaller number that nobody compares.

use std::collections::{BTreeMap, BTreeSet};

use isosocket_parity::{Case, Mark, Outcome, few};

use super::report::{Row, Verdict};

/// How many names one complaint has.
const NAMES: usize = 6;

/// Fails the rows that differ from the others.
///
/// `complete` says that every host was to run, so that a case which applied
/// nowhere was shown nowhere.
pub fn check(rows: &mut [Row], complete: bool) {
    same(rows, "tests", Row::ran_tests, |row| {
        row.tests.iter().cloned().collect()
    });
    same(rows, "cases", Row::ran_cases, |row| {
        row.cases.iter().map(Case::title).collect()
    });
    for row in rows.iter_mut().filter(|row| row.ran_cases()) {
        let problems = [twice(&row.cases), not_asserted(&row.cases)];
        for problem in problems.into_iter().flatten() {
            row.blame(problem);
        }
    }
    if complete {
        nowhere(rows);
    }
}

impl Row {
    fn ran_tests(&self) -> bool {
        self.host.suite && self.verdict != Verdict::Missing
    }

    fn ran_cases(&self) -> bool {
        self.host.websocket && self.verdict != Verdict::Missing
    }
}

/// Blames the rows that lack what others have, and names who has it.
fn same(
    rows: &mut [Row],
    what: &str,
    concerned: fn(&Row) -> bool,
    names: fn(&Row) -> BTreeSet<String>,
) {
    let mut holders: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
    for row in rows.iter().filter(|row| concerned(row)) {
        for name in names(row) {
            holders.entry(name).or_default().push(row.host.name);
        }
    }
    for row in rows.iter_mut().filter(|row| concerned(row)) {
        let own = names(row);
        let missing: Vec<&String> = holders.keys().filter(|name| !own.contains(*name)).collect();
        if let Some(first) = missing.first() {
            row.blame(format!(
                "{} {what} did not run here: {} (others ran them: {})",
                missing.len(),
                few(&missing, NAMES),
                few(&holders[*first], 3),
            ));
        }
    }
}

/// Cases that were reported more than once.
fn twice(cases: &[Case]) -> Option<String> {
    let mut known = BTreeSet::new();
    let again: Vec<String> = cases
        .iter()
        .map(Case::title)
        .filter(|title| !known.insert(title.clone()))
        .collect();
    (!again.is_empty()).then(|| format!("reported more than once: {}", few(&again, NAMES)))
}

/// M cases of which a host only recorded what it does. Those that failed have
/// failed their test as well.
fn not_asserted(cases: &[Case]) -> Option<String> {
    let recorded = |case: &&Case| case.mark == Mark::M && case.outcome == Outcome::Recorded;
    let titles: Vec<String> = cases.iter().filter(recorded).map(Case::title).collect();
    (!titles.is_empty()).then(|| format!("M, and not asserted: {}", few(&titles, NAMES)))
}

/// Blames the first row for cases that applied on no host at all.
fn nowhere(rows: &mut [Row]) {
    let mut applies: BTreeMap<String, bool> = BTreeMap::new();
    for case in rows.iter().flat_map(|row| &row.cases) {
        let here = !matches!(case.outcome, Outcome::NotApplicable(_));
        *applies.entry(case.title()).or_default() |= here;
    }
    let titles: Vec<&String> = applies
        .iter()
        .filter(|(_, somewhere)| !**somewhere)
        .map(|(title, _)| title)
        .collect();
    if titles.is_empty() {
        return;
    }
    if let Some(row) = rows.iter_mut().find(|row| row.ran_cases()) {
        row.blame(format!("applies on no host: {}", few(&titles, NAMES)));
    }
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::suite::host;
    use crate::suite::report::{Row, Verdict};
    use isosocket_parity::Case;

    /// A row with cases, each written `RULE MARK RESULT`.
    fn row(id: &str, cases: &[&str]) -> Row {
        let mut row = Row::new(host::called(id).expect("there is such a host"));
        row.verdict = Verdict::Pass;
        row.counts.passed = 1;
        for case in cases {
            let words: Vec<&str> = case.splitn(3, ' ').collect();
            let value = serde_json::json!({
                "rule": words[0], "case": "x", "mark": words[1], "result": words[2], "seen": "",
            });
            row.cases
                .push(Case::from_value(&value).expect("it is a case"));
        }
        row.tests = vec!["S1::x".to_owned()];
        row
    }

    fn notes(rows: &mut [Row]) -> Vec<String> {
        check(rows, true);
        let failed = rows.iter().map(|row| row.verdict == Verdict::Fail);
        assert!(failed.eq(rows.iter().map(|row| !row.note.is_empty())));
        rows.iter().map(|row| row.note.clone()).collect()
    }

    #[test]
    fn hosts_that_agree_are_left_alone() {
        let mut rows = [
            row("native", &["S1 M pass", "S2 N pass", "S3 M pass"]),
            row(
                "deno",
                &["S1 M pass", "S2 N recorded", "S3 M not applicable: why"],
            ),
            row("node20", &["S103 M pass"]),
        ];
        assert_eq!(notes(&mut rows), ["", "", ""]);
    }

    #[test]
    fn a_case_that_did_not_run_is_named_with_a_host_that_ran_it() {
        let mut rows = [
            row("native", &["S1 M pass", "S2 M pass"]),
            row("deno", &["S1 M pass"]),
            row("bun", &["S1 M pass", "S2 M pass"]),
        ];
        let note = "1 cases did not run here: S2 x (others ran them: native, Bun)";
        assert_eq!(notes(&mut rows), ["", note, ""]);
    }

    #[test]
    fn a_host_without_websocket_must_run_the_same_tests() {
        let mut rows = [row("native", &["S1 M pass"]), row("node20", &[])];
        rows[1].tests.clear();
        assert!(notes(&mut rows)[1].starts_with("1 tests did not run here: S1::x"));
    }

    #[test]
    fn an_m_case_is_asserted_and_reported_once() {
        let mut rows = [row("deno", &["S1 M recorded", "S2 M pass", "S2 M pass"])];
        assert_eq!(
            notes(&mut rows),
            ["reported more than once: S2 x; M, and not asserted: S1 x"]
        );
    }

    #[test]
    fn a_case_that_applies_nowhere_is_a_difference_to_the_rules() {
        let cases = ["S1 M not applicable: why"];
        let mut rows = [row("native", &cases), row("deno", &cases)];
        assert_eq!(notes(&mut rows), ["applies on no host: S1 x", ""]);
    }
}
