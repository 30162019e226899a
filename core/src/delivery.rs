//! Who listens, and what waits for somebody to listen (S100, S101).
//!
//! A [`Delivery`] belongs to the turn that is under way and to nobody else, so
//! that handlers run outside every lock. What other threads want of it waits
//! in the [`Mail`] until the next event or turn.

use std::collections::VecDeque;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::line::Relay;
use crate::{Event, EventKind, MaybeSend};

/// Messages that wait for a first listener, in bytes, beyond which they are
/// dropped as a browser drops what nobody listens for.
const BACKLOG_LIMIT: usize = 1 << 20;

/// Who gets events of sockets of type `S`: a bound function, or a stream, which
/// gathers what comes in a turn.
pub(crate) trait Listener<S>: MaybeSend {
    fn call(&mut self, socket: &S, event: &Event);

    /// The same for the last that wants the event.
    fn take(&mut self, socket: &S, event: Event) {
        self.call(socket, &event);
    }

    /// The turn ends, or somebody asked to be told what waits.
    fn flush(&mut self) {}

    /// `Close` was delivered.
    fn end(&mut self) {}

    /// See [`Delivery::is_backlogged`].
    fn pause_above(&mut self, _limit: usize) -> bool {
        false
    }
}

impl<S, F: FnMut(&S, &Event) + MaybeSend> Listener<S> for F {
    fn call(&mut self, socket: &S, event: &Event) {
        self(socket, event);
    }
}

/// What a listener wants.
#[derive(Clone, Copy)]
pub(crate) enum Wish {
    /// The events of one kind.
    Kind(EventKind),
    /// All events.
    All,
    /// To be flushed once.
    Flush,
}

/// A listener, as long as it wants to be one.
pub(crate) struct Slot<S> {
    /// Whether it is still bound; nothing for what cannot be unbound.
    pub(crate) live: Option<Arc<AtomicBool>>,
    pub(crate) listener: Box<dyn Listener<S>>,
}

impl<S> Slot<S> {
    #[inline]
    fn is_live(&self) -> bool {
        let live = self.live.as_ref();
        live.is_none_or(|live| live.load(Ordering::Acquire))
    }
}

/// What was bound since the delivering thread last looked.
pub(crate) type Mail<S> = Vec<(Wish, Slot<S>)>;

pub(crate) struct Delivery<S> {
    /// For each kind of events, and last those who want all.
    listeners: [Vec<Slot<S>>; ALL + 1],
    backlog: VecDeque<Event>,
    backlog_bytes: usize,
    told_of_loss: bool,
    /// Of a connection inside another transport: where its reports go.
    pub(crate) relay: Option<Box<dyn Relay>>,
    /// `Close` was delivered, so nothing will be again.
    ended: bool,
}

/// The list of those who want all events: what streams do.
const ALL: usize = EventKind::ALL.len();

impl<S> Default for Delivery<S> {
    fn default() -> Self {
        Delivery {
            listeners: Default::default(),
            backlog: VecDeque::new(),
            backlog_bytes: 0,
            told_of_loss: false,
            relay: None,
            ended: false,
        }
    }
}

impl<S> Delivery<S> {
    /// Takes in new listeners and lets go of the ones that left.
    pub(crate) fn absorb(&mut self, mail: Mail<S>) {
        for (wish, mut slot) in mail {
            let list = match wish {
                Wish::Kind(kind) => kind as usize,
                Wish::All => ALL,
                Wish::Flush => {
                    slot.listener.flush();
                    continue;
                }
            };
            if let Some(list) = self.listeners.get_mut(list) {
                // Most lists have one for as long as the socket lives.
                if list.is_empty() {
                    list.reserve_exact(1);
                }
                list.push(slot);
            }
        }
        for list in &mut self.listeners {
            list.retain(Slot::is_live);
        }
    }

    /// Delivers an event, or keeps it for the first that will listen (S101).
    #[inline(always)]
    pub(crate) fn deliver(&mut self, socket: &S, event: Event) {
        let kind = event.kind();
        if !self.has_listener(kind) {
            return self.keep(event);
        }
        self.ended |= kind == EventKind::Close;
        for slot in &mut self.listeners[kind as usize] {
            // A handler may have unbound a later one.
            if slot.is_live() {
                let call = AssertUnwindSafe(|| slot.listener.call(socket, &event));
                if catch_unwind(call).is_err() {
                    log::error!("a handler for {kind} panicked");
                }
            }
        }
        if let Some((last, others)) = self.listeners[ALL].split_last_mut() {
            for slot in others {
                slot.listener.call(socket, &event);
            }
            last.listener.take(socket, event);
        }
    }

    /// The same where it is not done all the time: one body for all who do.
    #[inline(never)]
    pub(crate) fn tell(&mut self, socket: &S, event: Event) {
        self.deliver(socket, event);
    }

    /// Delivers the kept events for which there is a listener now, oldest first,
    /// until there is mail.
    pub(crate) fn deliver_kept(&mut self, socket: &S, mail: &AtomicBool) {
        let mut passed = Vec::new();
        while !mail.load(Ordering::SeqCst) {
            let Some(event) = self.backlog.pop_front() else {
                break;
            };
            if self.has_listener(event.kind()) {
                self.backlog_bytes -= event.weight();
                self.tell(socket, event);
            } else {
                passed.push(event);
            }
        }
        for event in passed.into_iter().rev() {
            self.backlog.push_front(event);
        }
    }

    /// Hands what streams shall get to them, and wakes them: once for a turn.
    pub(crate) fn flush(&mut self) {
        for slot in &mut self.listeners[ALL] {
            slot.listener.flush();
        }
        if self.ended {
            for mut slot in mem::take(&mut self.listeners[ALL]) {
                slot.listener.end();
            }
        }
    }

    /// Whether a stream holds more than `limit` bytes of messages that nobody
    /// took. It then asks the transport to go on once somebody does.
    pub(crate) fn is_backlogged(&mut self, limit: usize) -> bool {
        let mut full = false;
        for slot in &mut self.listeners[ALL] {
            full |= slot.listener.pause_above(limit);
        }
        full
    }

    pub(crate) fn has_backlog(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// After `Close` no handler is called again, so what they own is freed.
    pub(crate) fn drop_handlers(&mut self) {
        self.drop_first(ALL);
    }

    /// After the last handle is dropped there are no more `Open` and `Message`
    /// events (S60, S102). Whether somebody still waits for the end?
    pub(crate) fn abandon(&mut self) -> bool {
        self.drop_relay();
        self.drop_first(EventKind::Message as usize + 1);
        self.backlog = VecDeque::new();
        self.backlog_bytes = 0;
        self.listeners.iter().any(|list| !list.is_empty())
    }

    /// Drops the handlers for the first kinds of events.
    fn drop_first(&mut self, kinds: usize) {
        for list in self.listeners.iter_mut().take(kinds) {
            *list = Vec::new();
        }
    }

    /// Nothing is relayed any more.
    pub(crate) fn drop_relay(&mut self) {
        if let Some(mut relay) = self.relay.take() {
            relay.end_turn();
        }
    }

    fn has_listener(&self, kind: EventKind) -> bool {
        !self.listeners[ALL].is_empty() || !self.listeners[kind as usize].is_empty()
    }

    fn keep(&mut self, event: Event) {
        let weight = event.weight();
        let bytes = self.backlog_bytes + weight;
        // Only messages can be too much.
        if bytes > BACKLOG_LIMIT && weight > 0 {
            if !mem::replace(&mut self.told_of_loss, true) {
                log::warn!("nobody listens for messages: dropping them from now on");
            }
            return;
        }
        self.backlog_bytes = bytes;
        self.backlog.push_back(event);
    }
}
