//! Calls the program's code through a frame of JavaScript that catches whatever
//! is thrown: a JavaScript exception, and the trap of a panic that aborts.
//!
//! Without that frame, the exception would skip the Rust frames between. They would never be
//! cleaned up, and neither would the turn that they own: the socket would never deliver again
//! (S100), and each exception would use up some of the stack for ever.
//!
//! Invariant: nothing that is called through here can throw out of the library.

#![allow(
    unsafe_code,
    reason = "a closure that is called at once is lent through a thread-local"
)]

use std::cell::{Cell, OnceCell};
use std::mem;

use isosocket_core::is_used;

use crate::js::{self, Listener};
use crate::microtask::Woken;

type Call<'a> = &'a mut dyn FnMut();

thread_local! {
    /// What the frame of JavaScript is to call. Only set during [`through`].
    static LENT: Cell<Option<Call<'static>>> = const { Cell::new(None) };
    static FRAME: OnceCell<Listener> = const { OnceCell::new() };
    static IS_CALLING: Cell<bool> = const { Cell::new(false) };
}

/// Has core guard all calls of the program's code this way.
pub(crate) fn install() {
    static THROUGH: isosocket_core::Catch = through;
    isosocket_core::catch_with(&THROUGH);
}

/// Whether a call of the program's code is under way on this thread. Only asked for tasks, so
/// only a page with tasks keeps it.
pub(crate) fn is_calling() -> bool {
    IS_CALLING.try_with(Cell::get).unwrap_or(true)
}

/// Returns what it was before.
fn set_calling(is_calling: bool) -> bool {
    let set = |place: &Cell<bool>| place.replace(is_calling);
    is_used::<Woken>() && IS_CALLING.try_with(set).unwrap_or(true)
}

/// Calls `f`, and returns even if `f` throws. The host then hears of the
/// exception as if a listener of its own had thrown it.
fn through(f: Call<'_>) {
    // SAFETY: `f` is called before this function returns, or not at all: it is
    // taken out before it is called, and taken back below.
    let lent = unsafe { mem::transmute::<Call<'_>, Call<'static>>(f) };
    let _ = LENT.try_with(|place| place.set(Some(lent)));
    let was_calling = set_calling(true);
    // Not by `with`, whose panic brings the machinery of formatting.
    let returned = FRAME.try_with(|frame| {
        if frame.get().is_none() {
            let _ = frame.set(js::listener(|_| {
                if let Ok(Some(f)) = LENT.try_with(Cell::take) {
                    f();
                }
            }));
        }
        frame.get().map_or(Ok(()), |frame| js::call(frame.as_ref()))
    });
    set_calling(was_calling);
    let _ = LENT.try_with(Cell::take);
    if let Ok(Err(thrown)) = returned {
        js::report(&thrown);
    }
}
