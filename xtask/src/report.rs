//! What a run amounts to: counts read from logs, the table, the JSON file.
//!
//! Invariant: nothing counts as passed that did not say so itself; a row in
//! which no case ran is a failure.

use std::time::Duration;

use serde_json::{Value, json};

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

/// Cases that passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: u64,
    pub failed: u64,
}

impl Counts {
    /// Adds up the `test result:` lines of libtest and wasm-bindgen-test,
    /// which agree on the words before the second semicolon.
    pub fn read(log: &str) -> Self {
        let mut sum = Self::default();
        for line in log.lines() {
            if let Some(counts) = result_line(line) {
                sum.passed += counts.passed;
                sum.failed += counts.failed;
            }
        }
        sum
    }
}

fn result_line(line: &str) -> Option<Counts> {
    let rest = line.trim_start().strip_prefix("test result: ")?;
    let (_, rest) = rest.split_once(". ")?;
    let mut parts = rest.split("; ");
    Some(Counts {
        passed: parts.next()?.strip_suffix(" passed")?.parse().ok()?,
        failed: parts.next()?.strip_suffix(" failed")?.parse().ok()?,
    })
}

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Row {
    pub id: &'static str,
    pub target: String,
    pub host: &'static str,
    pub verdict: Verdict,
    pub counts: Counts,
    pub took: Duration,
    /// Why the row is not a pass, in one line.
    pub note: String,
}

impl Row {
    /// Judges a row by its counts and by whether its commands succeeded.
    ///
    /// A row that failed for another reason than a case (a crash, a deadline,
    /// nothing run) counts one failure, so that the sum over a run tells.
    pub fn judge(&mut self, problem: Option<String>) {
        self.note = match problem {
            Some(problem) => problem,
            None if self.counts.failed > 0 => format!("{} failed", self.counts.failed),
            None if self.counts.passed == 0 => "no case was run".to_owned(),
            None => {
                self.verdict = Verdict::Pass;
                return;
            }
        };
        self.verdict = Verdict::Fail;
        self.counts.failed = self.counts.failed.max(1);
    }

    fn cells(&self) -> [String; 5] {
        let Counts { passed, failed } = self.counts;
        let (cases, seconds) = match self.verdict {
            Verdict::Missing => ("-".to_owned(), "-".to_owned()),
            _ => (
                format!("{passed}/{}", passed + failed),
                format!("{:.1}", self.took.as_secs_f64()),
            ),
        };
        [
            self.target.clone(),
            self.host.to_owned(),
            self.verdict.word().to_owned(),
            cases,
            seconds,
        ]
    }
}

/// The table, its columns as wide as their widest cell; figures to the right.
pub fn table(rows: &[Row]) -> String {
    let head = ["target", "host", "result", "cases", "seconds"].map(str::to_owned);
    let lines: Vec<[String; 5]> = std::iter::once(head)
        .chain(rows.iter().map(Row::cells))
        .collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
    let widths: Vec<usize> = (0..5).map(|column| width(column).unwrap_or(0)).collect();
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
            // Written field by field, because a map would sort them.
            let fields: [(&str, Value); 8] = [
                ("target", json!(row.target)),
                ("host", json!(row.host)),
                ("result", json!(row.verdict.word())),
                ("passed", json!(row.counts.passed)),
                ("failed", json!(row.counts.failed)),
                (
                    "seconds",
                    json!((row.took.as_secs_f64() * 100.0).round() / 100.0),
                ),
                ("id", json!(row.id)),
                ("note", json!(row.note)),
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
    use super::{Counts, Row, Verdict, json, summary, table};
    use std::time::Duration;

    fn row(host: &'static str, passed: u64, failed: u64) -> Row {
        Row {
            id: "some-id",
            target: "wasm32".to_owned(),
            host,
            verdict: Verdict::Missing,
            counts: Counts { passed, failed },
            took: Duration::from_millis(1234),
            note: String::new(),
        }
    }

    #[test]
    fn both_harnesses_result_lines_are_read_and_added_up() {
        let log = "running 3 tests\ntest a ... ok\n\
            test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.01s\n\
            \n    test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 filtered out; finished in 0.05s\r\n";
        let expected = Counts {
            passed: 15,
            failed: 2,
        };
        assert_eq!(Counts::read(log), expected);
    }

    #[test]
    fn other_lines_count_nothing() {
        let log = "it said: test result: ok. 3 passed; 0 failed\ntest result: ok\n\
            test result: ok. many passed; 0 failed\nno tests to run!\n";
        assert_eq!(Counts::read(log), Counts::default());
    }

    #[test]
    fn a_row_without_cases_is_a_failure() {
        let mut row = row("Node", 0, 0);
        row.judge(None);
        assert_eq!((row.verdict, row.counts.failed), (Verdict::Fail, 1));
        assert_eq!(row.note, "no case was run");
    }

    #[test]
    fn a_row_that_crashed_after_its_cases_is_a_failure() {
        let mut crashed = row("Node", 7, 0);
        crashed.judge(Some("exit status 1".to_owned()));
        assert_eq!((crashed.verdict, crashed.counts.failed), (Verdict::Fail, 1));
        let mut good = row("Node", 7, 0);
        good.judge(None);
        assert_eq!((good.verdict, good.counts.failed), (Verdict::Pass, 0));
    }

    #[test]
    fn the_table_is_aligned() {
        let mut rows = [row("Chromium window", 10, 2), row("Node", 0, 0)];
        rows[0].judge(None);
        assert_eq!(
            table(&rows),
            "target  host             result   cases  seconds\n\
             wasm32  Chromium window  FAIL     10/12      1.2\n\
             wasm32  Node             MISSING      -        -\n"
        );
    }

    #[test]
    fn the_json_has_the_agreed_fields_first() {
        let mut rows = [row("Node", 2, 0)];
        rows[0].judge(None);
        assert_eq!(
            json(&rows),
            "[\n  {\"target\": \"wasm32\", \"host\": \"Node\", \"result\": \"PASS\", \
             \"passed\": 2, \"failed\": 0, \"seconds\": 1.23, \
             \"id\": \"some-id\", \"note\": \"\"}\n]\n"
        );
    }

    #[test]
    fn a_missing_host_is_a_failure_unless_allowed() {
        let rows = [row("Node", 0, 0)];
        assert_eq!(summary(&rows, false), "0 passed, 1 failed");
        assert_eq!(summary(&rows, true), "0 passed, 0 failed");
    }
}
