//! Noticing that the machine slept or that the process was stopped, and passing that on to
//! all event loops.
//!
//! There are three signs. None of them needs a signal handler or looks at intervals:
//! - There are two clocks: one counts the time asleep, the other does not. The first one has
//!   advanced more than the second. Linux and Android also wake the loop when that happens.
//! - The system woke the loop much later than the loop had asked for. This shows a process
//!   that was stopped (SIGSTOP, a debugger), and a Windows machine that slept. Only waits
//!   count, because a handler that takes long is no sleep.
//! - The system interrupted the shared thread's wait. Linux does so when a stopped process
//!   continues.
//!
//! Invariant: a loop without a heartbeat and without a reconnecting socket reads no clock
//! for this, and has no alarm.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use isosocket_core::HostEvent;

use super::mailbox::Mailbox;
use super::shared;
use crate::system::{self, Alarm, Poll, Token};

/// An interrupted wait shows that the process was stopped only if it lasted this long, because
/// a program may get many signals.
const LONG_WAIT: Duration = Duration::from_secs(1);

/// The loops that programs drive.
static LOCAL: Mutex<Vec<Weak<Mailbox>>> = Mutex::new(Vec::new());

fn local() -> MutexGuard<'static, Vec<Weak<Mailbox>>> {
    LOCAL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Adds a loop that a program drives: `wake_up_all` wakes it, too.
pub(super) fn register(mailbox: &Arc<Mailbox>) {
    let mut local = local();
    local.retain(|mailbox| mailbox.strong_count() > 0);
    local.push(Arc::downgrade(mailbox));
}

/// Wakes all loops of the process.
pub(super) fn wake_up_all() {
    let local: Vec<_> = local().iter().filter_map(Weak::upgrade).collect();
    for mailbox in &local {
        mailbox.wake_up();
    }
    shared::mailbox().wake_up();
}

/// Takes the lock and holds it across a fork, so that it is free in the child.
#[cfg(unix)]
pub(super) fn lock_for_fork() -> impl Sized + 'static {
    local()
}

/// What one loop knows.
#[derive(Default)]
pub(super) struct Watch {
    alarm: Option<Alarm>,
    /// How long the machine had slept when the loop last looked.
    slept: Option<Duration>,
    /// When the loop was last known to be running.
    awake: Option<Instant>,
}

/// One wait of a loop for events.
pub(super) struct Wait {
    /// When the wait had to end.
    pub(super) deadline: Option<Instant>,
    /// When it began, if the loop knows.
    pub(super) began: Option<Instant>,
    pub(super) interrupted: bool,
    /// The alarm rang.
    pub(super) alarmed: bool,
}

impl Watch {
    /// Begins to watch.
    pub(super) fn begin(&mut self, poll: &Poll, alarm: Token) {
        if self.slept.is_none() {
            self.slept = Some(system::slept().unwrap_or_default());
            self.alarm = Alarm::new(poll.registry(), alarm);
        }
    }

    /// Whether it watches.
    pub(super) fn is_on(&self) -> bool {
        self.slept.is_some()
    }

    /// The loop's turn is over. The time until the next one counts as a wait, too.
    pub(super) fn rest(&mut self) {
        self.awake = self.is_on().then(system::now);
    }

    /// Whether the machine or the process woke up in this wait, which ended `now`. `slept`
    /// says how long the machine has slept in all.
    pub(super) fn look(
        &mut self,
        wait: Wait,
        now: Instant,
        slept: impl FnOnce() -> Option<Duration>,
    ) -> bool {
        let Some(before) = self.slept else {
            return false;
        };
        let began = self.awake.or(wait.began).unwrap_or(now);
        let late = wait.deadline.map_or(Duration::ZERO, |deadline| {
            now.saturating_duration_since(deadline.max(began))
        });
        let took = now.saturating_duration_since(began);
        let is_due = wait.deadline.is_some_and(|deadline| deadline <= now);
        let mut has_slept = false;
        if let (Some(alarm), true) = (&self.alarm, wait.alarmed) {
            alarm.reset();
        }
        // Where there is an alarm, the clocks need not be read in each turn.
        if wait.alarmed || is_due || self.alarm.is_none() {
            let total = slept().unwrap_or_default().max(before);
            has_slept = total - before >= HostEvent::LATE;
            self.slept = Some(total);
        }
        has_slept || late >= HostEvent::LATE || (wait.interrupted && took >= LONG_WAIT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A wait from `began` on. It had to end 30 s after that.
    fn wait(began: Instant) -> Wait {
        Wait {
            deadline: Some(began + 30 * SECOND),
            began: Some(began),
            interrupted: false,
            alarmed: false,
        }
    }

    /// A loop of a machine that has slept for 100 s before.
    fn watch() -> Watch {
        Watch {
            slept: Some(100 * SECOND),
            ..Watch::default()
        }
    }

    #[test]
    fn a_machine_that_slept_for_long_is_noticed_once() {
        let start = Instant::now();
        let mut watch = watch();
        let mut look = |slept: f64| {
            let slept = Duration::from_secs_f64(slept);
            watch.look(wait(start), start + SECOND, || Some(slept))
        };
        assert!(!look(100.0));
        assert!(!look(101.9));
        assert!(look(104.0));
        assert!(!look(104.0));
        // The clocks were not read at the same moment.
        assert!(!look(90.0));
        assert!(!look(105.0));
        assert!(look(500.0));
    }

    #[test]
    fn a_loop_that_is_woken_much_too_late_was_stopped() {
        let start = Instant::now();
        let woke_up = |after: Duration| watch().look(wait(start), start + after, || None);
        assert!(!woke_up(29 * SECOND));
        assert!(!woke_up(31 * SECOND));
        assert!(woke_up(32 * SECOND));
        assert!(woke_up(3600 * SECOND));
    }

    #[test]
    fn a_turn_that_takes_long_is_no_sleep() {
        let start = Instant::now();
        let mut watch = watch();
        watch.awake = Some(start + 60 * SECOND);
        assert!(!watch.look(wait(start), start + 61 * SECOND, || None));
        assert!(watch.look(wait(start), start + 62 * SECOND, || None));
    }

    #[test]
    fn only_a_long_wait_that_is_interrupted_says_something() {
        let start = Instant::now();
        let woke_up = |after: Duration| {
            let wait = Wait {
                interrupted: true,
                ..wait(start)
            };
            watch().look(wait, start + after, || None)
        };
        assert!(!woke_up(SECOND / 2));
        assert!(woke_up(SECOND));
    }

    #[test]
    fn a_loop_that_does_not_watch_notices_nothing() {
        let start = Instant::now();
        let late = start + 3600 * SECOND;
        assert!(!Watch::default().look(wait(start), late, || None));
    }
}
