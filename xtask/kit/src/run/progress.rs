//! Running commands while somebody watches: a line that lives on a terminal,
//! a line now and then in a file.
//!
//! Invariant: progress goes to standard error, results to standard output.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{IsTerminal, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::process::{Ended, Invocation};
use super::{times, workspace};

/// How often a run that is not on a terminal says that it is still alive.
const SIGN_OF_LIFE: Duration = Duration::from_secs(60);

/// How much of a terminal's line is used.
const WIDTH: usize = 110;

/// What is running now: its title, and since when.
static RUNNING: Mutex<Vec<(String, Instant)>> = Mutex::new(Vec::new());

/// What was said to begin.
static ANNOUNCED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// When the line on a terminal was drawn last.
static DRAWN: Mutex<Option<Instant>> = Mutex::new(None);

/// As [`run`]. If the command fails, shows the end of the log.
///
/// # Errors
/// As for [`run`].
pub fn run_or_show(
    title: &str,
    command: &Invocation,
    log: &Path,
    limit: Duration,
) -> Result<(), String> {
    run(title, command, log, limit).inspect_err(|_| show_tail(log))
}

/// Runs a command to its end, showing what it is at and how long it may take; its output
/// is added to the log. Several may run at a time.
///
/// # Errors
/// One line saying how it failed: not started, exit status, out of time.
pub fn run(title: &str, command: &Invocation, log: &Path, limit: Duration) -> Result<(), String> {
    let start = Instant::now();
    let live = std::io::stderr().is_terminal();
    let about = times::about(title).filter(|about| about.as_secs() > 1);
    let shown = match about {
        Some(about) => format!("{title} (about {})", rough(about)),
        None => title.to_owned(),
    };
    // A row may have many commands.
    if !live && lock(&ANNOUNCED).insert(shown.clone()) {
        eprintln!("{shown} ..");
    }
    let mut job = command.spawn(log)?;
    lock(&RUNNING).push((shown.clone(), start));
    let mut next_sign = SIGN_OF_LIFE;
    let ended = job.wait(limit, || {
        if live {
            draw();
        } else if start.elapsed() >= next_sign {
            next_sign += SIGN_OF_LIFE;
            let seconds = start.elapsed().as_secs();
            eprintln!("{shown} .. {seconds} s  {}", tail(log, 1).trim());
        }
    });
    lock(&RUNNING).retain(|running| *running != (shown.clone(), start));
    times::took(title, start.elapsed());
    match ended {
        Ended::Exited(status) if status.success() => Ok(()),
        // The log has the whole command.
        Ended::Exited(status) => Err(format!("{status} from {}", command.program())),
        Ended::TimedOut => Err(format!(
            "{} was not finished after {} s",
            command.program(),
            limit.as_secs(),
        )),
        Ended::Lost(error) => Err(format!("lost {}: {error}", command.program())),
    }
}

/// Draws what is running on the terminal's last line, a few times a second.
fn draw() {
    let mut drawn = lock(&DRAWN);
    if drawn.is_some_and(|drawn| drawn.elapsed() < Duration::from_millis(200)) {
        return;
    }
    *drawn = Some(Instant::now());
    let running = lock(&RUNNING);
    let part =
        |(title, start): &(String, Instant)| format!("{title} {} s", start.elapsed().as_secs());
    let parts: Vec<String> = running.iter().map(part).collect();
    let line: String = parts.join(" | ").chars().take(WIDTH).collect();
    eprint!("\r\x1b[2K{line}");
    let _ = std::io::stderr().flush();
}

/// A time in few words: `40 s`, `2.5 min`.
pub fn rough(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds < 100 => format!("{seconds} s"),
        seconds => format!("{:.1} min", seconds as f64 / 60.0),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says something that stays, below or above what lives on a terminal.
pub fn say(line: &str) {
    match std::io::stderr().is_terminal() {
        true => eprintln!("\r\x1b[2K{line}"),
        false => eprintln!("{line}"),
    }
}

/// Prints the end of a log, for whoever must find out what went wrong.
pub fn show_tail(log: &Path) {
    show(log, &tail(log, 40).lines().collect::<Vec<_>>());
}

/// Prints some lines of a log.
pub fn show(log: &Path, lines: &[&str]) {
    say(&format!("--- from {}", workspace::relative(log)));
    for line in lines {
        eprintln!("| {line}");
    }
    eprintln!("---");
}

/// The last lines of a file, read from its last 16 KiB only.
pub fn tail(log: &Path, count: usize) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(16 * 1024)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
