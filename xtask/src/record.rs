//! A run and all that was reported in it, kept in a file so that the matrix
//! can be written again without running anything.
//!
//! Invariant: what is loaded is what was saved; a file of another shape is
//! refused.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::cases::Case;
use crate::log::Counts;
use crate::report::{Row, Verdict};
use crate::{hosts, workspace};

/// The crates whose versions decide what a program observes.
const LIBRARIES: &[&str] = &[
    "isosocket",
    "tungstenite",
    "rustls",
    "mio",
    "url",
    "wasm-bindgen",
];

/// A run of the suite.
pub struct Run {
    /// When it ended, in UTC: `2026-11-21 04:30`.
    pub date: String,
    /// Whether all cases were to run on all hosts, and all hosts of the suite
    /// were there.
    pub complete: bool,
    /// Crates and their versions in `Cargo.lock`.
    pub libraries: Vec<(String, String)>,
    pub rows: Vec<Row>,
}

impl Run {
    /// A run that ends now.
    pub fn new(rows: Vec<Row>, everything: bool) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let present = |row: &Row| row.verdict != Verdict::Missing;
        let suite = || rows.iter().filter(|row| row.host.runs_the_suite());
        let version = |name: &&str| {
            let version = workspace::locked_version(name).ok()?;
            Some(((*name).to_owned(), version))
        };
        Self {
            date: utc(since.unwrap_or_default()),
            complete: everything && suite().all(present),
            libraries: LIBRARIES.iter().filter_map(version).collect(),
            rows,
        }
    }

    pub fn save(&self) -> Result<(), String> {
        let rows: Vec<Value> = self.rows.iter().map(row_to_value).collect();
        let value = json!({
            "date": self.date,
            "complete": self.complete,
            "libraries": self.libraries,
            "rows": rows,
        });
        fs::write(file()?, value.to_string())
            .map_err(|error| format!("cannot write the run's record: {error}"))
    }

    /// # Errors
    /// If there was no run, or an xtask of another version wrote its record.
    pub fn load() -> Result<Self, String> {
        let text = fs::read_to_string(file()?)
            .map_err(|_| "there was no run yet; try without --last".to_owned())?;
        serde_json::from_str(&text)
            .ok()
            .and_then(|value| from_value(&value))
            .ok_or_else(|| "the last run's record is of another kind; run again".to_owned())
    }
}

fn file() -> Result<PathBuf, String> {
    Ok(workspace::output()?.join("run.json"))
}

fn row_to_value(row: &Row) -> Value {
    let cases: Vec<Value> = row.cases.iter().map(Case::to_value).collect();
    json!({
        "id": row.host.id,
        "target": row.target,
        "version": row.version,
        "result": row.verdict.word(),
        "passed": row.counts.passed,
        "failed": row.counts.failed,
        "milliseconds": row.took.as_millis() as u64,
        "note": row.note,
        "cases": cases,
    })
}

fn from_value(value: &Value) -> Option<Run> {
    let pair = |pair: &Value| Some((pair[0].as_str()?.to_owned(), pair[1].as_str()?.to_owned()));
    Some(Run {
        date: value["date"].as_str()?.to_owned(),
        complete: value["complete"].as_bool()?,
        libraries: all(&value["libraries"], pair)?,
        rows: all(&value["rows"], row_from_value)?,
    })
}

fn row_from_value(value: &Value) -> Option<Row> {
    let mut row = Row::new(hosts::called(value["id"].as_str()?)?);
    let text = |name: &str| value[name].as_str().map(str::to_owned);
    row.target = text("target")?;
    row.version = text("version")?;
    row.note = text("note")?;
    row.verdict = Verdict::from_word(value["result"].as_str()?)?;
    row.took = Duration::from_millis(value["milliseconds"].as_u64()?);
    row.counts = Counts {
        passed: value["passed"].as_u64()?,
        failed: value["failed"].as_u64()?,
    };
    row.cases = all(&value["cases"], Case::from_value)?;
    Some(row)
}

/// Every element of an array, or nothing if one is wrong.
fn all<T>(array: &Value, read: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
    array.as_array()?.iter().map(read).collect()
}

/// A time since 1970 as a date in the Gregorian calendar, to the minute.
fn utc(since_1970: Duration) -> String {
    let minutes = since_1970.as_secs() / 60;
    let (mut days, minute) = (minutes / 1440, minutes % 1440);
    let is_leap = |year: u64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let mut year = 1970;
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= months[month] {
        days -= months[month];
        month += 1;
    }
    let (hour, minute) = (minute / 60, minute % 60);
    format!(
        "{year}-{:02}-{:02} {hour:02}:{minute:02}",
        month + 1,
        days + 1
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Run, all, from_value, row_from_value, row_to_value, utc};
    use crate::cases::Case;
    use crate::hosts;
    use crate::report::{Row, Verdict};

    #[test]
    fn seconds_become_a_date() {
        let date = |seconds| utc(Duration::from_secs(seconds));
        assert_eq!(date(0), "1970-01-01 00:00");
        assert_eq!(date(951_782_399), "2000-02-28 23:59");
        assert_eq!(date(951_782_400), "2000-02-29 00:00");
        assert_eq!(date(1_767_225_600), "2026-01-01 00:00");
        assert_eq!(date(4_107_542_400), "2100-03-01 00:00");
    }

    #[test]
    fn a_row_is_loaded_as_it_was_saved() {
        let case = r#"{"rule":"S1","case":"a","mark":"N","result":"recorded","seen":"b"}"#;
        let mut row = Row::new(hosts::called("deno").expect("it is a host"));
        row.verdict = Verdict::Fail;
        row.cases = vec![Case::read(case).expect("it is a report")];
        let loaded = row_from_value(&row_to_value(&row)).expect("it is a row");
        assert_eq!(loaded.host.id, "deno");
        assert_eq!((loaded.verdict, loaded.cases), (row.verdict, row.cases));
    }

    #[test]
    fn a_record_of_another_kind_is_refused() {
        assert!(from_value(&serde_json::json!({"date": "today"})).is_none());
        let rows = serde_json::json!([{"id": "netscape"}]);
        assert!(all(&rows, row_from_value).is_none());
    }

    #[test]
    fn a_run_without_a_host_is_not_complete() {
        let rows = || vec![Row::new(hosts::called("deno").expect("it is a host"))];
        assert!(!Run::new(rows(), true).complete);
    }
}
