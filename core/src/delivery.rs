//! Who listens, and what waits for somebody to listen (S100, S101).
//!
//! A [`Delivery`] belongs to the turn that is under way and to nobody else, so
//! that handlers run outside every lock. What other threads want of it waits
//! in the [`Mail`] until the next event or turn.

use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::events::{Batch, Queue};
use crate::line::Relay;
use crate::{Event, EventKind, MaybeSend};

/// Messages that wait for a first listener, in bytes, beyond which they are
/// dropped as a browser drops what nobody listens for.
const BACKLOG_LIMIT: usize = 1 << 20;

/// A function bound to events of sockets of type `S`.
pub(crate) trait Handler<S>: MaybeSend {
    fn call(&mut self, socket: &S, event: &Event);
}

impl<S, F: FnMut(&S, &Event) + MaybeSend> Handler<S> for F {
    fn call(&mut self, socket: &S, event: &Event) {
        self(socket, event);
    }
}

/// A handler that waits for its socket to exist.
pub(crate) type Bound<S> = (EventKind, Box<dyn Handler<S>>);

pub(crate) struct Slot<S> {
    /// Whether it is still bound; nothing for what cannot be unbound.
    pub(crate) live: Option<Arc<AtomicBool>>,
    pub(crate) handler: Box<dyn Handler<S>>,
}

impl<S> Slot<S> {
    #[inline]
    fn is_live(&self) -> bool {
        let live = self.live.as_ref();
        live.is_none_or(|live| live.load(Ordering::Acquire))
    }
}

/// What was bound since the delivering thread last looked.
pub(crate) struct Mail<S> {
    pub(crate) slots: Vec<(EventKind, Slot<S>)>,
    pub(crate) queues: Vec<Arc<Queue>>,
    /// Streams whose wake hook was set after events had come.
    pub(crate) unannounced: Vec<Arc<Queue>>,
}

impl<S> Default for Mail<S> {
    fn default() -> Self {
        Mail {
            slots: Vec::new(),
            queues: Vec::new(),
            unannounced: Vec::new(),
        }
    }
}

pub(crate) struct Delivery<S> {
    handlers: [Vec<Slot<S>>; 4],
    queues: Vec<(Arc<Queue>, Batch)>,
    backlog: VecDeque<Event>,
    backlog_bytes: usize,
    told_of_loss: bool,
    /// Of a connection inside another transport: where its reports go.
    pub(crate) relay: Option<Box<dyn Relay>>,
    /// `Close` was delivered, so nothing will be again.
    ended: bool,
}

/// A delivery as a turn has it: boxed, because it changes hands twice a turn.
pub(crate) struct Lent<S>(Option<Box<Delivery<S>>>);

impl<S> Lent<S> {
    pub(crate) fn new(delivery: Box<Delivery<S>>) -> Self {
        Lent(Some(delivery))
    }

    /// Ends the loan; nothing can be delivered after that.
    pub(crate) fn give_back(&mut self) -> Option<Box<Delivery<S>>> {
        self.0.take()
    }
}

impl<S> Deref for Lent<S> {
    type Target = Delivery<S>;

    #[inline]
    fn deref(&self) -> &Delivery<S> {
        self.0.as_deref().expect("a turn gives it back at its end")
    }
}

impl<S> DerefMut for Lent<S> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Delivery<S> {
        self.0
            .as_deref_mut()
            .expect("a turn gives it back at its end")
    }
}

impl<S> Default for Delivery<S> {
    fn default() -> Self {
        Delivery {
            handlers: Default::default(),
            queues: Vec::new(),
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
        for (kind, slot) in mail.slots {
            let list = &mut self.handlers[kind as usize];
            // Most lists have one for as long as the socket lives.
            if list.is_empty() {
                list.reserve_exact(1);
            }
            list.push(slot);
        }
        for list in &mut self.handlers {
            list.retain(|slot| slot.is_live());
        }
        self.queues.retain(|(queue, _)| !queue.is_abandoned());
        self.queues.extend(
            mail.queues
                .into_iter()
                .map(|queue| (queue, Batch::default())),
        );
        for queue in mail.unannounced {
            queue.announce();
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
        for slot in &mut self.handlers[kind as usize] {
            // A handler may have unbound a later one.
            if slot.is_live() {
                let call = AssertUnwindSafe(|| slot.handler.call(socket, &event));
                if catch_unwind(call).is_err() {
                    log::error!("a handler for {kind} panicked");
                }
            }
        }
        if let Some(((_, last), others)) = self.queues.split_last_mut() {
            for (_, batch) in others {
                batch.push(event.clone());
            }
            last.push(event);
        }
    }

    /// The oldest kept event for which there is a listener now.
    pub(crate) fn next_kept(&mut self) -> Option<Event> {
        let index = (0..self.backlog.len()).find(|&i| self.has_listener(self.backlog[i].kind()))?;
        let event = self.backlog.remove(index)?;
        if let Event::Message(message) = &event {
            self.backlog_bytes -= message.len();
        }
        Some(event)
    }

    /// Hands what streams shall get to them, and wakes them: once for a turn.
    pub(crate) fn flush(&mut self) {
        for (queue, batch) in &mut self.queues {
            if !batch.is_empty() {
                queue.push(batch);
            }
        }
        if self.ended {
            for (queue, _) in self.queues.drain(..) {
                queue.end();
            }
        }
    }

    /// Whether a stream holds more than `limit` bytes of messages that nobody
    /// took. It then asks the transport to go on once somebody does.
    pub(crate) fn is_backlogged(&self, limit: usize) -> bool {
        self.queues
            .iter()
            .fold(false, |full, (queue, _)| queue.pause_above(limit) || full)
    }

    pub(crate) fn has_backlog(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// After `Close` no handler is called again, so what they own is freed.
    pub(crate) fn drop_handlers(&mut self) {
        self.handlers = Default::default();
    }

    /// After the last handle is dropped there are no more `Open` and `Message`
    /// events (S60, S102). Whether somebody still waits for the end?
    pub(crate) fn abandon(&mut self) -> bool {
        self.drop_relay();
        self.handlers[EventKind::Open as usize].clear();
        self.handlers[EventKind::Message as usize].clear();
        self.backlog.clear();
        self.backlog_bytes = 0;
        !self.queues.is_empty()
            || !self.handlers[EventKind::Error as usize].is_empty()
            || !self.handlers[EventKind::Close as usize].is_empty()
    }

    /// Nothing is relayed any more.
    pub(crate) fn drop_relay(&mut self) {
        if let Some(mut relay) = self.relay.take() {
            relay.end_turn();
        }
    }

    fn has_listener(&self, kind: EventKind) -> bool {
        !self.queues.is_empty() || !self.handlers[kind as usize].is_empty()
    }

    fn keep(&mut self, event: Event) {
        if let Event::Message(message) = &event {
            if self.backlog_bytes + message.len() > BACKLOG_LIMIT {
                if !std::mem::replace(&mut self.told_of_loss, true) {
                    log::warn!("nobody listens for messages: dropping them from now on");
                }
                return;
            }
            self.backlog_bytes += message.len();
        }
        self.backlog.push_back(event);
    }
}
