//! The workloads for clients that call a handler.
//!
//! Invariant: the same steps as in `pull`.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use futures_channel::oneshot;
use js_sys::Promise;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;

use crate::payload::Payload;
use crate::{Drive, Outcome, Socket, to_js};

/// A client's socket, as far as the workloads go.
pub trait Push: Sized + 'static {
    /// Calls the constructor; the handlers are called later, `on_message` with
    /// the message's length.
    fn open(
        url: &str,
        on_open: impl Fn() + 'static,
        on_message: impl Fn(usize) + 'static,
    ) -> Outcome<Self>;

    /// Sends one message in the way the crate calls sending.
    fn send(&self, payload: &Payload);
}

pub fn open<S: Push>(url: String) -> Promise {
    future_to_promise(async move {
        let (sender, opened) = oneshot::channel();
        let sender = Cell::new(Some(sender));
        let state = Rc::new(State::<S>::default());
        let messages = state.clone();
        let on_open = move || {
            if let Some(sender) = sender.take() {
                // Only who dropped the receiver could have lost interest.
                let _ = sender.send(());
            }
        };
        let socket =
            S::open(&url, on_open, move |length| messages.on_message(length)).map_err(to_js)?;
        let _ = state.socket.set(socket);
        opened
            .await
            .map_err(|_| JsValue::from_str("it never opened"))?;
        Ok(Socket(Box::new(Driver(state))).into())
    })
}

/// What the handler and the workloads share.
struct State<S> {
    socket: OnceCell<S>,
    size: Cell<usize>,
    /// How many messages are still to come.
    left: Cell<u32>,
    /// What is sent for each that came, but for the last.
    answer: RefCell<Option<Payload>>,
    done: RefCell<Option<oneshot::Sender<bool>>>,
}

impl<S> Default for State<S> {
    fn default() -> Self {
        State {
            socket: OnceCell::new(),
            size: Cell::new(0),
            left: Cell::new(0),
            answer: RefCell::default(),
            done: RefCell::default(),
        }
    }
}

impl<S: Push> State<S> {
    fn on_message(&self, length: usize) {
        let left = self.left.get().wrapping_sub(1);
        self.left.set(left);
        if left == 0 || length != self.size.get() {
            if let Some(done) = self.done.take() {
                let _ = done.send(left == 0);
            }
        } else if let (Some(payload), Some(socket)) = (&*self.answer.borrow(), self.socket.get()) {
            socket.send(payload);
        }
    }
}

struct Driver<S>(Rc<State<S>>);

impl<S: Push> Driver<S> {
    /// Begins, and waits for this many messages of this size.
    fn run(&self, count: u32, size: u32, begin: impl FnOnce(&S)) -> Promise {
        let (sender, done) = oneshot::channel();
        let state = &self.0;
        state.size.set(size as usize);
        state.left.set(count);
        state.done.replace(Some(sender));
        if let Some(socket) = state.socket.get() {
            begin(socket);
        }
        future_to_promise(async move {
            match done.await {
                Ok(true) => Ok(JsValue::UNDEFINED),
                _ => Err(JsValue::from_str("a message of another length came")),
            }
        })
    }
}

impl<S: Push> Drive for Driver<S> {
    fn ping(&self, count: u32, size: u32, text: bool) -> Promise {
        let payload = Payload::new(size, text);
        self.0.answer.replace(Some(payload.clone()));
        self.run(count, size, |socket| socket.send(&payload))
    }

    fn send(&self, count: u32, size: u32, text: bool) -> Promise {
        let payload = Payload::new(size, text);
        self.0.answer.take();
        self.run(1, 1, |socket| {
            socket.send(&Payload::swallow(count));
            for _ in 0..count {
                socket.send(&payload);
            }
        })
    }

    fn receive(&self, count: u32, size: u32) -> Promise {
        self.0.answer.take();
        self.run(count, size, |socket| {
            socket.send(&Payload::blast(count, size));
        })
    }
}
