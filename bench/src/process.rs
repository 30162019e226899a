//! What the kernel says about this process (Linux).

use std::fs;

use crate::job::Outcome;

/// Keeps this process on one core, so that the kernel's choice of cores is no
/// part of the result: client and server take turns, like one program.
pub fn pin(core: usize) -> bool {
    core_affinity::set_for_current(core_affinity::CoreId { id: core })
}

/// Lets the process have as many sockets as it may.
pub fn raise_file_limit() {
    // What it could not raise shows when a socket cannot be opened.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
}

/// Resident memory in bytes.
pub fn resident() -> Outcome<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    Ok(field(&status, "VmRSS:").ok_or("no VmRSS")? as f64 * 1024.0)
}

/// The threads of this process in addition to the main one, and how often they went
/// to sleep of their own will.
pub fn other_threads() -> Outcome<(usize, u64)> {
    let main = std::process::id().to_string();
    let (mut threads, mut switches) = (0, 0);
    for task in fs::read_dir("/proc/self/task")? {
        let task = task?;
        if task.file_name().to_str() == Some(&main) {
            continue;
        }
        // A thread may end between the two calls.
        if let Ok(status) = fs::read_to_string(task.path().join("status")) {
            threads += 1;
            switches += field(&status, "voluntary_ctxt_switches:").unwrap_or(0);
        }
    }
    Ok((threads, switches))
}

fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find(|line| line.starts_with(name))?;
    line[name.len()..].split_whitespace().next()?.parse().ok()
}
