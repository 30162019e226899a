//! Whether a test program still gets on: by what it computes, and by how long it waits.
//!
//! Invariant: time in which the machine is busy with others, or in which the program is
//! stopped, does not count. So a slow machine makes no test hang.

use std::fs;
use std::time::Duration;

/// How often a program is looked at.
pub const TICK: Duration = Duration::from_millis(250);
/// What the kernel counts a program's time in.
const CLOCK: Duration = Duration::from_millis(10);

/// How long a program may go on without a sign of life.
#[derive(Clone, Copy)]
pub struct Limit {
    /// How long it may wait.
    pub wait: Duration,
    /// How long it may compute.
    pub compute: Duration,
}

/// Watches a process group. Its first process is `group`.
pub struct Patience {
    group: u32,
    limit: Limit,
    /// What it had computed when it was last looked at.
    latest: Duration,
    /// What it had computed at the last sign of life.
    computed: Duration,
    /// For how many ticks since then none of its threads wanted a processor.
    idle: Duration,
}

impl Patience {
    pub fn new(group: u32, limit: Limit) -> Self {
        Patience {
            group,
            limit,
            latest: Duration::ZERO,
            computed: Duration::ZERO,
            idle: Duration::ZERO,
        }
    }

    /// A test has ended.
    pub fn renew(&mut self) {
        self.latest = look(self.group).0;
        self.computed = self.latest;
        self.idle = Duration::ZERO;
    }

    /// A tick has passed without a test that ended: whether that has been too many.
    pub fn is_over(&mut self) -> bool {
        let (latest, is_busy) = look(self.group);
        self.latest = latest;
        if !is_busy {
            self.idle += TICK;
        }
        let computed = self.latest.saturating_sub(self.computed);
        self.idle > self.limit.wait || computed > self.limit.compute
    }

    /// How long it computed, as far as was seen.
    pub fn computed(&self) -> Duration {
        self.latest
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
        let (wait, compute) = (TICK, TICK);
        let patience = Patience::new(child.0.id(), Limit { wait, compute });
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
