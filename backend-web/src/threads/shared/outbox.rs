//! Messages that other threads sent on a socket, until the socket's own thread sends them.
//!
//! Invariant: a message is in the buffered amount from the moment `send` takes it until the
//! host has it. If the connection ends before, it stays in the amount (S48, S51).

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use isosocket_core::{ErrorEvent, ErrorKind, Link, Message, MessageRef, Refusal, SharedCell};

use super::{Local, Thread};
use crate::connection::Connection;

/// Both ends: that of the connection, and that of everybody else.
#[derive(Clone)]
pub(crate) struct Outbox(Arc<SharedCell<State>>);

/// The same, as the connection's thread knows it.
pub(super) type Known = Weak<SharedCell<State>>;

pub(super) struct State {
    messages: VecDeque<Message>,
    /// The bytes that were taken and that the host does not have.
    bytes: usize,
    /// What the host had not sent yet when it was asked last.
    seen: usize,
    limit: usize,
    /// Nothing is taken any more.
    closed: bool,
    /// The connection is asked to look.
    asked: bool,
    /// The connection's link, while it has one. Other threads end it if its own has
    /// ended.
    link: Option<Link>,
}

const NO_MEMORY: ErrorEvent = ErrorEvent::of_kind(ErrorKind::OutOfResources);

impl Connection {
    /// Sends what other threads sent, and looks how much is buffered.
    fn serve(&self) {
        if self.flush() {
            self.buffered_amount();
        } else {
            log::error!("the host has no memory for a message that was sent");
            self.give_up(NO_MEMORY);
        }
    }
}

impl Outbox {
    pub(crate) fn new(limit: usize) -> Self {
        Outbox(Arc::new(SharedCell::new(State {
            messages: VecDeque::new(),
            bytes: 0,
            seen: 0,
            limit,
            closed: false,
            asked: false,
            link: None,
        })))
    }

    /// For the connection, on its own thread, which begins.
    pub(crate) fn begin(&self, link: &Link) {
        self.0.with(|state| state.link = Some(link.clone()));
        Thread::current().know(Arc::downgrade(&self.0));
    }

    /// Takes a message of another thread.
    pub(crate) fn send(
        &self,
        message: MessageRef<'_>,
        connection: &Local<Connection>,
    ) -> Result<(), Refusal> {
        let message = message.to_message();
        let taken = self.0.with(|state| {
            if state.closed {
                return Err(Refusal::Closing);
            }
            let buffered = state.seen.saturating_add(state.bytes);
            if buffered > 0 && buffered.saturating_add(message.len()) > state.limit {
                return Err(Refusal::Full); // S54
            }
            state.bytes += message.len();
            state.messages.push_back(message);
            Ok(())
        });
        // Where it is full: what is known of the host may be old.
        if taken != Err(Refusal::Closing) {
            self.ask(connection);
        }
        taken
    }

    /// What is buffered, as far as other threads know, who have it looked at.
    pub(crate) fn amount(&self, connection: &Local<Connection>) -> usize {
        let (seen, bytes) = self.0.with(|state| (state.seen, state.bytes));
        if seen > 0 {
            self.ask(connection);
        }
        seen.saturating_add(bytes)
    }

    /// Takes nothing any more.
    pub(crate) fn refuse(&self) {
        self.0.with(|state| state.closed = true);
    }

    fn ask(&self, connection: &Local<Connection>) {
        if !self
            .0
            .with(|state| std::mem::replace(&mut state.asked, true))
        {
            connection.visit(|connection| connection.serve());
        }
    }

    /// For the connection: sends what is there now; whether the host had room
    /// for it. What the host does not take any more is dropped.
    pub(crate) fn drain(&self, send: impl Fn(&Message) -> Result<(), Refusal>) -> bool {
        let count = self.0.with(|state| {
            state.asked = false;
            state.messages.len()
        });
        for _ in 0..count {
            let Some(message) = self.0.with(|state| state.messages.front().cloned()) else {
                break;
            };
            let sent = send(&message);
            if sent == Err(Refusal::Full) {
                return false;
            }
            self.0.with(|state| {
                state.messages.pop_front();
                if sent.is_ok() {
                    state.bytes -= message.len();
                    state.seen += message.len();
                }
            });
        }
        true
    }

    /// For the connection, which has asked the host: what is buffered in all.
    pub(crate) fn add(&self, amount: usize) -> usize {
        self.0.with(|state| {
            state.seen = amount;
            amount.saturating_add(state.bytes)
        })
    }

    /// Whether other threads may think that more is buffered than is.
    pub(crate) fn is_stale(&self) -> bool {
        self.0.with(|state| state.seen > 0)
    }

    /// For the connection, which has ended.
    pub(crate) fn discard(&self) {
        drop(take(&self.0));
    }
}

/// Ends what a connection shares with other threads. The messages and the link are dropped
/// outside the lock.
pub(super) fn take(outbox: &SharedCell<State>) -> (VecDeque<Message>, Option<Link>) {
    outbox.with(|state| {
        state.closed = true;
        (std::mem::take(&mut state.messages), state.link.take())
    })
}
