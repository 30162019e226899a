//! What the system says about this process. Linux only: elsewhere all figures are 0.

use std::fmt;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::allocated;

/// What the process has at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Resident memory, in bytes.
    pub memory: u64,
    /// What the program has allocated and not freed, in bytes. Some of it was never touched,
    /// so it may be more than the resident memory.
    pub allocated: u64,
    /// Open descriptors.
    pub descriptors: u64,
    pub threads: u64,
    /// How often threads other than the main one have gone to sleep, since they began.
    pub sleeps: u64,
    /// Processor time since the process began, in milliseconds.
    pub processor: u64,
}

impl Process {
    pub fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let (threads, sleeps) = threads();
        Process {
            memory: field(&status, "VmRSS:") << 10,
            allocated: allocated::bytes(),
            // One of them is the folder that is being read.
            descriptors: entries("/proc/self/fd").saturating_sub(1),
            threads,
            sleeps,
            processor: processor(),
        }
    }

    /// Waits until there are as few descriptors and threads as before, or for so long.
    pub fn when_like(before: &Process, limit: Duration) -> Self {
        let begin = Instant::now();
        loop {
            let now = Process::now();
            let is_like = now.descriptors <= before.descriptors && now.threads <= before.threads;
            if is_like || begin.elapsed() > limit {
                return now;
            }
            thread::yield_now();
        }
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Process {
            memory,
            allocated,
            descriptors,
            threads,
            ..
        } = *self;
        write!(
            f,
            "{:.1} MiB of memory, {:.1} MiB allocated, {descriptors} descriptors, \
             {threads} threads",
            mebibytes(memory),
            mebibytes(allocated)
        )
    }
}

pub fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn entries(folder: &str) -> u64 {
    fs::read_dir(folder).map_or(0, |entries| entries.count() as u64)
}

/// How many threads there are, and how often those that serve sockets slept.
fn threads() -> (u64, u64) {
    let main = std::process::id().to_string();
    let (mut threads, mut sleeps) = (0, 0);
    for task in fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten()
    {
        threads += 1;
        if task.file_name().to_str() != Some(&main) {
            // A thread may end between the two calls.
            let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
            sleeps += field(&status, "voluntary_ctxt_switches:");
        }
    }
    (threads, sleeps)
}

fn processor() -> u64 {
    /// Linux counts in hundredths of a second for programs, whatever the kernel does.
    const MILLISECONDS: u64 = 10;

    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name in parentheses may have spaces. After it, user and system time are the
    // twelfth and thirteenth fields.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let times = fields.split_whitespace().skip(11).take(2);
    times
        .filter_map(|text| text.parse::<u64>().ok())
        .sum::<u64>()
        * MILLISECONDS
}

fn field(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or(0)
}
