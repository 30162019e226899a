//! What the handles, the streams and the turns of a socket share: its state, and the
//! requests for the thread that delivers its events.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::base::rare::{Feature, Rare};
use crate::base::sync::OnceBox;
use crate::base::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicUsize, Ordering};
use crate::contract::request::Shown;
use crate::delivery::bind::ListenerOwner;
use crate::delivery::{Letter, Mailbox};
use crate::socket::accepted::{Accepted, read_accepted, reads_accepted};
use crate::socket::carrier::Carrier;
use crate::socket::machine::{Decision, Input, look_up};
use crate::socket::stats::Counts;
use crate::socket::turn::SocketTurn;
use crate::wake::Waiters;
use crate::{
    CloseEvent, ErrorEvent, Flag, Link, OptionValues, Options, ReadyState, SharedCell, Transport,
    WebSocket,
};

/// How a socket ended.
pub(crate) struct End {
    pub(crate) error: Option<ErrorEvent>,
    pub(crate) close: CloseEvent,
}

/// How many bytes may wait in a socket.
#[derive(PartialEq)]
pub(crate) struct Limits {
    /// The limit for messages that are to be sent (S54).
    pub(crate) send: usize,
    /// The limit for messages that nobody listens for (S101).
    pub(crate) backlog: usize,
}

/// Only a program that sets an option has other limits than the usual ones.
impl Feature for Box<Limits> {
    fn flag() -> &'static Flag {
        Box::<OptionValues>::flag()
    }
}

impl Limits {
    const USUAL: Limits = Limits {
        send: OptionValues::USUAL.send_limit,
        backlog: OptionValues::USUAL.backlog_limit,
    };

    /// None if they are as usual.
    pub(crate) fn of(options: &Options) -> Rare<Box<Self>> {
        let limits = Limits {
            send: options.send_limit,
            backlog: options.backlog_limit,
        };
        match limits == Limits::USUAL {
            true => Rare::NONE,
            false => Rare::also(Box::new(limits)),
        }
    }
}

/// What handles, streams, turns and the backend's link share.
pub(crate) struct Shared<T: Transport> {
    state: AtomicU8,
    pub(crate) carrier: Carrier<T>,
    pub(crate) url: String,
    accepted: Accepted,
    end: OnceBox<End>,
    /// None for the default limits, which most sockets have.
    limits: Rare<Box<Limits>>,
    /// After a message was refused because the send buffer was full: one more than the
    /// amount at which it fits. 0 after a message was accepted.
    pub(crate) refused: AtomicUsize,
    /// Payload bytes refused because the socket was closing or closed.
    pub(crate) unsent: AtomicUsize,
    /// The round trip that a heartbeat with messages measured, in microseconds, up to
    /// 71 minutes. 0: none.
    latency: AtomicU32,
    pub(crate) counts: Counts,
    /// The number of handles. Links and streams also hold the `Arc`, and do not count.
    pub(crate) handles: AtomicUsize,
    /// A turn is under way. It has a handle of its own.
    pub(crate) in_turn: AtomicBool,
    /// The last handle was dropped, and the socket is being closed because of that.
    leaving: AtomicBool,
    pub(crate) abandoned: AtomicBool,
    /// There is mail, or a listener left.
    pub(crate) dirty: AtomicBool,
    /// There are kept events, which wait for a listener.
    pub(crate) kept: AtomicBool,
    pub(crate) mail: SharedCell<Mailbox<WebSocket<T>>>,
    /// `None` while a turn is under way.
    pub(crate) turn: SharedCell<Option<Box<SocketTurn<T>>>>,
    pub(crate) waiters: Waiters,
}

impl<T: Transport> Shared<T> {
    /// A socket with one handle. It is not started yet.
    pub(crate) fn new(
        carrier: Carrier<T>,
        url: String,
        limits: Rare<Box<Limits>>,
        mail: Mailbox<WebSocket<T>>,
    ) -> Self {
        Shared {
            state: AtomicU8::new(ReadyState::Connecting as u8),
            carrier,
            url,
            accepted: Accepted::default(),
            end: OnceBox::new(),
            limits,
            refused: AtomicUsize::new(0),
            unsent: AtomicUsize::new(0),
            latency: AtomicU32::new(0),
            counts: Counts::default(),
            handles: AtomicUsize::new(1),
            in_turn: AtomicBool::new(false),
            leaving: AtomicBool::new(false),
            abandoned: AtomicBool::new(false),
            dirty: AtomicBool::new(!mail.is_empty()),
            kept: AtomicBool::new(false),
            mail: SharedCell::new(mail),
            turn: SharedCell::new(Some(Box::default())),
            waiters: Waiters::default(),
        }
    }

    /// Another handle.
    pub(crate) fn handle(self: &Arc<Self>) -> WebSocket<T> {
        self.handles.fetch_add(1, Ordering::Relaxed);
        WebSocket {
            shared: self.clone(),
        }
    }

    /// The socket's transport. Only transports call this, for their own sockets.
    pub(crate) fn transport(&self) -> &T {
        self.carrier.transport()
    }

    pub(crate) fn state(&self) -> ReadyState {
        ReadyState::from_u8(self.state.load(Ordering::Acquire))
    }

    /// How the socket ended, once it has.
    pub(crate) fn end(&self) -> Option<&End> {
        self.end.get()
    }

    /// Stores how the socket ended. This is done before any handler is called.
    #[inline(never)]
    pub(crate) fn set_end(&self, error: Option<ErrorEvent>, close: CloseEvent) {
        let _ = self.end.set(Box::new(End { error, close }));
    }

    /// Whether the connection was ever established.
    pub(crate) fn was_established(&self) -> bool {
        self.state() != ReadyState::Connecting && self.accepted.is_there()
    }

    /// The connection is established, with this subprotocol and these extensions.
    pub(crate) fn accept(&self, protocol: String, extensions: String) {
        match reads_accepted() || !self.carrier.is_asked_later() {
            true => self.accepted.set((protocol, extensions)),
            false => self.accepted.set_unread(),
        }
    }

    /// The subprotocol and the extensions in use, or last in use; `None` before open.
    pub(crate) fn accepted(&self) -> Option<&(String, String)> {
        read_accepted();
        // Never where there are threads: what the peer accepted is always read there.
        if self.accepted.is_unread() {
            self.accepted.set(self.carrier.accepted());
        }
        self.accepted.get()
    }

    pub(crate) fn latency(&self) -> Option<Duration> {
        match self.latency.load(Ordering::Relaxed) {
            0 => None,
            microseconds => Some(Duration::from_micros(microseconds.into())),
        }
    }

    pub(crate) fn set_latency(&self, latency: Duration) {
        // A round trip that is too short to be measured counts as 1, because 0 means none.
        // Not by `as_micros`, because a page pays for numbers of 128 bits.
        let seconds = latency.as_secs().saturating_mul(1_000_000);
        let microseconds = seconds.saturating_add(latency.subsec_micros().into());
        let microseconds = u32::try_from(microseconds).unwrap_or(u32::MAX).max(1);
        self.latency.store(microseconds, Ordering::Relaxed);
    }

    /// A message was given to the carrier.
    #[inline(always)]
    pub(crate) fn count_sent(&self, bytes: impl FnOnce() -> usize) {
        if !self.carrier.counts_sent() {
            self.counts.add_sent(bytes);
        }
    }

    /// The same, if it was taken.
    #[inline(always)]
    pub(crate) fn count_if_sent<E>(&self, sent: &Result<(), E>, bytes: impl FnOnce() -> usize) {
        if !self.carrier.counts_sent() {
            self.counts.note_sent(sent, bytes);
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        self.limits.as_ref().map_or(&Limits::USUAL, |limits| limits)
    }

    pub(crate) fn step(&self, input: Input) -> Decision {
        self.step_from(input).1
    }

    /// The same. It also returns the state before.
    pub(crate) fn step_from(&self, input: Input) -> (ReadyState, Decision) {
        let mut current = self.state.load(Ordering::Acquire);
        loop {
            let (next, decision) = look_up(ReadyState::from_u8(current), input);
            let swapped = self.state.compare_exchange_weak(
                current,
                next as u8,
                // See `post`.
                Ordering::SeqCst,
                Ordering::Acquire,
            );
            match swapped {
                Ok(before) => return (ReadyState::from_u8(before), decision),
                Err(changed) => current = changed,
            }
        }
    }

    pub(crate) fn close(&self, frame: Option<(u16, &str)>) {
        match self.step(Input::Close) {
            Decision::StartClosing => self.carrier.close(frame),
            Decision::AbortHandshake => self.carrier.abort(),
            _ => return,
        }
        self.waiters.wake();
    }

    /// The last handle is gone (S102).
    #[inline(never)]
    pub(crate) fn abandon(self: &Arc<Self>) {
        if self.leaving.swap(true, Ordering::AcqRel) {
            return;
        }
        // It is closed first. If a turn on another thread saw that it is abandoned before
        // that, it would detach the transport, and nobody would close the connection.
        let is_closed = self.state() == ReadyState::Closed;
        if !is_closed {
            self.close(None);
        }
        self.abandoned.store(true, Ordering::SeqCst);
        if !is_closed {
            self.clone().drop_unbound();
        }
    }

    /// Leaves mail for the delivering thread. It asks for a turn only if kept events wait,
    /// or if no more events will come. Otherwise the turn of the next event finds the mail.
    pub(crate) fn post(self: &Arc<Self>, letter: Letter<WebSocket<T>>) {
        self.mail.with(|mailbox| mailbox.push(letter));
        self.carrier.attend();
        // This thread stores `dirty` and then loads the state and `kept`. The delivering
        // thread stores the state or `kept` and then loads `dirty`. Were these only
        // acquire and release, both could load what was there before: the mail would
        // wait for ever. In one order that all threads agree on (SeqCst), at least one
        // of the two sees the other's store.
        self.dirty.store(true, Ordering::SeqCst);
        let is_closed = || self.state.load(Ordering::SeqCst) == ReadyState::Closed as u8;
        if self.kept.load(Ordering::SeqCst) || is_closed() {
            self.carrier.schedule(Link::new(self.clone()));
        }
    }
}

impl<T: Transport> ListenerOwner for Shared<T> {
    #[inline(never)]
    fn drop_unbound(self: Arc<Self>) {
        self.dirty.store(true, Ordering::SeqCst);
        // Once closed there is no handler left to drop.
        if self.state() != ReadyState::Closed {
            self.carrier.schedule(Link::new(self.clone()));
        }
    }

    fn listener_left(self: Arc<Self>) {
        if self.abandoned.load(Ordering::SeqCst) {
            self.drop_unbound();
        }
    }
}

impl<T: Transport> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("url", &Shown(&self.url))
            .field("ready_state", &self.state())
            .finish_non_exhaustive()
    }
}
