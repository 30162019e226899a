//! The listeners of a socket, and the events that are kept until somebody listens
//! (S100, S101).
//!
//! While a turn is under way, it owns the [`Delivery`]. So handlers run outside every
//! lock. Requests of other threads wait in the [`Mail`] until the next event or turn.

mod backlog;
pub(crate) mod bind;
pub(crate) mod streams;

use std::mem;
use std::sync::Arc;
use std::sync::atomic::AtomicBool as StaticBool;

use crate::base::guard::{drop_guarded, guard};
use crate::base::rare::Rare;
use crate::base::sync::atomic::{AtomicBool, Ordering};
use crate::base::thin_vec::ThinVec;
use crate::delivery::backlog::{Backlog, keep};
use crate::delivery::bind::unbinds;
use crate::delivery::streams::{Join, Streams};
use crate::{CloseEvent, ErrorEvent, Event, EventKind, MaybeSend};

/// A socket that keeps events while nobody listens.
pub(crate) trait Keeps {
    /// How many bytes of messages are kept.
    fn backlog_limit(&self) -> usize;
}

/// A handler for events of a socket of type `S`.
pub(crate) trait Listener<S>: MaybeSend {
    /// Handles an event. To take a message, so that no other listener gets it, a heartbeat's
    /// listener replaces it by another event.
    fn call(&mut self, socket: &S, event: &mut Event);
}

impl<S, F: FnMut(&S, &Event) + MaybeSend> Listener<S> for F {
    fn call(&mut self, socket: &S, event: &mut Event) {
        self(socket, event);
    }
}

/// The events that a handler is for.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Interest {
    Open,
    Message,
    Error,
    Close,
    /// All events, before all other handlers, and as soon as they are reported: for a heartbeat.
    /// Code that adds this or one of the next must call [`use_first`].
    Heartbeat,
    /// The same, for an idle timeout.
    IdleTimeout,
    /// None: the program wants a heartbeat by pings, and this target has no pings.
    NoPings,
    /// None: the program has set a time of zero.
    ZeroTime,
}

impl From<EventKind> for Interest {
    #[inline(always)]
    fn from(kind: EventKind) -> Self {
        match kind {
            EventKind::Open => Interest::Open,
            EventKind::Message => Interest::Message,
            EventKind::Error => Interest::Error,
            EventKind::Close => Interest::Close,
        }
    }
}

/// Whether the program has a handler that comes first.
///
/// A page whose program links no caller of [`use_first`] never writes here. So the
/// optimizer of a whole program removes everything that stands behind [`has_first`].
static HAS_FIRST: StaticBool = StaticBool::new(false);

#[inline(always)]
pub(crate) fn has_first() -> bool {
    HAS_FIRST.load(Ordering::Relaxed)
}

pub(crate) fn use_first() {
    HAS_FIRST.store(true, Ordering::Relaxed);
}

/// Whether a heartbeat or an idle timeout of core's may ask a transport when there was a
/// last sign of life.
#[doc(hidden)]
pub fn watches_life() -> bool {
    has_first()
}

/// A handler for the events of one kind, until it is unbound.
pub(crate) struct Slot<S> {
    kind: Interest,
    /// Whether it is still bound. `None` if it can never be unbound.
    live: Option<Arc<AtomicBool>>,
    /// `None` while it is dropped.
    listener: Option<Box<dyn Listener<S>>>,
}

impl<S> Slot<S> {
    pub(crate) fn new(
        kind: impl Into<Interest>,
        live: Option<Arc<AtomicBool>>,
        listener: Box<dyn Listener<S>>,
    ) -> Self {
        Slot {
            kind: kind.into(),
            live,
            listener: Some(listener),
        }
    }

    pub(crate) fn interest(&self) -> Interest {
        self.kind
    }

    #[inline]
    fn is_live(&self) -> bool {
        let live = self.live.as_ref();
        !unbinds() || live.is_none_or(|live| live.load(Ordering::Acquire))
    }

    /// A listener may own anything of the program, whose destructor may panic.
    fn drop_listener(&mut self) {
        drop_guarded("a handler", self.listener.take());
    }
}

impl<S> Drop for Slot<S> {
    fn drop(&mut self) {
        self.drop_listener();
    }
}

/// A request to the delivering thread.
pub(crate) enum Letter<S> {
    /// A handler was bound.
    Handler(Slot<S>),
    /// Something concerns the streams.
    Streams(Rare<Box<dyn Join>>),
}

/// The letters since the delivering thread last looked.
pub(crate) type Mail<S> = Vec<Letter<S>>;

/// Where mail waits.
pub(crate) type Mailbox<S> = ThinVec<Letter<S>>;

pub(crate) struct Delivery<S> {
    /// In the order in which they were bound.
    handlers: Vec<Slot<S>>,
    streams: Rare<Box<dyn Streams>>,
    /// `None` unless events wait for a listener.
    backlog: Option<Box<Backlog>>,
    pause_was_reported: bool,
    /// `Close` was delivered, so no event follows.
    ended: bool,
}

impl<S> Default for Delivery<S> {
    fn default() -> Self {
        Delivery {
            handlers: Vec::new(),
            streams: Rare::NONE,
            backlog: None,
            pause_was_reported: false,
            ended: false,
        }
    }
}

impl<S: Keeps> Delivery<S> {
    /// Adds new listeners, and drops those that left.
    pub(crate) fn absorb(&mut self, mail: Mail<S>) {
        // The first handlers take no more memory than they need.
        if self.handlers.is_empty() {
            self.handlers = Vec::with_capacity(mail.len());
        }
        for letter in mail {
            match letter {
                Letter::Handler(slot) => self.handlers.push(slot),
                Letter::Streams(mut join) => {
                    if let Some(join) = join.take() {
                        join.join(&mut self.streams);
                    }
                }
            }
        }
        if unbinds() {
            self.handlers.retain(Slot::is_live);
        }
        if !self.streams.as_mut().is_some_and(|streams| streams.sweep()) {
            drop(self.streams.take());
        }
    }

    fn has_streams(&self) -> bool {
        self.streams.as_ref().is_some()
    }

    /// Whether somebody wants events of this kind.
    fn want(&self, kind: EventKind) -> bool {
        let kind = kind.into();
        self.has_streams() || self.handlers.iter().any(|slot| slot.kind == kind)
    }

    /// Shows an event that was just reported to the handlers that come first. Returns
    /// whether one of them took it, so that no other gets it.
    #[cold]
    #[inline(never)]
    pub(crate) fn show_first(&mut self, socket: &S, event: &mut Event) -> bool {
        let kind = event.kind();
        for slot in &mut self.handlers {
            if let (Interest::Heartbeat | Interest::IdleTimeout, Some(listener)) =
                (slot.kind, &mut slot.listener)
            {
                listener.call(socket, event);
                if event.kind() != kind {
                    return true;
                }
            }
        }
        false
    }

    /// Delivers an event, or keeps it for the first listener (S101). The event is taken if
    /// a stream wants the value.
    #[inline(always)]
    pub(crate) fn deliver(&mut self, socket: &S, event: &mut Event) {
        let kind = event.kind();
        let mut wanted = self.has_streams();
        for slot in &mut self.handlers {
            if slot.kind != kind.into() {
                continue;
            }
            wanted = true;
            // A handler may have unbound a later one.
            if slot.is_live() {
                if let Some(listener) = &mut slot.listener {
                    guard(name_of_handler(kind), || listener.call(socket, event));
                }
            }
        }
        match self.streams.as_mut() {
            Some(streams) => streams.push(event),
            None if wanted => {}
            None => return keep(&mut self.backlog, socket.backlog_limit(), event),
        }
        self.ended |= kind == EventKind::Close;
    }

    /// The same, not inlined: for events that are rare, and for turns that are not called
    /// directly, as on a page. An inlined copy would take 0.1 kB there.
    #[inline(never)]
    pub(crate) fn deliver_rare(&mut self, socket: &S, event: &mut Event) {
        self.deliver(socket, event);
    }

    /// Delivers the kept events that have a listener now, the oldest first. Stops when
    /// mail arrives.
    pub(crate) fn deliver_kept(&mut self, socket: &S, mail: &AtomicBool) {
        let mut passed = Vec::new();
        while let (false, Some(backlog)) = (mail.load(Ordering::SeqCst), &mut self.backlog) {
            let Some(mut event) = backlog.take() else {
                break;
            };
            if self.want(event.kind()) {
                if let Some(backlog) = &mut self.backlog {
                    backlog.bytes -= event.weight();
                }
                self.deliver_rare(socket, &mut event);
            } else {
                passed.push(event);
            }
        }
        if let Some(backlog) = &mut self.backlog {
            backlog.put_back(passed);
            if backlog.events.is_empty() && backlog.dropped == 0 {
                self.backlog = None;
            }
        }
    }

    /// Hands the events of this turn to the streams, and wakes each of them once.
    pub(crate) fn flush(&mut self) {
        if let Some(streams) = self.streams.as_mut() {
            streams.flush();
            if self.ended {
                streams.end();
                drop(self.streams.take());
            }
        }
    }

    /// Whether a stream holds more than `limit` bytes of messages that nobody has read.
    /// When somebody reads them, the stream asks the transport to go on.
    pub(crate) fn is_backlogged(&mut self, limit: usize) -> bool {
        let streams = self.streams.as_mut();
        streams.is_some_and(|streams| streams.pause_above(limit))
    }

    /// Whether a full stream also keeps messages from a handler. True only the first time,
    /// so that the log says it once.
    pub(crate) fn blocks_handlers(&mut self) -> bool {
        let is_for_messages = |slot: &Slot<S>| slot.kind == Interest::Message;
        self.handlers.iter().any(is_for_messages)
            && !mem::replace(&mut self.pause_was_reported, true)
    }

    pub(crate) fn has_backlog(&self) -> bool {
        self.backlog.is_some()
    }

    /// No handler is called after `Close`. So the handlers are dropped.
    pub(crate) fn drop_handlers(&mut self) {
        drop(mem::take(&mut self.handlers));
    }

    /// The last handle was dropped: there are no more `Open` and `Message` events (S60,
    /// S102). Returns whether somebody still listens for the end.
    pub(crate) fn abandon(&mut self) -> bool {
        self.backlog = None;
        let mut is_wanted = self.has_streams();
        // Their places stay until the end, which is near. To remove them takes more code.
        for slot in &mut self.handlers {
            match slot.kind {
                Interest::Error | Interest::Close => is_wanted |= slot.is_live(),
                _ => slot.drop_listener(),
            }
        }
        is_wanted
    }

    /// How many messages were dropped. `None` until somebody listens for messages; then
    /// the socket fails.
    pub(crate) fn take_dropped(&mut self) -> Option<usize> {
        if !self.want(EventKind::Message) {
            return None;
        }
        let dropped = mem::take(&mut self.backlog.as_mut()?.dropped);
        (dropped > 0).then_some(dropped)
    }

    /// Puts the socket's failure after the kept messages. It replaces the events of the end, if
    /// those were not delivered yet.
    #[inline(never)]
    pub(crate) fn fail_after_kept(&mut self, error: ErrorEvent) {
        let ended = self.ended;
        let events = &mut self.backlog.get_or_insert_default().events;
        while let Some(Event::Error(_) | Event::Close(_)) = events.last() {
            events.pop();
        }
        events.push(Event::Error(error));
        // If `Close` was delivered, there is no second one (S97).
        if !ended {
            events.push(Event::Close(CloseEvent::abnormal()));
        }
    }
}

/// How a log names a handler that panicked.
fn name_of_handler(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Open => "a handler for open",
        EventKind::Message => "a handler for message",
        EventKind::Error => "a handler for error",
        EventKind::Close => "a handler for close",
    }
}
