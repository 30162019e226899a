//! Three facts about the current thread: which event loop it drives, which loop its new
//! sockets belong to, and whether it is inside a turn.
//!
//! They are thread-locals. While a thread ends, they may be destroyed already. Then the
//! answers are: it drives no loop, it has entered no loop, and it is in no turn.

use std::cell::{Cell, RefCell};
use std::ptr;
use std::sync::{Arc, Weak};

use super::local::Local;
use super::mailbox::Mailbox;
use crate::sync::thread_local;

thread_local! {
    /// The loop that this thread drives, by the address of its mailbox.
    static DRIVEN: Cell<*const Mailbox> = const { Cell::new(ptr::null()) };
    /// Whether a turn is under way on this thread. Code of the program that runs then is a
    /// handler, a waker or a wake hook.
    static IN_TURN: Cell<bool> = const { Cell::new(false) };
    /// The loops that this thread has entered, and whether it may drive them. Its new sockets
    /// belong to the last.
    static ENTERED: RefCell<Vec<(Arc<Local>, bool)>> = const { RefCell::new(Vec::new()) };
    /// The loop that this thread has entered or driven last.
    static LAST: RefCell<Weak<Local>> = const { RefCell::new(Weak::new()) };
    /// Its address is different on each thread, so it identifies the thread.
    static MARK: u8 = const { 0 };
}

/// A number that no other living thread has; 0 while the thread ends.
pub(crate) fn thread_mark() -> usize {
    MARK.try_with(|mark| ptr::from_ref(mark).addr())
        .unwrap_or(0)
}

/// Whether a turn is under way on this thread.
pub(crate) fn is_turn() -> bool {
    IN_TURN.try_with(Cell::get).unwrap_or(false)
}

/// Whether this thread drives the loop of this mailbox. Then it looks into the mailbox before
/// it sleeps, and need not be woken.
pub(super) fn drives(mailbox: &Mailbox) -> bool {
    DRIVEN
        .try_with(|driven| ptr::eq(driven.get(), mailbox))
        .unwrap_or(false)
}

/// Whether this thread was the last to drive the local loop of this mailbox.
pub(crate) fn is_driven_here(mailbox: &Mailbox) -> bool {
    mailbox.owner().is_some_and(|owner| owner == thread_mark())
}

/// Whether this thread serves the loop of this mailbox: inside a turn of it, or
/// between two turns of a local loop.
pub(crate) fn serves(mailbox: &Mailbox) -> bool {
    drives(mailbox) || is_driven_here(mailbox)
}

/// While it exists, this thread drives a loop.
pub(super) struct Driving(*const Mailbox);

impl Driving {
    pub(super) fn new(mailbox: &Mailbox) -> Self {
        let before = DRIVEN.try_with(|driven| driven.replace(mailbox));
        Driving(before.unwrap_or(ptr::null()))
    }
}

impl Drop for Driving {
    fn drop(&mut self) {
        let _ = DRIVEN.try_with(|driven| driven.set(self.0));
    }
}

/// While it exists, a turn is under way on this thread.
pub(crate) struct InTurn(bool);

impl InTurn {
    pub(crate) fn new() -> Self {
        InTurn(IN_TURN.try_with(|turn| turn.replace(true)).unwrap_or(false))
    }
}

impl Drop for InTurn {
    fn drop(&mut self) {
        let _ = IN_TURN.try_with(|turn| turn.set(self.0));
    }
}

pub(super) fn enter(local: Arc<Local>, may_drive: bool) {
    let _ = ENTERED.try_with(|entered| entered.borrow_mut().push((local, may_drive)));
}

pub(super) fn leave(local: &Arc<Local>) {
    let left = ENTERED.try_with(|entered| {
        let mut entered = entered.borrow_mut();
        let at = entered
            .iter()
            .rposition(|(known, _)| Arc::ptr_eq(known, local));
        at.map(|at| entered.remove(at))
    });
    drop(left);
}

/// The loop that this thread has entered last.
pub(super) fn entered() -> Option<Arc<Local>> {
    last_entered().map(|(local, _)| local)
}

fn last_entered() -> Option<(Arc<Local>, bool)> {
    let last = ENTERED.try_with(|entered| entered.borrow().last().cloned());
    last.ok().flatten()
}

/// Stores that this thread has used the loop last.
pub(super) fn note(local: &Arc<Local>) {
    let mark = Arc::downgrade(local);
    let _ = LAST.try_with(|last| last.replace(mark));
}

/// The loop that a thread drives while it waits for an event: the loop that it has entered,
/// or otherwise has used last, unless another thread has used that one since.
pub(super) fn own() -> Option<Arc<Local>> {
    let last = || LAST.try_with(|last| last.borrow().upgrade()).ok().flatten();
    let (local, may_drive) = last_entered().or_else(|| Some((last()?, false)))?;
    let is_own = may_drive || is_driven_here(local.mailbox());
    (is_own && !local.is_dropped()).then_some(local)
}
