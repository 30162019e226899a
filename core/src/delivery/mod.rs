//! The listeners of a socket, and the events that are kept until somebody listens
//! (S100, S101).
//!
//! While a turn is under way, it owns the [`Delivery`]. So handlers run outside every
//! lock. Requests of other threads wait in the [`Mail`] until the next event or turn.

pub(crate) mod bind;
pub(crate) mod relay;

use std::collections::VecDeque;
use std::mem;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::base::guard::{drop_guarded, guard, logging};
use crate::base::thin_vec::ThinVec;
use crate::delivery::relay::Relay;
use crate::{CloseEvent, ErrorEvent, Event, EventKind, MaybeSend};

/// A socket whose events are kept while nobody listens.
pub(crate) trait Keeps {
    /// How many bytes of messages are kept.
    fn backlog_limit(&self) -> usize;
}

/// A receiver of events of a socket of type `S`: a handler, or a stream, which collects
/// the events of a turn.
pub(crate) trait Listener<S>: MaybeSend {
    fn call(&mut self, socket: &S, event: &Event);

    /// The same for the last listener that wants the event: it gets the value.
    fn take(&mut self, socket: &S, event: Event) {
        self.call(socket, &event);
    }

    /// The turn ends, or somebody asked for what waits.
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

/// The events that a listener wants.
#[derive(Clone, Copy)]
pub(crate) enum Interest {
    /// The events of one kind.
    Kind(EventKind),
    /// All events.
    All,
    /// To be flushed once.
    Flush,
}

/// A listener, until it is unbound.
pub(crate) struct Slot<S> {
    /// Whether it is still bound. `None` if it can never be unbound.
    pub(crate) live: Option<Arc<AtomicBool>>,
    pub(crate) listener: Box<dyn Listener<S>>,
}

/// A listener may own anything of the program, whose destructor may panic.
impl<S> Drop for Slot<S> {
    fn drop(&mut self) {
        let listener = mem::replace(&mut self.listener, Box::new(Nobody));
        drop_guarded("a handler", listener);
    }
}

/// Takes the place of a listener that is dropped. It takes no memory.
struct Nobody;

impl<S> Listener<S> for Nobody {
    fn call(&mut self, _: &S, _: &Event) {}
}

impl<S> Slot<S> {
    #[inline]
    fn is_live(&self) -> bool {
        let live = self.live.as_ref();
        live.is_none_or(|live| live.load(Ordering::Acquire))
    }
}

/// The listeners that were bound since the delivering thread last looked.
pub(crate) type Mail<S> = Vec<(Interest, Slot<S>)>;

/// Where mail waits.
pub(crate) type Mailbox<S> = ThinVec<(Interest, Slot<S>)>;

pub(crate) struct Delivery<S> {
    listeners: Listeners<S>,
    /// Boxed, and there while events wait for somebody to listen.
    backlog: Option<Box<Backlog>>,
    told_of_pause: bool,
    /// Of a connection inside another transport: where its reports go.
    pub(crate) relay: Option<Box<dyn Relay>>,
    /// `Close` was delivered, so nothing will be again.
    ended: bool,
}

/// Events that wait for a first listener.
#[derive(Default)]
struct Backlog {
    events: VecDeque<Event>,
    bytes: usize,
    /// How many messages came after these and were dropped.
    dropped: usize,
}

/// There is a list for each kind of event. The last list is for listeners that want all
/// events, which are the streams.
const ALL: usize = EventKind::ALL.len();

/// The listeners. All lists share one vector, because most sockets have only a few
/// listeners, which never change.
struct Listeners<S> {
    slots: Vec<Slot<S>>,
    /// Where in `slots` each list ends, and the next begins.
    ends: [u32; ALL + 1],
}

impl<S> Listeners<S> {
    // Without indexing, here and below: the code of a panic would make pages larger.
    #[inline]
    fn range(&self, list: usize) -> Range<usize> {
        let end = |list| self.ends.get(list).map_or(0, |&end: &u32| end as usize);
        end(list.wrapping_sub(1))..end(list)
    }

    #[inline]
    fn list(&mut self, list: usize) -> &mut [Slot<S>] {
        let range = self.range(list);
        self.slots.get_mut(range).unwrap_or_default()
    }

    /// Whether somebody wants events of this kind.
    #[inline]
    fn want(&self, kind: EventKind) -> bool {
        !self.range(kind as usize).is_empty() || !self.range(ALL).is_empty()
    }

    /// Puts a listener at the end of its list.
    fn add(&mut self, list: usize, slot: Slot<S>) {
        // A short list takes no more memory than it needs.
        if self.slots.len() < 8 {
            self.slots.reserve_exact(1);
        }
        let at = self.range(list).end.min(self.slots.len());
        self.slots.insert(at, slot);
        for end in self.ends.iter_mut().skip(list) {
            *end += 1;
        }
    }

    /// Removes the listeners for which `goes` is true. Its first argument is the number of
    /// the list.
    fn take(&mut self, goes: &dyn Fn(usize, &Slot<S>) -> bool) -> Vec<Slot<S>> {
        let room = Vec::with_capacity(self.slots.len());
        let mut slots = mem::replace(&mut self.slots, room).into_iter();
        let mut taken = Vec::new();
        let mut begin = 0;
        for (list, end) in self.ends.iter_mut().enumerate() {
            let count = *end - mem::replace(&mut begin, *end);
            for slot in slots.by_ref().take(count as usize) {
                match goes(list, &slot) {
                    true => taken.push(slot),
                    false => self.slots.push(slot),
                }
            }
            *end = self.slots.len() as u32;
        }
        taken
    }
}

impl<S> Default for Listeners<S> {
    fn default() -> Self {
        Listeners {
            slots: Vec::new(),
            ends: [0; ALL + 1],
        }
    }
}

impl<S> Default for Delivery<S> {
    fn default() -> Self {
        Delivery {
            listeners: Listeners::default(),
            backlog: None,
            told_of_pause: false,
            relay: None,
            ended: false,
        }
    }
}

impl<S: Keeps> Delivery<S> {
    /// Takes in new listeners, and drops those that left.
    pub(crate) fn absorb(&mut self, mail: Mail<S>) {
        for (interest, mut slot) in mail {
            let list = match interest {
                Interest::Kind(kind) => kind as usize,
                Interest::All => ALL,
                Interest::Flush => {
                    slot.listener.flush();
                    continue;
                }
            };
            self.listeners.add(list, slot);
        }
        if !self.listeners.slots.iter().all(Slot::is_live) {
            drop(self.listeners.take(&|_, slot| !slot.is_live()));
        }
    }

    /// Delivers an event, or keeps it for the first listener (S101). The event is taken if
    /// a stream wants the value.
    #[inline(always)]
    pub(crate) fn deliver(&mut self, socket: &S, event: &mut Event) {
        let kind = event.kind();
        if !self.listeners.want(kind) {
            return self.keep(socket, mem::replace(event, Event::Open));
        }
        self.ended |= kind == EventKind::Close;
        for slot in self.listeners.list(kind as usize) {
            // A handler may have unbound a later one.
            if slot.is_live() {
                guard(name_of_handler(kind), || slot.listener.call(socket, event));
            }
        }
        if let Some((last, others)) = self.listeners.list(ALL).split_last_mut() {
            for slot in others {
                slot.listener.call(socket, event);
            }
            last.listener.take(socket, mem::replace(event, Event::Open));
        }
    }

    /// The same, not inlined, for events that are rare.
    #[inline(never)]
    pub(crate) fn tell(&mut self, socket: &S, mut event: Event) {
        self.deliver(socket, &mut event);
    }

    /// Delivers the kept events that have a listener now, the oldest first. Stops when
    /// mail arrives.
    pub(crate) fn deliver_kept(&mut self, socket: &S, mail: &AtomicBool) {
        let mut passed = Vec::new();
        while let (false, Some(backlog)) = (mail.load(Ordering::SeqCst), &mut self.backlog) {
            let Some(event) = backlog.events.pop_front() else {
                break;
            };
            if self.listeners.want(event.kind()) {
                backlog.bytes -= event.weight();
                self.tell(socket, event);
            } else {
                passed.push(event);
            }
        }
        if let Some(backlog) = &mut self.backlog {
            for event in passed.into_iter().rev() {
                backlog.events.push_front(event);
            }
            if backlog.events.is_empty() && backlog.dropped == 0 {
                self.backlog = None;
            }
        }
    }

    /// Hands the events of this turn to the streams, and wakes each of them once.
    pub(crate) fn flush(&mut self) {
        for slot in self.listeners.list(ALL) {
            slot.listener.flush();
        }
        if self.ended {
            for mut slot in self.listeners.take(&|list, _| list == ALL) {
                slot.listener.end();
            }
        }
    }

    /// Whether a stream holds more than `limit` bytes of messages that nobody has read.
    /// When somebody reads them, the stream asks the transport to go on.
    pub(crate) fn is_backlogged(&mut self, limit: usize) -> bool {
        let mut full = false;
        for slot in self.listeners.list(ALL) {
            full |= slot.listener.pause_above(limit);
        }
        full
    }

    /// Whether a full stream also keeps messages from a handler. True only the first time,
    /// so that the log says it once.
    pub(crate) fn blocks_handlers(&mut self) -> bool {
        let handlers = self.listeners.range(EventKind::Message as usize);
        !handlers.is_empty() && !mem::replace(&mut self.told_of_pause, true)
    }

    pub(crate) fn has_backlog(&self) -> bool {
        self.backlog.is_some()
    }

    /// No handler is called after `Close`. So the handlers are dropped.
    pub(crate) fn drop_handlers(&mut self) {
        self.drop_first(ALL);
    }

    /// The last handle was dropped: there are no more `Open` and `Message` events (S60,
    /// S102). Returns whether somebody still listens for the end.
    pub(crate) fn abandon(&mut self) -> bool {
        self.drop_relay();
        self.drop_first(EventKind::Message as usize + 1);
        self.backlog = None;
        !self.listeners.slots.is_empty()
    }

    /// Drops the handlers for the first kinds of events.
    fn drop_first(&mut self, kinds: usize) {
        if self.listeners.range(kinds - 1).end > 0 {
            drop(self.listeners.take(&|list, _| list < kinds));
        }
        self.listeners.slots.shrink_to_fit();
    }

    /// Drops the relay. Nothing is relayed after this.
    pub(crate) fn drop_relay(&mut self) {
        if let Some(mut relay) = self.relay.take() {
            relay.end_turn();
        }
    }

    #[cold]
    fn keep(&mut self, socket: &S, event: Event) {
        let weight = event.weight();
        let backlog = self.backlog.get_or_insert_default();
        let bytes = backlog.bytes.saturating_add(weight);
        // Only messages count. After the first message that is dropped all others are
        // dropped too, so that the kept messages have no gap.
        if weight > 0 && (backlog.dropped > 0 || bytes > socket.backlog_limit()) {
            backlog.dropped += 1;
            if backlog.dropped == 1 {
                logging(|| log::warn!("nobody listens for messages: dropping them from now on"));
            }
            return;
        }
        backlog.bytes = bytes;
        if backlog.events.is_empty() {
            // Often it stays the only one: `Open`.
            backlog.events.reserve_exact(1);
        }
        backlog.events.push_back(event);
    }

    /// How many messages were dropped. `None` until somebody listens for messages; then
    /// the socket fails.
    pub(crate) fn take_dropped(&mut self) -> Option<usize> {
        if !self.listeners.want(EventKind::Message) {
            return None;
        }
        let dropped = mem::take(&mut self.backlog.as_mut()?.dropped);
        (dropped > 0).then_some(dropped)
    }

    /// Puts the socket's failure behind the kept messages. It replaces an end that nobody
    /// has seen yet.
    pub(crate) fn fail_after_kept(&mut self, error: ErrorEvent) {
        let ended = self.ended;
        let events = &mut self.backlog.get_or_insert_default().events;
        events.retain(|event| matches!(event, Event::Open | Event::Message(_)));
        events.push_back(Event::Error(error));
        // If `Close` was delivered, there is no second one (S97).
        if !ended {
            events.push_back(Event::Close(CloseEvent::abnormal()));
        }
    }
}

/// What a log says panicked.
fn name_of_handler(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Open => "a handler for open",
        EventKind::Message => "a handler for message",
        EventKind::Error => "a handler for error",
        EventKind::Close => "a handler for close",
    }
}
