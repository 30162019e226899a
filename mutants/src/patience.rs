//! Whether a test program still gets on: by what it computes, and by how long it waits.
//!
//! Invariant: time in which the machine is busy with others, or in which the program is
//! stopped, does not count. So a slow machine makes no test hang.

use std::fs;
use std::time::Duration;

/// How often a program is looked at.
pub const TICK: Duration = Duration::from_millis(250);
/// A test computes less than it waits, so for computing the limit is a part of the other one.
const PART: u32 = 3;
/// What the kernel counts a program's time in.
const CLOCK: Duration = Duration::from_millis(10);

/// How long a process group may go on without a sign of life. Its first process is `group`.
pub struct Patience {
    group: u32,
    limit: Duration,
    /// What it had computed at the last sign of life.
    computed: Duration,
    /// For how many ticks since then none of its threads wanted a processor.
    idle: Duration,
}

impl Patience {
    pub fn new(group: u32, limit: Duration) -> Self {
        Patience {
            group,
            limit,
            computed: Duration::ZERO,
            idle: Duration::ZERO,
        }
    }

    /// A test has ended.
    pub fn renew(&mut self) {
        self.computed = look(self.group).0;
        self.idle = Duration::ZERO;
    }

    /// A tick has passed without a test that ended: whether that has been too many.
    pub fn is_over(&mut self) -> bool {
        let (computed, is_busy) = look(self.group);
        if !is_busy {
            self.idle += TICK;
        }
        self.idle > self.limit || computed.saturating_sub(self.computed) > self.limit / PART
    }
}

/// What the processes of a group have computed, and whether a thread of theirs is running,
/// waits for a processor or for the disk, or is stopped.
fn look(group: u32) -> (Duration, bool) {
    let mut computed = Duration::ZERO;
    let mut is_busy = false;
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let path = process.path();
        let Some(process) = Stat::read(&path.join("stat")).filter(|stat| stat.group == group)
        else {
            continue;
        };
        computed += process.computed;
        let threads = fs::read_dir(path.join("task")).into_iter().flatten();
        let mut threads = threads.flatten();
        is_busy |= threads.any(|thread| {
            let stat = Stat::read(&thread.path().join("stat"));
            stat.is_some_and(|stat| !"SIZX".contains(stat.state))
        });
    }
    (computed, is_busy)
}

struct Stat {
    state: char,
    group: u32,
    computed: Duration,
}

impl Stat {
    /// Numbers and letters behind a name in brackets, which may hold anything.
    fn read(path: &std::path::Path) -> Option<Stat> {
        let text = fs::read_to_string(path).ok()?;
        let (_, rest) = text.rsplit_once(')')?;
        let parts: Vec<&str> = rest.split_whitespace().collect();
        let number = |index: usize| parts.get(index)?.parse::<u32>().ok();
        Some(Stat {
            state: parts.first()?.chars().next()?,
            group: number(2)?,
            computed: CLOCK * (number(11)? + number(12)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command};

    struct Group(Child);

    impl Drop for Group {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn start(script: &str) -> (Group, Patience) {
        let mut command = Command::new("sh");
        let child = command.args(["-c", script]).process_group(0).spawn();
        let child = Group(child.expect("there is a shell"));
        let patience = Patience::new(child.0.id(), TICK);
        (child, patience)
    }

    /// Looks until it is over, or a minute of looks has passed.
    fn ends(patience: &mut Patience) -> bool {
        (0..240).any(|_| {
            std::thread::sleep(TICK);
            patience.is_over()
        })
    }

    #[test]
    fn who_waits_and_who_computes_for_ever_is_noticed() {
        for script in ["read line < /dev/zero", "exec sleep 1000"] {
            let (_child, mut patience) = start(script);
            assert!(ends(&mut patience), "{script}");
        }
    }

    #[test]
    fn who_is_stopped_is_not_judged() {
        let (_child, mut patience) = start("kill -STOP $$; exec sleep 1000");
        std::thread::sleep(TICK);
        for _ in 0..6 {
            std::thread::sleep(TICK);
            assert!(!patience.is_over());
        }
    }
}
