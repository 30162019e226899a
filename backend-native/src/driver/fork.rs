//! Sockets after a fork without exec (S114).
//!
//! The child process has copies of the parent's sockets, but not the thread that serves
//! them. The connections still belong to the parent, so the child must not use them. In the
//! child every inherited socket fails, and a new thread serves new sockets.
//!
//! On systems without `fork` this file is almost empty.

#![allow(
    unsafe_code,
    reason = "pthread_atfork, which registers functions of this file"
)]

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

#[cfg(unix)]
use isosocket_core::Report;
use isosocket_core::{ErrorKind, Link, guard};
use slab::Slab;

use crate::failure::Failure;

/// How many forks lie between this process and the one that made the first socket.
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// The sockets of this process that have not ended, each with the generation that made it.
static SOCKETS: Mutex<Slab<(u32, Link)>> = Mutex::new(Slab::new());

fn sockets() -> MutexGuard<'static, Slab<(u32, Link)>> {
    SOCKETS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A number that a process does not share with those it was forked from.
#[inline]
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Relaxed)
}

/// The shared thread is visiting sockets. During a visit the parts of a connection are not in
/// its slot.
static VISITING: AtomicBool = AtomicBool::new(false);
/// Another thread is about to fork. No visit may begin.
static FORKING: AtomicBool = AtomicBool::new(false);

/// While it exists, the shared thread visits sockets. A fork waits until it is dropped,
/// because a socket that is being visited cannot fail in the child.
pub(super) struct Visits(bool);

impl Visits {
    /// `shared` says whether this is the shared thread.
    #[inline]
    pub(super) fn begin(shared: bool) -> Self {
        if shared {
            VISITING.store(true, Ordering::SeqCst);
            while FORKING.load(Ordering::SeqCst) {
                // Waits for as long as the system takes to fork.
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

/// A socket's entry in the list of those that fail in a forked child, counted from 1.
#[derive(Debug)]
pub(super) struct Registration(Option<NonZeroUsize>);

impl Registration {
    pub(super) fn new(generation: u32, link: &Link) -> Self {
        watch();
        let socket = (generation, link.clone());
        Registration(NonZeroUsize::new(sockets().insert(socket) + 1))
    }

    pub(super) fn remove(&mut self) {
        let Some(key) = self.0.take() else { return };
        let socket = sockets().try_remove(key.get() - 1);
        guard("what a socket owned", || drop(socket));
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
            .filter(|(_, socket)| socket.0 != generation())
            .map(|(key, _)| key)
            .collect();
        inherited
            .into_iter()
            .map(|key| sockets.remove(key).1)
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

    /// From now on this module notices forks.
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

    /// How long a fork waits for the end of a visit. It must not wait for ever, because a
    /// handler may run for long, or wait for the thread that forks.
    const PATIENCE: Duration = Duration::from_millis(100);

    /// Waits until the shared thread visits no socket. This comes before any lock is taken,
    /// because the visit may need that lock.
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
            // The child must not drop the commands that the parent gave its thread, because
            // they may own anything.
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
