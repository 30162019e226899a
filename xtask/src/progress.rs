//! Running a command while somebody watches: a line that lives on a terminal,
//! a line now and then in a file.
//!
//! Invariant: progress goes to standard error, results to standard output.

use std::fs::File;
use std::io::{IsTerminal, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::process::{Ended, Invocation};
use crate::workspace;

/// How often a run that is not on a terminal says that it is still alive.
const SIGN_OF_LIFE: Duration = Duration::from_secs(30);

/// Runs a command to its end, showing what it is at; its output is added to
/// the log.
///
/// # Errors
/// One line saying how it failed: not started, exit status, out of time.
pub fn run(title: &str, command: &Invocation, log: &Path, limit: Duration) -> Result<(), String> {
    let start = Instant::now();
    let live = std::io::stderr().is_terminal();
    if !live {
        eprintln!("{title} ..");
    }
    let mut job = command.spawn(log)?;
    let mut next_sign = if live { Duration::ZERO } else { SIGN_OF_LIFE };
    let ended = job.wait(limit, || {
        let elapsed = start.elapsed();
        if elapsed < next_sign {
            return;
        }
        let seconds = elapsed.as_secs();
        let last = tail(log, 1);
        if live {
            next_sign = elapsed + Duration::from_millis(200);
            let line: String = format!("{title} .. {seconds} s  {}", last.trim())
                .chars()
                .filter(|c| !c.is_control())
                .take(78)
                .collect();
            eprint!("\r\x1b[2K{line}");
            let _ = std::io::stderr().flush();
        } else {
            next_sign = elapsed + SIGN_OF_LIFE;
            eprintln!("{title} .. {seconds} s  {}", last.trim());
        }
    });
    if live {
        eprint!("\r\x1b[2K");
    }
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

/// Says something that stays, below or above what lives on a terminal.
pub fn say(line: &str) {
    match std::io::stderr().is_terminal() {
        true => eprintln!("\r\x1b[2K{line}"),
        false => eprintln!("{line}"),
    }
}

/// Prints the end of a log, for whoever must find out what went wrong.
pub fn show_tail(log: &Path) {
    eprintln!("--- the end of {}", workspace::relative(log));
    for line in tail(log, 40).lines() {
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
