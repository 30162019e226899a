//! What a fork without exec leaves of the sockets (S114).
//!
//! The child has copies of the parent's sockets, but not the thread that serves
//! them. It must not touch their connections, which are the parent's. So in the
//! child every inherited socket fails, and new sockets get a new thread.
//!
//! Systems without `fork` have nothing of this.

#![allow(
    unsafe_code,
    reason = "pthread_atfork, which registers functions of this file"
)]

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

#[cfg(unix)]
use isosocket_core::Report;
use isosocket_core::{ErrorKind, Link, guard};
use slab::Slab;

use crate::Native;
use crate::failure::Failure;

/// How often this process's line of ancestors forked since the first socket.
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// The sockets of this process that have not ended.
static SOCKETS: Mutex<Slab<Link<Native>>> = Mutex::new(Slab::new());

fn sockets() -> MutexGuard<'static, Slab<Link<Native>>> {
    SOCKETS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells a process from those it was forked from.
#[inline]
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// The shared thread visits sockets, which lend it what they consist of.
static VISITING: AtomicBool = AtomicBool::new(false);
/// Another thread is about to fork, and wants no visit to begin.
static FORKING: AtomicBool = AtomicBool::new(false);

/// While it exists, the shared thread visits sockets. A fork waits for its end,
/// because a socket in the middle of a visit cannot fail in the child.
pub(super) struct Visits(bool);

impl Visits {
    /// `shared` says whether this is the shared thread.
    #[inline]
    pub(super) fn begin(shared: bool) -> Self {
        if shared {
            VISITING.store(true, Ordering::SeqCst);
            while FORKING.load(Ordering::SeqCst) {
                // For as long as the system takes to fork.
                VISITING.store(false, Ordering::SeqCst);
                std::thread::yield_now();
                VISITING.store(true, Ordering::SeqCst);
            }
        }
        Visits(shared)
    }
}

impl Drop for Visits {
    #[inline]
    fn drop(&mut self) {
        if self.0 {
            VISITING.store(false, Ordering::Release);
        }
    }
}

/// Why an inherited socket fails.
pub(super) fn inherited() -> Failure {
    let message = "the process was forked, and the connection belongs to its parent; \
                   open a new socket in the child";
    Failure::new(ErrorKind::Aborted, message)
}

/// A socket's place among those that fail in a forked child.
#[derive(Debug)]
pub(super) struct Registration(Option<usize>);

impl Registration {
    pub(super) fn new(link: &Link<Native>) -> Self {
        watch();
        Registration(Some(sockets().insert(link.clone())))
    }

    pub(super) fn remove(&mut self) {
        let Some(key) = self.0.take() else { return };
        let link = sockets().try_remove(key);
        guard("what a socket owned", || drop(link));
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Fails the sockets that were made before the fork.
#[cfg(unix)]
fn fail_inherited() {
    let links: Vec<_> = {
        let mut sockets = sockets();
        let inherited: Vec<usize> = sockets
            .iter()
            .filter(|(_, link)| link.transport().is_inherited())
            .map(|(key, _)| key)
            .collect();
        inherited
            .into_iter()
            .map(|key| sockets.remove(key))
            .collect()
    };
    for link in links {
        guard("a handler", || {
            if let Some(mut turn) = link.turn() {
                turn.report(Report::Failed(inherited().into_event()));
            }
        });
        guard("what a socket owned", || drop(link));
    }
}

#[cfg(unix)]
pub(super) use unix::watch;

/// Nothing forks here.
#[cfg(not(unix))]
pub(super) fn watch() {}

#[cfg(unix)]
mod unix {
    use std::any::Any;
    use std::cell::RefCell;
    use std::sync::Once;
    use std::time::{Duration, Instant};

    use super::super::mailbox::{Call, Command};
    use super::super::{current, shared, waking};
    use super::*;

    thread_local! {
        /// The locks that are held across a fork, so that the child finds them free.
        static HELD: RefCell<Vec<Box<dyn Any>>> = const { RefCell::new(Vec::new()) };
    }

    /// From now on forks are noticed.
    pub(crate) fn watch() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            // SAFETY: the functions are `extern "C"`, never unwind, and live for
            // as long as the process does.
            let failed =
                unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
            debug_assert_eq!(failed, 0);
        });
    }

    /// How long a fork waits for the end of a visit: a handler may run for long,
    /// or wait for the very thread that forks.
    const PATIENCE: Duration = Duration::from_millis(100);

    /// Waits until the shared thread visits no socket. Before any lock is taken,
    /// because the visit may need it.
    fn hold_visits() {
        if current::drives(shared::mailbox()) {
            // This is the shared thread, inside a handler.
            return;
        }
        FORKING.store(true, Ordering::SeqCst);
        let end = Instant::now() + PATIENCE;
        while VISITING.load(Ordering::SeqCst) && Instant::now() < end {
            std::thread::yield_now();
        }
    }

    extern "C" fn before() {
        guard("preparing a fork", || {
            hold_visits();
            let locks: [Box<dyn Any>; 3] = [
                Box::new(shared::mailbox().lock_for_fork()),
                Box::new(sockets()),
                Box::new(waking::lock_for_fork()),
            ];
            let _ = HELD.try_with(|held| held.borrow_mut().extend(locks));
        });
    }

    fn release_locks() {
        FORKING.store(false, Ordering::SeqCst);
        let _ = HELD.try_with(|held| held.borrow_mut().clear());
    }

    extern "C" fn in_parent() {
        guard("a fork", release_locks);
    }

    extern "C" fn in_child() {
        guard("a fork", || {
            GENERATION.fetch_add(1, Ordering::SeqCst);
            release_locks();
            if current::drives(shared::mailbox()) {
                // A handler has forked, so this is the child's shared thread. It
                // notices that at its next turn.
                return;
            }
            VISITING.store(false, Ordering::SeqCst);
            // What the parent asked of its thread is not for the child to drop
            // here: it may own anything.
            let asked = shared::mailbox().after_fork(None);
            let is_empty = sockets().is_empty();
            if is_empty {
                std::mem::forget(asked);
                return;
            }
            let call = Call::new(move || {
                fail_inherited();
                std::mem::forget(asked);
            });
            shared::mailbox().submit(Command::Call(call));
        });
    }
}
