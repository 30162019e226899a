//! When the rows of a run are prepared and run: tools, builds and rows side by side.
//!
//! Invariant: rows are built in the table's order, one build at a time, and run when they
//! are built. The verdicts come to the caller's thread one by one, and every row has one.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use super::evidence;
use super::host::{Host, Kind};
use super::log::{self, Counts};
use super::report::{Row, Verdict};
use super::session::{Ended, Session};
use crate::run::progress;
use crate::tools::{self, Tool};

/// If more rows than this fail, a busy machine is not the reason, and there is
/// no second try.
const SECOND_TRIES: usize = 4;

/// How much is shown of what failed tests printed.
const SHOWN_LINES: usize = 60;

/// Runs hosts, so many at a time, and says on one line how each went.
///
/// A few rows that failed are run once more, each alone, because on a busy
/// machine a browser may miss a case's deadline. The table says that it was
/// a second try, and what failed at first.
pub fn run(session: &Session, hosts: &[&'static Host], lanes: usize) -> Vec<Row> {
    let mut rows = pass(session, hosts, lanes);
    let failed = |row: &&mut Row| row.verdict == Verdict::Fail;
    if rows.iter_mut().filter(failed).count() > SECOND_TRIES {
        return rows;
    }
    for row in rows.iter_mut().filter(|row| row.verdict == Verdict::Fail) {
        progress::say(&format!("{} once more, alone", row.host.name));
        let first = std::mem::take(&mut row.note);
        if let Some(again) = pass(session, &[row.host], 1).pop() {
            *row = again;
        }
        let note = format!("second try; at first: {first}");
        row.note = match row.note.is_empty() {
            true => note,
            false => format!("{}; {note}", row.note),
        };
    }
    rows
}

fn pass(session: &Session, hosts: &[&'static Host], lanes: usize) -> Vec<Row> {
    let mut rows: Vec<Row> = hosts.iter().map(|host| Row::new(host)).collect();
    let ready = Queue::default();
    let (done, ended) = mpsc::channel();
    thread::scope(|scope| {
        let ready = &ready;
        // Downloads use the network, and builds of tools use the processor: both begin at
        // once, at the same time as the first builds.
        for tools in of(hosts) {
            scope.spawn(move || {
                for tool in tools {
                    // Whoever needs it sees what came of it.
                    let _ = session.provide(tool);
                }
            });
        }
        scope.spawn(move || {
            for (index, host) in hosts.iter().enumerate() {
                let built = (index, session.build(host));
                match host.kind {
                    // They compute where the others wait, some of them for minutes. At the
                    // end nobody would be left to wait meanwhile.
                    Kind::Command(_) => ready.push_first(host.family(), built),
                    _ => ready.push(host.family(), built),
                }
            }
            ready.close();
        });
        for _ in 0..lanes.max(1) {
            let done = done.clone();
            scope.spawn(move || {
                while let Some((family, (index, built))) = ready.take() {
                    let ended = session.run(hosts[index], built);
                    ready.ended(family);
                    // The caller listens until the last lane has ended.
                    let _ = done.send((index, ended));
                }
            });
        }
        drop(done);
        for (index, ended) in ended {
            end(session, &mut rows[index], ended);
        }
    });
    evidence::unclaimed(&mut rows, &session.peer.take_reports(|_| true));
    rows
}

/// The rows that are built and not yet taken. One whose browser runs in no other lane goes
/// first: three of one kind want the same things at the same moments.
struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    /// Each with its family.
    waiting: VecDeque<(&'static str, T)>,
    /// The families of those that were taken and have not ended.
    running: Vec<&'static str>,
    closed: bool,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                running: Vec::new(),
                closed: false,
            }),
            changed: Condvar::new(),
        }
    }
}

impl<T> Queue<T> {
    fn push(&self, family: &'static str, row: T) {
        self.lock().waiting.push_back((family, row));
        self.changed.notify_one();
    }

    /// Before all that wait.
    fn push_first(&self, family: &'static str, row: T) {
        self.lock().waiting.push_front((family, row));
        self.changed.notify_one();
    }

    /// There will be no more.
    fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Waits for a row; none if there will be no more.
    fn take(&self) -> Option<(&'static str, T)> {
        let mut state = self.lock();
        loop {
            let State {
                waiting, running, ..
            } = &*state;
            let other = |(family, _): &(&'static str, T)| !running.contains(family);
            let next = waiting.iter().position(other).unwrap_or(0);
            if let Some((family, row)) = state.waiting.remove(next) {
                state.running.push(family);
                return Some((family, row));
            }
            if state.closed {
                return None;
            }
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn ended(&self, family: &str) {
        let running = &mut self.lock().running;
        let place = running.iter().position(|running| *running == family);
        running.swap_remove(place.expect("what ends was taken"));
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The tools of some hosts: those that are built, and the others. Each is one list,
/// because two downloads at a time are no faster, and Debian's tools take turns anyway.
fn of(hosts: &[&'static Host]) -> [Vec<&'static Tool>; 2] {
    let mut known = BTreeSet::new();
    let needs = hosts.iter().flat_map(|host| host.needs.iter().copied());
    let each_once = needs.filter(|tool| known.insert(tool.name));
    let (built, others) = each_once.partition(|tool| tool.is_built());
    [others, built]
}

/// Reads what a host left, and says how it went.
fn end(session: &Session, row: &mut Row, ended: Ended) {
    let host = row.host;
    row.target = match (host.triple(), host.engine) {
        (Some(triple), _) => triple.to_owned(),
        (None, Some(_)) => tools::WASM_TRIPLE.to_owned(),
        (None, None) => session.native.clone(),
    };
    match ended {
        Ended::Missing(missing) => row.note = format!("needs {}", missing.join(", ")),
        Ended::Ran {
            version,
            took,
            problem,
        } => {
            row.version = version;
            row.took = took;
            let file = session.log(host);
            let complaint = session.peer.new_complaints().into_iter().next();
            let text = fs::read_to_string(&file).unwrap_or_default();
            let reports = session.peer.take_reports(|from| from == host.id);
            let reports: Vec<String> = reports.into_iter().map(|(_, line)| line).collect();
            evidence::judge(row, problem, complaint, &text, &reports);
            // Cases that failed are listed at the end.
            if row.verdict == Verdict::Fail && row.failures().next().is_none() {
                match &log::of_failures(&text)[..] {
                    [] => progress::show_tail(&file),
                    lines => progress::show(&file, &lines[..lines.len().min(SHOWN_LINES)]),
                }
            }
        }
    }
    say(row);
}

/// Says how a row went.
fn say(row: &Row) {
    let Counts { passed, failed } = row.counts;
    progress::say(&format!(
        "{:7} {}  {passed}/{} cases, {:.1} s{}{}",
        row.verdict.word(),
        row.host.name,
        passed + failed,
        row.took.as_secs_f64(),
        if row.note.is_empty() { "" } else { "  " },
        row.note
    ));
}

#[cfg(test)]
mod tests {
    use super::{Queue, of};
    use crate::suite::host::called;

    #[test]
    fn rows_of_one_browser_are_taken_one_at_a_time_if_there_are_others() {
        let queue = Queue::default();
        for (number, family) in ["firefox", "firefox", "webkit", "firefox"]
            .iter()
            .enumerate()
        {
            queue.push(family, number);
        }
        queue.push_first("fuzz", 4);
        queue.close();
        let take = || queue.take().map(|(_, number)| number);
        assert_eq!((take(), take(), take()), (Some(4), Some(0), Some(2)));
        // Nothing else is left.
        assert_eq!(take(), Some(1));
        queue.ended("firefox");
        queue.ended("firefox");
        assert_eq!((take(), take()), (Some(3), None));
    }

    #[test]
    fn tools_are_named_once_and_those_that_are_built_apart() {
        let hosts = ["chromium-window", "firefox-window", "chromium-shared"];
        let hosts = hosts.map(|id| called(id).expect("it is a row"));
        let [others, built] = of(&hosts).map(|tools| {
            let names = tools.iter().map(|tool| tool.name);
            names.collect::<Vec<_>>().join(", ")
        });
        let expected = "the wasm32-unknown-unknown target, Chromium with chromedriver, Firefox";
        assert_eq!(others, expected);
        assert_eq!(built, "wasm-bindgen's command-line tools");
    }
}
