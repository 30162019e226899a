//! Makes a host's row from the log and the reports that its cases wrote.
//!
//! Invariant: a case that reports in a way that is not understood fails the
//! row that it belongs to.

use isosocket_parity::{Case, Mark, Outcome};

use super::host::Host;
use super::log::{Counts, Test};
use super::report::Row;

/// Judges a row by all there is: what went wrong with its commands, what the peer says of
/// it, its log, and what its cases reported.
pub fn judge(
    row: &mut Row,
    mut problem: Option<String>,
    complaint: Option<String>,
    log: &str,
    reports: &[String],
) {
    if let Some(complaint) = complaint {
        problem.get_or_insert(format!(
            "the peer was asked for what it has not: {complaint}"
        ));
    }
    let tests = Test::read_all(log);
    let failed = tests.iter().filter(|test| !test.passed);
    let failed: Vec<&str> = failed.map(Test::short_name).collect();
    row.counts = Counts::read(log);
    row.judge(&failed, problem);
    row.tests = tests
        .iter()
        .filter_map(|test| test.in_suite().map(str::to_owned))
        .collect();
    let (cases, problem) = reported(row.host, reports);
    row.cases = cases;
    if row.host.suite && !row.host.websocket {
        row.cases.extend(without_websocket(&tests));
    }
    if let Some(problem) = problem {
        row.blame(problem);
    }
    // No set of features builds with one.
    if let Some(warning) = log.lines().find(|line| line.starts_with("warning: ")) {
        row.blame(format!("a build prints a {warning}"));
    }
}

/// Blames the rows that ought to have reported for reports that no host's name
/// is on; without such a row the first.
pub fn unclaimed(rows: &mut [Row], reports: &[(String, String)]) {
    let Some((name, _)) = reports.first() else {
        return;
    };
    let problem = format!("cases reported under the name of `{name}`");
    let silent = |row: &&mut Row| row.host.websocket && row.cases.is_empty();
    let mut blamed = false;
    for row in rows.iter_mut().filter(silent) {
        row.blame(problem.clone());
        blamed = true;
    }
    if let (false, Some(row)) = (blamed, rows.first_mut()) {
        row.blame(problem);
    }
}

/// The cases among a host's reports, and what is wrong with the rest.
fn reported(host: &Host, lines: &[String]) -> (Vec<Case>, Option<String>) {
    let (mut cases, mut problem) = (Vec::new(), None);
    for line in lines {
        match Case::read(line) {
            Ok(case) => cases.push(case),
            Err(error) => {
                problem.get_or_insert(error);
            }
        }
    }
    if !host.websocket && !lines.is_empty() {
        problem.get_or_insert("without a WebSocket cases reported through one".to_owned());
    }
    (cases, problem)
}

/// Without a WebSocket nobody can report; S103 is about that, and the harness
/// says how its tests ended.
fn without_websocket(tests: &[Test]) -> Vec<Case> {
    let of_s103 = |test: &Test| {
        let name = test.in_suite()?.strip_prefix("S103::")?;
        Some(Case {
            rule: "S103".to_owned(),
            name: name.to_owned(),
            mark: Mark::M,
            outcome: match test.passed {
                true => Outcome::Pass,
                false => Outcome::Fail,
            },
            seen: "as the harness says".to_owned(),
            deviates: !test.passed,
        })
    };
    tests.iter().filter_map(of_s103).collect()
}

#[cfg(test)]
mod tests {
    use super::{judge, unclaimed};
    use crate::suite::host;
    use crate::suite::report::{Row, Verdict};

    const LINE: &str = r#"{"rule":"S1","case":"a","mark":"M","result":"pass","seen":""}"#;
    const LOG: &str = "test mounted::S103::a ... ok\ntest mounted::S1::b ... ok\n\
        test result: ok. 2 passed; 0 failed\n";

    fn judged(id: &str, log: &str, reports: &[&str]) -> Row {
        let mut row = Row::new(host::called(id).expect("it is a host"));
        let reports: Vec<String> = reports.iter().map(|line| (*line).to_owned()).collect();
        judge(&mut row, None, None, log, &reports);
        row
    }

    #[test]
    fn a_row_has_its_tests_and_its_cases() {
        let row = judged("deno", LOG, &[LINE]);
        assert_eq!(row.verdict, Verdict::Pass);
        assert_eq!(row.tests, ["S103::a", "S1::b"]);
        assert_eq!(row.cases.len(), 1);
    }

    #[test]
    fn a_warning_of_a_build_fails_the_row() {
        let row = judged("deno", &format!("warning: unused import\n{LOG}"), &[LINE]);
        assert_eq!(row.verdict, Verdict::Fail);
        assert_eq!(row.note, "a build prints a warning: unused import");
    }

    #[test]
    fn a_report_that_is_not_understood_is_a_problem() {
        assert_eq!(judged("deno", LOG, &["?"]).verdict, Verdict::Fail);
    }

    #[test]
    fn without_a_websocket_the_harness_is_believed_and_nobody_may_report() {
        let row = judged("node20", LOG, &[]);
        assert_eq!((row.verdict, row.cases.len()), (Verdict::Pass, 1));
        assert_eq!(row.cases[0].title(), "S103 a");
        assert_eq!(judged("node20", LOG, &[LINE]).verdict, Verdict::Fail);
    }

    #[test]
    fn reports_under_another_name_are_blamed_on_who_did_not_report() {
        let mut rows = [judged("native", LOG, &[LINE]), judged("deno", LOG, &[])];
        unclaimed(&mut rows, &[]);
        assert!(rows.iter().all(|row| row.note.is_empty()));
        unclaimed(&mut rows, &[("denno".to_owned(), LINE.to_owned())]);
        assert!(rows[0].note.is_empty());
        assert_eq!(rows[1].note, "cases reported under the name of `denno`");
    }
}
