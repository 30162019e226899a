//! A run of the suite on several hosts, and its file.
//!
//! Invariant: what is loaded is what was saved. A file of another shape is refused.

use serde_json::{Value, json};

use crate::case::{Case, Outcome};

/// A run of the suite.
pub struct Run {
    /// When it ended, in UTC: `2026-11-21 04:30`.
    pub date: String,
    /// Whether all cases were to run on all hosts, and all hosts were there.
    pub complete: bool,
    /// Crates and their versions.
    pub libraries: Vec<(String, String)>,
    /// The hosts that ran the suite.
    pub hosts: Vec<Host>,
}

/// A host, and what the cases reported there.
pub struct Host {
    /// `family` or `family-kind`.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// Whether there is a WebSocket, so that cases run and report.
    pub websocket: bool,
    /// The program that the cases ran in, with its version.
    pub version: String,
    /// Why the host's run is not a pass; empty if it is one.
    pub problem: String,
    /// What its cases reported.
    pub cases: Vec<Case>,
}

impl Host {
    /// What it shares with the other kinds of the same browser: `chromium`.
    pub fn family(&self) -> &str {
        self.id.split('-').next().unwrap_or(&self.id)
    }

    /// Whether the native backend serves it.
    pub fn is_native(&self) -> bool {
        ["native", "linux", "windows", "wasip2"].contains(&self.family())
    }

    /// The cases that failed.
    pub fn failures(&self) -> impl Iterator<Item = &Case> {
        let failed = |case: &&Case| case.outcome == Outcome::Fail;
        self.cases.iter().filter(failed)
    }

    fn to_value(&self) -> Value {
        let cases: Vec<Value> = self.cases.iter().map(Case::to_value).collect();
        json!({
            "id": self.id,
            "name": self.name,
            "websocket": self.websocket,
            "version": self.version,
            "problem": self.problem,
            "cases": cases,
        })
    }

    fn from_value(value: &Value) -> Option<Self> {
        let text = |name: &str| value[name].as_str().map(str::to_owned);
        Some(Self {
            id: text("id")?,
            name: text("name")?,
            websocket: value["websocket"].as_bool()?,
            version: text("version")?,
            problem: text("problem")?,
            cases: all(&value["cases"], Case::from_value)?,
        })
    }
}

impl Run {
    /// The run as JSON.
    pub fn to_json(&self) -> String {
        let hosts: Vec<Value> = self.hosts.iter().map(Host::to_value).collect();
        let value = json!({
            "date": self.date,
            "complete": self.complete,
            "libraries": self.libraries,
            "hosts": hosts,
        });
        value.to_string()
    }

    /// Reads what [`Run::to_json`] wrote; nothing else.
    pub fn from_json(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let pair =
            |pair: &Value| Some((pair[0].as_str()?.to_owned(), pair[1].as_str()?.to_owned()));
        Some(Self {
            date: value["date"].as_str()?.to_owned(),
            complete: value["complete"].as_bool()?,
            libraries: all(&value["libraries"], pair)?,
            hosts: all(&value["hosts"], Host::from_value)?,
        })
    }
}

/// Every element of an array, or nothing if one is wrong.
fn all<T>(array: &Value, read: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
    array.as_array()?.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::Run;
    use crate::matrix::tests::run;

    #[test]
    fn a_run_is_loaded_as_it_was_saved() {
        let run = run(&[
            ("native", &["S1 N recorded b"]),
            ("deno", &["S2 M fail why"]),
        ]);
        let loaded = Run::from_json(&run.to_json()).expect("it is a run");
        assert_eq!(loaded.to_json(), run.to_json());
        assert_eq!(loaded.hosts[1].failures().count(), 1);
    }

    #[test]
    fn a_file_of_another_kind_is_refused() {
        assert!(Run::from_json(r#"{"date": "today"}"#).is_none());
        assert!(Run::from_json("").is_none());
    }
}
