//! The record of a run, from which the parity report is written.
//!
//! Invariant: it has the rows of the suite that ran, and no others.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use isosocket_parity::{Host, Run};

use super::report::{Row, Verdict};
use crate::run::{Invocation, workspace};

/// The crates whose versions decide what a program observes.
const LIBRARIES: &[&str] = &[
    "isosocket",
    "tungstenite",
    "rustls",
    "mio",
    "url",
    "wasm-bindgen",
];

/// Keeps what a run of the suite reported.
pub fn save(rows: &[Row], everything: bool) -> Result<(), String> {
    let ran = |row: &&Row| row.host.suite && row.verdict != Verdict::Missing;
    let version = |name: &&str| {
        let version = workspace::locked_version(name).ok()?;
        Some(((*name).to_owned(), version))
    };
    let date = Invocation::new("date").args(["-u", "+%F %H:%M"]);
    let run = Run {
        date: date
            .output(Duration::from_secs(20))
            .map_or_else(String::new, |date| date.trim().to_owned()),
        complete: complete(rows, everything),
        libraries: LIBRARIES.iter().filter_map(version).collect(),
        hosts: rows.iter().filter(ran).map(host).collect(),
    };
    fs::write(file()?, run.to_json())
        .map_err(|error| format!("cannot write the run's record: {error}"))
}

/// Whether all hosts of the suite were there, and all cases were to run.
fn complete(rows: &[Row], everything: bool) -> bool {
    let missing = |row: &Row| row.host.suite && row.verdict == Verdict::Missing;
    everything && !rows.iter().any(missing)
}

fn host(row: &Row) -> Host {
    Host {
        id: row.host.id.to_owned(),
        name: row.host.name.to_owned(),
        websocket: row.host.websocket,
        version: row.version.clone(),
        problem: match row.verdict {
            Verdict::Fail => row.note.clone(),
            Verdict::Pass | Verdict::Missing => String::new(),
        },
        cases: row.cases.clone(),
    }
}

/// # Errors
/// If there was no run, or an xtask of another version wrote its record.
pub fn last() -> Result<Run, String> {
    let text = fs::read_to_string(file()?)
        .map_err(|_| "there was no run yet; try without --last".to_owned())?;
    Run::from_json(&text)
        .ok_or_else(|| "the last run's record is of another kind; run again".to_owned())
}

fn file() -> Result<PathBuf, String> {
    Ok(workspace::output()?.join("run.json"))
}

#[cfg(test)]
mod tests {
    use super::complete;
    use crate::suite::host;
    use crate::suite::report::{Row, Verdict};

    #[test]
    fn a_run_without_a_host_is_not_complete() {
        let mut rows = [Row::new(host::called("deno").expect("it is a host"))];
        assert!(!complete(&rows, true));
        rows[0].verdict = Verdict::Pass;
        assert!(complete(&rows, true) && !complete(&rows, false));
    }
}
