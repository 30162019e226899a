//! What the suite's cases report about themselves, one JSON object a line.
//!
//! Invariant: a line is understood as a whole or refused; no outcome is
//! guessed.

use serde_json::{Value, json};

/// How far a case is asserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// On every host.
    M,
    /// Natively; of other hosts it is recorded what they do.
    N,
    /// Nowhere.
    U,
}

/// How a case ended on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// What is asserted holds.
    Pass,
    /// It does not.
    Fail,
    /// Nothing is asserted here; what happened is shown.
    Recorded,
    /// It has no meaning on this host; the reason is the suite's.
    NotApplicable(String),
    /// It fails because of the host; the reason is the suite's.
    Deviation(String),
}

/// One case on one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The rule that it shows, such as `S23`.
    pub rule: String,
    /// Its name: that of its test, and what distinguishes it from others in the same table.
    pub name: String,
    /// How far it is asserted.
    pub mark: Mark,
    /// How it ended.
    pub outcome: Outcome,
    /// What the case saw, in a few words.
    pub seen: String,
    /// Whether that is other than the rule says.
    pub deviates: bool,
}

impl Case {
    /// Reads a line that a case reported.
    ///
    /// # Errors
    /// One line, saying what is wrong with it.
    pub fn read(line: &str) -> Result<Self, String> {
        let value = serde_json::from_str(line).map_err(|error| format!("{error} in {line:?}"))?;
        Self::from_value(&value).ok_or_else(|| format!("not a case's report: {line:?}"))
    }

    /// The same from JSON; nothing if it is no report.
    pub fn from_value(value: &Value) -> Option<Self> {
        let text = |name: &str| value[name].as_str().map(str::to_owned);
        Some(Self {
            rule: text("rule")?,
            name: text("case")?,
            mark: match value["mark"].as_str()? {
                "M" => Mark::M,
                "N" => Mark::N,
                "U" => Mark::U,
                _ => return None,
            },
            outcome: match value["result"].as_str()? {
                "pass" => Outcome::Pass,
                "fail" => Outcome::Fail,
                "recorded" => Outcome::Recorded,
                other => {
                    let (word, reason) = other.split_once(": ")?;
                    let reason = Some(reason.trim()).filter(|reason| !reason.is_empty())?;
                    match word {
                        "not applicable" => Outcome::NotApplicable(reason.to_owned()),
                        "known deviation" => Outcome::Deviation(reason.to_owned()),
                        _ => return None,
                    }
                }
            },
            seen: text("seen")?,
            deviates: value["deviates"].as_bool().unwrap_or(false),
        })
    }

    /// The case as JSON.
    pub fn to_value(&self) -> Value {
        let result = match &self.outcome {
            Outcome::Pass => "pass".to_owned(),
            Outcome::Fail => "fail".to_owned(),
            Outcome::Recorded => "recorded".to_owned(),
            Outcome::NotApplicable(reason) => format!("not applicable: {reason}"),
            Outcome::Deviation(reason) => format!("known deviation: {reason}"),
        };
        json!({
            "rule": self.rule,
            "case": self.name,
            "mark": format!("{:?}", self.mark),
            "result": result,
            "seen": self.seen,
            "deviates": self.deviates,
        })
    }

    /// Its rule and its name, which together no other case has.
    pub fn title(&self) -> String {
        format!("{} {}", self.rule, self.name)
    }
}

/// The M cases of a host, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Those that passed.
    pub passed: usize,
    /// Those that have no meaning on the host.
    pub not_applicable: usize,
    /// Those that the host is known to fail.
    pub deviating: usize,
    /// Those that did none of these, whatever they did instead.
    pub failed: usize,
}

impl Tally {
    /// Counts a host's cases.
    pub fn of(cases: &[Case]) -> Self {
        let mut tally = Self::default();
        for case in cases.iter().filter(|case| case.mark == Mark::M) {
            match case.outcome {
                Outcome::Pass => tally.passed += 1,
                Outcome::NotApplicable(_) => tally.not_applicable += 1,
                Outcome::Deviation(_) => tally.deviating += 1,
                Outcome::Fail | Outcome::Recorded => tally.failed += 1,
            }
        }
        tally
    }

    /// All of them.
    pub fn total(self) -> usize {
        self.passed + self.not_applicable + self.deviating + self.failed
    }
}

/// The first few of some names, and how many more there are.
pub fn few(names: &[impl AsRef<str>], most: usize) -> String {
    let shown: Vec<&str> = names.iter().take(most).map(AsRef::as_ref).collect();
    match names.len().saturating_sub(most) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Case, Mark, Outcome, Tally, few};

    fn line(mark: &str, result: &str) -> String {
        format!(
            r#"{{"rule":"S1","case":"a: b","mark":"{mark}","result":"{result}","seen":"open"}}"#
        )
    }

    #[test]
    fn a_report_is_read_and_written() {
        let case = Case::read(&line("N", "not applicable: no clock")).expect("it is a report");
        assert_eq!(case.title(), "S1 a: b");
        assert_eq!(case.mark, Mark::N);
        assert_eq!(case.outcome, Outcome::NotApplicable("no clock".to_owned()));
        assert_eq!(Case::from_value(&case.to_value()), Some(case));
    }

    #[test]
    fn what_is_no_report_is_refused() {
        for wrong in [
            "",
            "{}",
            &line("X", "pass"),
            &line("M", "passed"),
            &line("M", "not applicable: "),
            &line("M", "unknown: reason"),
        ] {
            assert!(Case::read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_m_cases_are_counted_and_each_once() {
        let results = [
            ("M", "pass"),
            ("M", "fail"),
            ("M", "recorded"),
            ("M", "not applicable: x"),
            ("M", "known deviation: x"),
            ("U", "recorded"),
        ];
        let cases: Vec<Case> = results
            .iter()
            .map(|(mark, result)| Case::read(&line(mark, result)).expect("it is a report"))
            .collect();
        let tally = Tally::of(&cases);
        let expected = Tally {
            passed: 1,
            not_applicable: 1,
            deviating: 1,
            failed: 2,
        };
        assert_eq!(tally, expected);
        assert_eq!(tally.total(), 5);
    }

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(few(&["a", "b"], 2), "a, b");
        assert_eq!(few(&["a", "b", "c", "d"], 2), "a, b and 2 more");
    }
}
