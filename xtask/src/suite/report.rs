//! The result of a run: the verdict on each row, the table, the JSON file.
//!
//! Invariant: a row in which nothing ran is a failure, and a row that fails
//! counts at least one failure, so that the sum over a run shows it.

use std::time::Duration;

use isosocket_parity::{Case, Outcome, Tally, few};
use serde_json::{Value, json};

use super::host::Host;
use super::log::Counts;

/// How a row ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Pass,
    Fail,
    Missing,
}

impl Verdict {
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Missing => "MISSING",
        }
    }
}

/// One line of the table.
#[derive(Clone)]
pub struct Row {
    pub host: &'static Host,
    pub target: String,
    /// The program that the cases ran in, with its version.
    pub version: String,
    pub verdict: Verdict,
    pub counts: Counts,
    pub took: Duration,
    /// Why the row is not a pass, in one line.
    pub note: String,
    /// What the suite's cases reported.
    pub cases: Vec<Case>,
    /// The suite's tests that the log names.
    pub tests: Vec<String>,
}

impl Row {
    pub fn new(host: &'static Host) -> Self {
        Self {
            host,
            target: String::new(),
            version: String::new(),
            verdict: Verdict::Missing,
            counts: Counts::default(),
            took: Duration::ZERO,
            note: String::new(),
            cases: Vec::new(),
            tests: Vec::new(),
        }
    }

    /// Judges a row by its counts, of which these tests failed, and by whether
    /// its commands succeeded.
    pub fn judge(&mut self, failed: &[&str], problem: Option<String>) {
        self.verdict = Verdict::Pass;
        match (self.counts.failed, failed) {
            (0, _) => {}
            (count, []) => self.blame(format!("{count} failed")),
            (count, names) => self.blame(format!("{count} failed: {}", few(names, 6))),
        }
        if let Some(problem) = problem {
            self.blame(problem);
        }
        if self.counts.passed + self.counts.failed == 0 {
            self.blame("no case was run".to_owned());
        }
    }

    /// Fails a row, for one more reason.
    pub fn blame(&mut self, problem: String) {
        if !self.note.is_empty() {
            self.note.push_str("; ");
        }
        self.note.push_str(&problem);
        self.verdict = Verdict::Fail;
        self.counts.failed = self.counts.failed.max(1);
    }

    /// The cases that failed.
    pub fn failures(&self) -> impl Iterator<Item = &Case> {
        let failed = |case: &&Case| case.outcome == Outcome::Fail;
        self.cases.iter().filter(failed)
    }

    fn cells(&self) -> [String; COLUMNS] {
        let Counts { passed, failed } = self.counts;
        let dash = || "-".to_owned();
        let (cases, seconds) = match self.verdict {
            Verdict::Missing => (dash(), dash()),
            _ => (
                format!("{passed}/{}", passed + failed),
                format!("{:.1}", self.took.as_secs_f64()),
            ),
        };
        let tally = Tally::of(&self.cases);
        let reports = self.host.websocket && tally.total() > 0;
        let m = |count: usize| match reports {
            true => count.to_string(),
            false => dash(),
        };
        [
            self.target.clone(),
            self.host.name.to_owned(),
            self.verdict.word().to_owned(),
            cases,
            seconds,
            m(tally.total()),
            m(tally.passed),
            m(tally.not_applicable),
            m(tally.deviating),
        ]
    }
}

const COLUMNS: usize = 9;
const HEAD: [&str; COLUMNS] = [
    "target", "host", "result", "cases", "seconds", "M cases", "passed", "n/a", "known",
];

/// The table, its columns as wide as their widest cell; figures to the right.
///
/// The cases proper are counted under `M cases`: a test of a table of bad URLs
/// is one of `cases` and many of those. Of them so many passed, do not apply,
/// and are known to fail on that host.
pub fn table(rows: &[Row]) -> String {
    let lines: Vec<[String; COLUMNS]> = std::iter::once(HEAD.map(str::to_owned))
        .chain(rows.iter().map(Row::cells))
        .collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let widths: Vec<usize> = (0..COLUMNS)
        .map(|column| width(column).unwrap_or(0))
        .collect();
    let mut table = String::new();
    for line in &lines {
        let mut text = String::new();
        for (column, cell) in line.iter().enumerate() {
            let width = widths[column];
            if column > 0 {
                text.push_str("  ");
            }
            if column < 3 {
                text.push_str(&format!("{cell:<width$}"));
            } else {
                text.push_str(&format!("{cell:>width$}"));
            }
        }
        table.push_str(text.trim_end());
        table.push('\n');
    }
    table
}

/// The same for programs: the six agreed fields first, ours after them.
pub fn json(rows: &[Row]) -> String {
    let objects: Vec<String> = rows
        .iter()
        .map(|row| {
            let tally = Tally::of(&row.cases);
            // Written field by field, because a map would sort them.
            let fields: [(&str, Value); 13] = [
                ("target", json!(row.target)),
                ("host", json!(row.host.name)),
                ("result", json!(row.verdict.word())),
                ("passed", json!(row.counts.passed)),
                ("failed", json!(row.counts.failed)),
                ("seconds", json!(seconds(row.took))),
                ("id", json!(row.host.id)),
                ("note", json!(row.note)),
                ("version", json!(row.version)),
                ("m_passed", json!(tally.passed)),
                ("m_not_applicable", json!(tally.not_applicable)),
                ("m_deviating", json!(tally.deviating)),
                ("m_failed", json!(tally.failed)),
            ];
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("\"{name}\": {value}"))
                .collect();
            format!("  {{{}}}", fields.join(", "))
        })
        .collect();
    format!("[\n{}\n]\n", objects.join(",\n"))
}

/// Seconds with two digits after the point.
pub fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 100.0).round() / 100.0
}

/// The sum over all rows; a missing host counts as one failure unless allowed.
pub fn summary(rows: &[Row], allow_missing: bool) -> String {
    let passed: u64 = rows.iter().map(|row| row.counts.passed).sum();
    let failed: u64 = rows.iter().map(|row| row.counts.failed).sum();
    let missing = rows
        .iter()
        .filter(|row| row.verdict == Verdict::Missing && !allow_missing)
        .count() as u64;
    format!("{passed} passed, {} failed", failed + missing)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Row, Verdict, json, summary, table};
    use crate::suite::host;
    use crate::suite::log::Counts;
    use isosocket_parity::Case;

    fn row(id: &str, passed: u64, failed: u64) -> Row {
        let mut row = Row::new(host::called(id).expect("there is such a host"));
        row.target = "wasm32".to_owned();
        row.version = "1.2.3".to_owned();
        row.counts = Counts { passed, failed };
        row.took = Duration::from_millis(1234);
        row
    }

    #[test]
    fn a_row_without_cases_is_a_failure() {
        let mut row = row("node", 0, 0);
        row.judge(&[], None);
        assert_eq!((row.verdict, row.counts.failed), (Verdict::Fail, 1));
        assert_eq!(row.note, "no case was run");
    }

    #[test]
    fn a_row_that_crashed_after_its_cases_is_a_failure() {
        let mut crashed = row("node", 7, 0);
        crashed.judge(&[], Some("exit status 1".to_owned()));
        assert_eq!((crashed.verdict, crashed.counts.failed), (Verdict::Fail, 1));
        let mut good = row("node", 7, 0);
        good.judge(&[], None);
        assert_eq!((good.verdict, good.counts.failed), (Verdict::Pass, 0));
    }

    #[test]
    fn all_reasons_are_named() {
        let mut bad = row("node", 7, 2);
        bad.judge(&["a", "b"], Some("exit status 1".to_owned()));
        bad.blame("and more".to_owned());
        assert_eq!(bad.note, "2 failed: a, b; exit status 1; and more");
        assert_eq!(bad.counts.failed, 2);
    }

    #[test]
    fn the_table_is_aligned() {
        let mut rows = [row("chromium-window", 10, 2), row("node", 0, 0)];
        rows[0].judge(&[], None);
        let case = r#"{"rule":"S1","case":"a","mark":"M","result":"pass","seen":""}"#;
        rows[0].cases = vec![Case::read(case).expect("it is a report"); 9];
        assert_eq!(
            table(&rows),
            "target  host              result   cases  seconds  M cases  passed  n/a  known\n\
             wasm32  Chromium window   FAIL     10/12      1.2        9       9    0      0\n\
             wasm32  Node 22 or later  MISSING      -        -        -       -    -      -\n"
        );
    }

    #[test]
    fn the_json_has_the_agreed_fields_first() {
        let mut rows = [row("deno", 2, 0)];
        rows[0].judge(&[], None);
        assert_eq!(
            json(&rows),
            "[\n  {\"target\": \"wasm32\", \"host\": \"Deno\", \"result\": \"PASS\", \
             \"passed\": 2, \"failed\": 0, \"seconds\": 1.23, \
             \"id\": \"deno\", \"note\": \"\", \"version\": \"1.2.3\", \
             \"m_passed\": 0, \"m_not_applicable\": 0, \"m_deviating\": 0, \"m_failed\": 0}\n]\n"
        );
    }

    #[test]
    fn a_missing_host_is_a_failure_unless_allowed() {
        let rows = [row("node", 0, 0)];
        assert_eq!(summary(&rows, false), "0 passed, 1 failed");
        assert_eq!(summary(&rows, true), "0 passed, 0 failed");
    }
}
