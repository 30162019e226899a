//! A program whose threads share memory: wasm with atomics, in workers.
//!
//! Invariant: a thread does the jobs that it was given in the order in which they came, and
//! outside every turn. Nothing here blocks.

mod due;
mod end;
mod inbox;
mod jobs;
mod outbox;

use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::sync::Arc;

use isosocket_fragile::Fragile;
use wasm_bindgen::prelude::*;

use crate::js::{Payload, TextEncoder, Uint8Array};
use crate::memory::Memory;
use crate::microtask::{Call, Job};

pub(crate) use due::Due;
pub(crate) use inbox::Thread;
pub(crate) use outbox::Outbox;

/// A ticket to a value that stays on its thread, and is dropped there.
pub(crate) struct Local<T: 'static>(Arc<Ticket<T>>);

struct Ticket<T: 'static> {
    /// `None` only while it is dropped.
    value: Option<Fragile<Rc<T>>>,
    thread: Thread,
}

impl<T> Local<T> {
    pub(crate) fn new(value: T) -> Self {
        Local(Arc::new(Ticket {
            value: Some(Fragile::new(Rc::new(value))),
            thread: Thread::current(),
        }))
    }

    /// The value; `None` on another thread.
    #[inline]
    pub(crate) fn get(&self) -> Option<&Rc<T>> {
        self.0.value.as_ref()?.try_get().ok()
    }

    /// Calls `f` with the value, on its thread: at once, or soon if that is
    /// another one.
    pub(crate) fn visit(&self, f: impl FnOnce(&Rc<T>) + Send + 'static) {
        match self.get() {
            Some(value) => f(value),
            None => self.visit_after(f),
        }
    }

    /// The same, and after all that other threads have asked for by now.
    pub(crate) fn visit_after(&self, f: impl FnOnce(&Rc<T>) + Send + 'static) {
        let ticket = self.clone();
        let visit = move || {
            if let Some(value) = ticket.get() {
                f(value);
            }
        };
        self.thread().queue(Job::Call(Box::new(visit)));
    }

    /// The value's thread.
    pub(crate) fn thread(&self) -> &Thread {
        &self.0.thread
    }
}

impl<T> Clone for Local<T> {
    fn clone(&self) -> Self {
        Local(self.0.clone())
    }
}

/// A copy of a value for other threads.
pub(crate) struct Elsewhere<T>(T);

impl<T: Copy> Elsewhere<T> {
    pub(crate) fn new(value: impl FnOnce() -> T) -> Self {
        Elsewhere(value())
    }

    pub(crate) fn get(&self) -> Option<T> {
        Some(self.0)
    }
}

impl<T> Drop for Ticket<T> {
    fn drop(&mut self) {
        if let Some(value) = self.value.take_if(|value| !value.is_valid()) {
            // If that thread has ended, nobody can free what it had.
            let value = ManuallyDrop::new(value);
            let free = move || {
                if value.is_valid() {
                    drop(ManuallyDrop::into_inner(value));
                }
            };
            self.thread.push(Job::Call(Box::new(free)));
        }
    }
}

impl Thread {
    /// Calls a task on this thread: at once, or soon if that is another one.
    pub(crate) fn call(&self, task: Box<dyn Call>) {
        match self.is_current() {
            true => task.call(),
            false => self.push(Job::Call(task)),
        }
    }
}

#[wasm_bindgen]
extern "C" {
    // web-sys encodes strings of Rust only.
    #[wasm_bindgen(js_name = TextEncoder)]
    type Encoder;

    #[wasm_bindgen(method)]
    fn encode(this: &Encoder, text: &Payload) -> Uint8Array;
}

/// The text's UTF-8, by way of a buffer of JavaScript: hosts do not all encode
/// into shared memory.
pub(crate) fn encode(encoder: &TextEncoder, memory: &Memory, data: &Payload, _: usize) -> Vec<u8> {
    let encoder: &Encoder = encoder.unchecked_ref();
    memory.to_vec(&encoder.encode(data))
}
