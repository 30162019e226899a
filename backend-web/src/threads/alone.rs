//! A program with one thread, as most pages are. The functions for other threads do nothing
//! here.

use std::cell::Cell;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use isosocket_core::{Link, Message, MessageRef, Refusal};
use isosocket_fragile::Fragile;

use crate::connection::Connection;
use crate::js::{Payload, TextEncoder};
use crate::memory::{self, Memory};
use crate::microtask::{self, Call, Job};

/// The one thread.
#[derive(Clone, Debug)]
pub(crate) struct Thread(());

impl Thread {
    pub(crate) fn current() -> Self {
        Thread(())
    }

    /// Runs a job soon, and not inside this call.
    #[inline]
    pub(crate) fn push(&self, job: Job) {
        microtask::push(job);
    }

    /// Another thread could end. There is none.
    #[inline]
    pub(crate) fn attend(&self) {}

    /// Calls a task: at once.
    #[inline]
    pub(crate) fn call(&self, task: Box<dyn Call>) {
        task.call();
    }
}

/// A call that is due later.
pub(crate) struct Due(Cell<Option<Box<dyn Call>>>);

impl Due {
    #[inline]
    pub(crate) fn new(task: Box<dyn Call>, _: &Arc<AtomicBool>, _: impl FnOnce() -> f64) -> Self {
        Due(Cell::new(Some(task)))
    }

    #[inline]
    pub(crate) fn take(&self) -> Option<Box<dyn Call>> {
        self.0.take()
    }
}

/// A value that stays on its thread. `Fragile` only says so to the compiler: on a page it is
/// nothing but the value.
pub(crate) struct Local<T>(Fragile<Rc<T>>);

impl<T> Local<T> {
    pub(crate) fn new(value: T) -> Self {
        Local(Fragile::new(Rc::new(value)))
    }

    /// The value; `None` on another thread, of which there is none.
    #[inline]
    pub(crate) fn get(&self) -> Option<&Rc<T>> {
        // Not `get`, whose panic brings its text and the path of this file.
        self.0.try_get().ok()
    }

    /// Calls `f` with the value, on its thread: at once.
    #[inline]
    pub(crate) fn visit(&self, f: impl FnOnce(&Rc<T>)) {
        if let Some(value) = self.get() {
            f(value);
        }
    }

    /// The same, and after all that other threads have asked for by now.
    #[inline]
    pub(crate) fn visit_after(&self, f: impl FnOnce(&Rc<T>)) {
        self.visit(f);
    }

    /// The value's thread.
    pub(crate) fn thread(&self) -> &Thread {
        &Thread(())
    }
}

impl<T> Clone for Local<T> {
    fn clone(&self) -> Self {
        Local(self.0.clone())
    }
}

/// A copy of a value for other threads: nothing.
pub(crate) struct Elsewhere<T>(PhantomData<T>);

impl<T> Elsewhere<T> {
    #[inline]
    pub(crate) fn new(_: impl FnOnce() -> T) -> Self {
        Elsewhere(PhantomData)
    }

    #[inline]
    pub(crate) fn get(&self) -> Option<T> {
        None
    }
}

/// What other threads sent: nothing, ever.
#[derive(Clone)]
pub(crate) struct Outbox(());

impl Outbox {
    pub(crate) fn new(_limit: usize) -> Self {
        Outbox(())
    }

    #[inline]
    pub(crate) fn begin(&self, _: &Link) {}

    pub(crate) fn send(&self, _: MessageRef<'_>, _: &Local<Connection>) -> Result<(), Refusal> {
        Err(Refusal::Closing)
    }

    pub(crate) fn amount(&self, _: &Local<Connection>) -> usize {
        0
    }

    pub(crate) fn refuse(&self) {}

    #[inline]
    pub(crate) fn drain(&self, _: impl Fn(&Message) -> Result<(), Refusal>) -> bool {
        true
    }

    #[inline]
    pub(crate) fn add(&self, amount: usize) -> usize {
        amount
    }

    #[inline]
    pub(crate) fn is_stale(&self) -> bool {
        false
    }

    #[inline]
    pub(crate) fn discard(&self) {}
}

/// Encodes into a buffer that is right if the text is ASCII. Otherwise the
/// rest of it follows, into as much as that can need.
pub(crate) fn encode(encoder: &TextEncoder, _: &Memory, data: &Payload, units: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(units);
    let read = memory::encode_into(encoder, data, &mut bytes, units);
    // Each unit takes a byte or more: if all were read, all bytes are written.
    if read < units {
        // A UTF-16 unit becomes at most three bytes.
        let rest = data.slice(read as u32, units as u32);
        memory::encode_into(encoder, &rest, &mut bytes, 3 * (units - read));
        bytes.shrink_to_fit();
    }
    bytes
}
