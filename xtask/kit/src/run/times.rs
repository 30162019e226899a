//! How long each part of a run took: in this run, and in the last one that had it.
//!
//! Invariant: every time that is printed was measured. Only before the first run, a part is as long as
//! the table says.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::workspace;

/// Seconds of what takes long, on a machine with two cores and nothing else to do.
const FIRST: &[(&str, u64)] = &[
    ("test-all", 10 * 60),
    ("test-all --hosts all", 30 * 60),
    ("building wasm-bindgen's command-line tools", 150),
    ("building native", 120),
    ("building the suite for wasm", 60),
    ("building native, with the mock", 60),
    ("building for threads build", 120),
    ("building for simulate build", 90),
];

/// Shorter parts are not worth a line.
const WORTH: Duration = Duration::from_secs(1);

/// What this run has done so far, in the order in which it ended.
static PARTS: Mutex<Vec<(String, Duration)>> = Mutex::new(Vec::new());

pub fn took(part: &str, duration: Duration) {
    let mut parts = PARTS.lock().unwrap_or_else(PoisonError::into_inner);
    match parts.iter_mut().find(|(other, _)| other == part) {
        // A row may have several commands.
        Some((_, sum)) => *sum += duration,
        None => parts.push((part.to_owned(), duration)),
    }
}

/// How long a part may take: as long as the last time.
pub fn about(part: &str) -> Option<Duration> {
    let known = recorded().get(part).copied();
    let first = || FIRST.iter().find(|(name, _)| *name == part);
    known
        .or_else(|| first().map(|(_, seconds)| *seconds))
        .map(Duration::from_secs)
}

/// Keeps what was measured, for the next run.
pub fn save() -> Result<(), String> {
    let mut all = recorded();
    let parts = PARTS.lock().unwrap_or_else(PoisonError::into_inner);
    for (part, duration) in parts.iter() {
        all.insert(part.clone(), duration.as_secs_f64().round() as u64);
    }
    let text = serde_json::json!(all).to_string();
    fs::write(file()?, text).map_err(|error| format!("cannot write the times: {error}"))
}

/// The parts of this run in Markdown, the longest first.
pub fn table() -> String {
    let mut parts = PARTS.lock().unwrap_or_else(PoisonError::into_inner).clone();
    parts.retain(|(_, duration)| *duration >= WORTH);
    parts.sort_by_key(|(_, duration)| std::cmp::Reverse(*duration));
    let mut table = String::from("| part | seconds |\n| --- | ---: |\n");
    for (part, duration) in parts {
        table.push_str(&format!("| {part} | {:.0} |\n", duration.as_secs_f64()));
    }
    table
}

fn recorded() -> BTreeMap<String, u64> {
    let text = file().ok().and_then(|file| fs::read_to_string(file).ok());
    let value: Option<serde_json::Value> = text.and_then(|text| serde_json::from_str(&text).ok());
    let entries = value.as_ref().and_then(serde_json::Value::as_object);
    let seconds =
        |(part, value): (&String, &serde_json::Value)| Some((part.clone(), value.as_u64()?));
    entries.into_iter().flatten().filter_map(seconds).collect()
}

fn file() -> Result<PathBuf, String> {
    Ok(workspace::output()?.join("times.json"))
}

#[cfg(test)]
mod tests {
    use super::{about, table, took};
    use std::time::Duration;

    #[test]
    fn parts_are_added_up_and_the_longest_comes_first() {
        for (part, seconds) in [
            ("a part of a test", 2),
            ("another", 5),
            ("a part of a test", 4),
        ] {
            took(part, Duration::from_secs(seconds));
        }
        took("nothing", Duration::from_millis(3));
        let table = table();
        let at = |text: &str| {
            table
                .find(text)
                .unwrap_or_else(|| panic!("{text} in {table}"))
        };
        assert!(at("| a part of a test | 6 |") < at("| another | 5 |"));
        assert!(!table.contains("nothing"));
    }

    #[test]
    fn what_takes_long_is_known_before_the_first_run() {
        assert!(about("building the suite for wasm").is_some());
        assert_eq!(about("something that nobody ever did"), None);
    }
}
