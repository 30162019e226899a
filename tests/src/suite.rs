//! Defines a case, runs it under a time limit, judges its outcome and reports it.
//!
//! Invariant: no case is skipped silently. If a case does not apply, the list and
//! the report say why.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::Poll;

use serde_json::json;

use crate::probe::open_socket;
use crate::{deviations, harness};

/// What a case saw, in a few words; an error says what is wrong about it.
pub type Seen = Result<String, String>;

/// A case that is under way.
pub type Running = Pin<Box<dyn Future<Output = Seen>>>;

/// How far a rule is asserted, as in the rules' own table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Must hold on every target.
    M,
    /// Must hold natively; on the web what the browser does is recorded.
    N,
    /// Only recorded.
    U,
}

/// One entry of the list: a function, or a table with a function for its rows.
#[derive(Debug)]
pub struct Case {
    /// The rule that it shows, such as `S23`.
    pub rule: &'static str,
    /// How far it is asserted.
    pub mark: Mark,
    /// The name of the function.
    pub name: &'static str,
    /// Where it cannot run, and why.
    pub except: Option<Exception>,
    /// The cases proper: one, or a table's rows.
    pub rows: fn() -> Vec<Row>,
}

impl Case {
    /// The name of one of its cases.
    fn name_of(&self, row: &Row) -> String {
        match &*row.name {
            "" => self.name.to_owned(),
            row => format!("{}: {row}", self.name),
        }
    }
}

/// Whether an entry cannot run here, and why.
pub type Exception = (fn() -> bool, &'static str);

/// A case proper.
pub struct Row {
    /// Empty for a function without a table.
    pub name: String,
    /// Starts it.
    pub start: Box<dyn FnOnce() -> Running>,
}

impl Row {
    /// A function's only row.
    pub fn only<F>(case: fn() -> F) -> Vec<Row>
    where
        F: Future<Output = Seen> + 'static,
    {
        vec![Row {
            name: String::new(),
            start: Box::new(move || Box::pin(case())),
        }]
    }

    /// The rows of a table.
    pub fn over<T, F>(table: &'static [T], case: fn(T) -> F) -> Vec<Row>
    where
        T: RowName + Copy,
        F: Future<Output = Seen> + 'static,
    {
        let row = |row: &'static T| Row {
            name: row.row_name(),
            start: Box::new(move || Box::pin(case(*row))),
        };
        table.iter().map(row).collect()
    }
}

/// How a table's row is called: by its first column.
pub trait RowName {
    /// The name.
    fn row_name(&self) -> String;
}

impl RowName for &str {
    fn row_name(&self) -> String {
        (*self).to_owned()
    }
}

impl RowName for u16 {
    fn row_name(&self) -> String {
        self.to_string()
    }
}

impl RowName for usize {
    fn row_name(&self) -> String {
        self.to_string()
    }
}

impl<A: RowName, B> RowName for (A, B) {
    fn row_name(&self) -> String {
        self.0.row_name()
    }
}

impl<A: RowName, B, C> RowName for (A, B, C) {
    fn row_name(&self) -> String {
        self.0.row_name()
    }
}

/// For the list: a socket cannot be made to trust the suite's CA.
pub fn no_trust() -> bool {
    harness::WEB || !cfg!(feature = "tls")
}

/// For the list: a panic ends the program, and nothing can be done about it.
pub fn no_unwinding() -> bool {
    !harness::WEB && cfg!(panic = "abort")
}

/// For the list: threads cannot be counted, or none is started, because the
/// case's own thread serves its sockets.
pub fn no_thread_to_count() -> bool {
    no_counts() || harness::own_thread()
}

/// For the list: there is no way to count threads and file descriptors.
pub fn no_counts() -> bool {
    harness::resources().0 == 0
}

/// For the list: this run's sockets have no limit on what they receive.
pub fn no_receive_limit() -> bool {
    harness::WEB && !harness::over_stream()
}

/// For the list: sockets go over the host's `WebSocketStream`.
pub fn over_stream() -> bool {
    harness::over_stream()
}

/// For the list: the program's memory is not counted.
pub fn no_memory_count() -> bool {
    harness::memory() == 0
}

/// How long one case may take, in milliseconds. A case that takes longer hangs: one that
/// moves 128 MiB takes a second at rest, and more than 30 on a very busy machine.
pub(crate) const CASE_LIMIT: u32 = if harness::WEB { 60_000 } else { 240_000 };
/// How long all rows of a table may take. This is less than the time after which the test
/// runners of `cargo xtask test-all` give up without saying where.
const TABLE_LIMIT: f64 = 480_000.0;

/// Runs an entry of the list and reports each of its cases.
///
/// # Panics
/// If a case failed; the message says which, and how.
pub async fn run(case: Case) {
    if !isosocket::supported() {
        assert!(
            !harness::has_web_socket(),
            "this host has a WebSocket, but isosocket::supported() is false"
        );
        // S103 is about this; everything else needs a WebSocket.
        if case.rule != "S103" {
            harness::print("not run: there is no WebSocket here");
            return;
        }
    }
    let start = harness::now();
    let (mut lines, mut failures) = (Vec::new(), Vec::new());
    for (index, row) in (case.rows)().into_iter().enumerate() {
        if harness::WEB && index % 4 == 3 {
            succeed().await;
        }
        let began = harness::now();
        let name = case.name_of(&row);
        let outcome = match case.except {
            Some((applies, reason)) if applies() => Outcome::NotApplicable(reason),
            _ if harness::now() - start > TABLE_LIMIT => {
                judge(case.mark, Err("the table's time was over before it".into()))
            }
            _ => {
                let seen = within(CASE_LIMIT, (row.start)()).await;
                let late = || Err(format!("not done after {CASE_LIMIT} ms"));
                judge(case.mark, seen.unwrap_or_else(late))
            }
        };
        let outcome = outcome.excuse(deviations::reason(case.rule, &name));
        if let Outcome::Fail(what) = &outcome {
            failures.push(format!("{}: {what}", row.name));
        }
        lines.push(outcome.line(&case, &name, harness::now() - began));
    }
    for complaint in harness::complaints() {
        failures.push(format!("the peer has no such behaviour: {complaint}"));
    }
    if let Err(error) = report(&lines).await {
        failures.push(format!("cannot report: {error}"));
    }
    assert!(
        failures.is_empty(),
        "{} {}, {} of {} failed:\n  {}",
        case.rule,
        case.name,
        failures.len(),
        lines.len(),
        failures.join("\n  ")
    );
}

/// Opens a connection and closes it. Chromium lets a page wait for seconds
/// whose connections mostly fail, as whole tables of cases do on purpose.
async fn succeed() {
    let opened = open_socket(crate::probe::url("/echo"));
    let _ = within(CASE_LIMIT, opened).await;
}

enum Outcome {
    Pass(String),
    Fail(String),
    /// And whether it is what the rule says.
    Recorded(String, bool),
    NotApplicable(&'static str),
    /// A failure that is the host's, and why.
    Deviation(String, &'static str),
}

fn judge(mark: Mark, seen: Seen) -> Outcome {
    let asserted = match mark {
        Mark::M => true,
        Mark::N => !harness::WEB,
        Mark::U => false,
    };
    match (asserted, seen) {
        (true, Ok(seen)) => Outcome::Pass(seen),
        (true, Err(seen)) => Outcome::Fail(seen),
        (false, Ok(seen)) => Outcome::Recorded(seen, true),
        (false, Err(seen)) => Outcome::Recorded(seen, false),
    }
}

impl Outcome {
    /// A failure that a known deviation of the host explains.
    fn excuse(self, reason: Option<&'static str>) -> Outcome {
        match (self, reason) {
            (Outcome::Fail(seen), Some(reason)) => Outcome::Deviation(seen, reason),
            (outcome, _) => outcome,
        }
    }

    /// One line of JSON for whoever collects rule × host.
    fn line(&self, case: &Case, name: &str, took: f64) -> String {
        let (result, seen, deviates) = match self {
            Outcome::Pass(seen) => ("pass".to_owned(), seen.as_str(), false),
            Outcome::Fail(seen) => ("fail".to_owned(), seen.as_str(), true),
            Outcome::Recorded(seen, good) => ("recorded".to_owned(), seen.as_str(), !good),
            Outcome::NotApplicable(reason) => (format!("not applicable: {reason}"), "", false),
            Outcome::Deviation(seen, reason) => {
                (format!("known deviation: {reason}"), seen.as_str(), true)
            }
        };
        json!({
            "rule": case.rule,
            "case": name,
            "mark": format!("{:?}", case.mark),
            "result": result,
            "seen": seen,
            "deviates": deviates,
            "ms": took.round(),
        })
        .to_string()
    }
}

/// Hands lines to the peer's owner, if there is one. The peer answers the Close
/// frame when it has handed all of them on.
async fn report(lines: &[String]) -> Result<(), String> {
    if !harness::has_readers() || !isosocket::supported() || harness::is_alone() {
        return Ok(());
    }
    let (peer, name) = (harness::peer(), harness::host());
    let url = format!("ws://{peer}/report?from={name}");
    let sending = async {
        let socket = open_socket(&url).await.map_err(|error| error.to_string())?;
        let mut events = socket.events();
        for line in lines {
            socket
                .send(line.as_str())
                .map_err(|error| error.to_string())?;
        }
        socket.close();
        while let Some(event) = events.next().await {
            if let isosocket::Event::Close(close) = event {
                return match close.was_clean {
                    true => Ok(()),
                    false => Err(close.to_string()),
                };
            }
        }
        Err("no close event".to_owned())
    };
    within(CASE_LIMIT, sending)
        .await
        .unwrap_or(Err("no answer".to_owned()))
}

/// The future's output, unless it takes longer than so many milliseconds.
pub async fn within<T>(milliseconds: u32, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut timer = pin!(harness::sleep(milliseconds));
    std::future::poll_fn(|context| {
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return Poll::Ready(Some(output));
        }
        timer.as_mut().poll(context).map(|()| None)
    })
    .await
}

/// Ends a case with an error unless a condition holds.
macro_rules! ensure {
    ($condition:expr, $($what:tt)+) => {
        let good: bool = $condition;
        if !good {
            return Err(format!($($what)+));
        }
    };
}

/// Ends a case with an error unless two values are equal.
macro_rules! ensure_eq {
    ($seen:expr, $expected:expr, $($what:tt)+) => {
        match (&$seen, &$expected) {
            (seen, expected) => {
                if *seen != *expected {
                    let what = format!($($what)+);
                    return Err(format!("{what}: saw {seen:?}, expected {expected:?}"));
                }
            }
        }
    };
}

pub(crate) use {ensure, ensure_eq};
