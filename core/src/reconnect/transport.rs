//! The transport: what core asks of a socket that connects again, and its state.
//!
//! Invariant: the program's functions run, and the inner transport is closed
//! and started, outside the lock of the state.

use std::any::Any;
use std::fmt;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use super::Outer;
use super::attempt::{self, Asking, Attempt};
use super::hooks::Hooks;
use super::options::{Opening, ReconnectOptions};
use super::policy::Policy;
use super::queue::Queue;
use super::state::{Phase, State, Wait, new_connection};
use super::status::course::Course;
use crate::base::maybe_send::Lock;
use crate::base::sync::atomic::AtomicU64;
use crate::socket::accepted::read_accepted;
use crate::socket::carrier::{HostOf, host, supported};
use crate::{
    ErrorEvent, Host, Link, MessageRef, NewError, Options, Refusal, Request, SharedCell,
    Subprotocols, Subscription, Traffic, Transport,
};

/// A transport whose connections are those of `T`, one after another:
/// `isosocket::Reconnecting` is a socket of it.
///
/// ```
/// # use isosocket::mock::Network;
/// use isosocket::{ReadyState, Reconnecting};
///
/// # let network = Network::new();
/// # network.peer("wss://example.org/feed").expect("hello").drop_connection();
/// # network.peer("wss://example.org/feed").expect("hello").send("news");
/// let socket = Reconnecting::new("wss://example.org/feed")?;
/// socket.on_open(|socket| {
///     // For each connection: the peer knows nothing of the one before.
///     let _ = socket.send("hello");
/// });
/// socket.on_message(|_, message| println!("{message:?}"));
/// socket.on_close(|_, close| println!("for good: {close}"));
/// # network.advance(std::time::Duration::from_secs(1));
/// # assert_eq!(socket.ready_state(), ReadyState::Open);
/// # network.finish();
/// # Ok::<(), isosocket::NewError>(())
/// ```
pub struct Reconnect<T: Transport> {
    pub(crate) host: HostOf<T>,
    pub(crate) policy: Policy,
    /// How long the first connection may take, all attempts together.
    opening: Option<Opening<T>>,
    pub(crate) hooks: Arc<Hooks<T>>,
    /// The subprotocols that each connection offers.
    pub(super) subprotocols: Subprotocols,
    pub(crate) options: Options,
    pub(super) native: Lock<T::Options>,
    /// The URL of each attempt, unless it is asked for.
    pub(crate) url: Option<String>,
    /// The number of the current attempt or wait. What has another number is over.
    pub(super) serial: AtomicU64,
    pub(super) state: Lock<State<T>>,
    /// The URL that is asked for.
    pub(crate) asking: SharedCell<Option<Asking<T>>>,
}

/// URL, subprotocols and options may be secret.
impl<T: Transport> fmt::Debug for Reconnect<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reconnect")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

impl<T: Transport> Transport for Reconnect<T> {
    type Options = ReconnectOptions<T>;
    type Host = T::Host;

    const QUEUES: bool = true;
    const MOCKABLE: bool = false;
    const COUNTS_SENT: bool = true;

    fn host() -> T::Host {
        T::host()
    }

    fn supported() -> bool {
        supported::<T>()
    }

    fn new(request: Request<Self::Options>) -> Result<(Self, String), NewError> {
        let ReconnectOptions {
            inner,
            mut policy,
            opening,
            hooks,
        } = request.native;
        // Of a connection that is lost nobody can ask it later.
        read_accepted();
        let limit = request.options.send_limit;
        // So a new connection accepts the whole queue.
        policy.queue_limit = policy.queue_limit.map(|bytes| bytes.min(limit));
        let is_asked_for = hooks.ask.with(|ask| ask.is_some());
        let mut reconnect = Reconnect {
            host: host::<T>(),
            policy,
            opening,
            hooks,
            subprotocols: request.subprotocols,
            options: request.options,
            native: Lock::new(inner),
            url: None,
            serial: AtomicU64::new(0),
            state: Lock::new(State {
                phase: Phase::Asking(None),
                socket: None,
                attempt: 1,
                retries: 0,
                queue: Queue::default(),
                course: Course::default(),
                loss: None,
                opening: None,
                waking: Subscription::default(),
            }),
            asking: SharedCell::new(None),
        };
        if is_asked_for {
            return Ok((reconnect, request.url));
        }
        // Making the first connection also finds what is wrong with the request.
        let first = Request {
            url: request.url.clone(),
            subprotocols: reconnect.subprotocols.clone(),
            options: reconnect.options.clone(),
            native: reconnect.native.get_mut().clone(),
        };
        let (connection, url) = new_connection(first)?;
        reconnect.url = Some(request.url);
        reconnect.state().phase = Phase::Connecting(connection, None);
        Ok((reconnect, url))
    }

    fn adopt<S: Any>(&self, socket: &Arc<S>) {
        let socket: &dyn Any = socket;
        self.state().socket = socket.downcast_ref::<Outer<T>>().cloned();
    }

    /// The link is not needed: attempts report to the socket itself.
    fn start(&self, _: Link) {
        let Some(socket) = self.state().socket() else {
            return;
        };
        let waking = attempt::listen(&socket);
        let first = {
            let mut state = self.state();
            state.waking = waking;
            match &state.phase {
                Phase::Connecting(connection, _) => Some(connection.clone()),
                _ => None,
            }
        };
        if let Some((timeout, expire)) = self.opening {
            let late = socket.clone();
            let expire = move || expire(&late, timeout);
            // If there is no timer, there is no timeout.
            self.state().opening = self.host.after(timeout, expire).ok().map(Wait::new);
        }
        let serial = self.serial();
        let begun = socket.clone();
        self.host.soon(move || attempt::begin(&begun, serial));
        if let Some(connection) = first {
            Attempt::start(&socket, serial, &connection);
        }
    }

    fn send(&self, message: MessageRef<'_>) -> Result<(), Refusal> {
        let mut state = self.state();
        let State { phase, queue, .. } = &mut *state;
        match phase {
            Phase::Open(connection, _) => {
                queue.flush(connection);
                if queue.is_empty() {
                    match connection.send(message) {
                        Ok(()) => {
                            // Without the feature this costs a page no byte.
                            #[cfg(feature = "stats")]
                            queue.tally.add_sent(|| message.as_bytes().len());
                            return Ok(());
                        }
                        Err(Refusal::Full) => return Err(Refusal::Full),
                        // The connection is ending, so the message is for the next one.
                        Err(Refusal::Closing | Refusal::Connecting) => {}
                    }
                }
            }
            Phase::Closing(_) | Phase::Ended(_) => return Err(Refusal::Closing),
            Phase::Connecting(..)
            | Phase::Asking(_)
            | Phase::Deciding { .. }
            | Phase::Waiting(_) => {}
        }
        queue.push(message, self.policy.queue_limit)
    }

    fn abort(&self) {
        self.close_unconnected();
    }

    fn close(&self, frame: Option<(u16, &str)>) {
        let closing = {
            let mut state = self.state();
            match &state.phase {
                Phase::Open(connection, _) => {
                    let connection = connection.clone();
                    state.queue.discard();
                    let closing = Phase::Closing(connection.clone());
                    Some((connection, mem::replace(&mut state.phase, closing)))
                }
                _ => None,
            }
        };
        match closing {
            Some((connection, before)) => {
                drop(before);
                connection.close(frame);
            }
            // The connection is lost already, and core does not know that yet.
            None => self.close_unconnected(),
        }
    }

    fn buffered_amount(&self) -> usize {
        let state = self.state();
        let connection = state.phase.connection();
        let buffered = connection.map_or(0, |connection| connection.buffered_amount());
        buffered.saturating_add(state.queue.bytes())
    }

    fn queued(&self) -> usize {
        let state = self.state();
        let connection = state.phase.connection();
        let queued = connection.map_or(0, |connection| connection.queued());
        queued.saturating_add(state.queue.weight())
    }

    fn schedule(&self, link: Link) {
        let hooks = self.hooks.clone();
        self.host.soon(move || {
            drop(link.turn());
            if let Some(listeners) = hooks.listeners.get() {
                listeners.drop_unbound();
            }
        });
    }

    fn watch_drain(&self, link: Link, mark: usize) {
        let connection = self.state().phase.connection().cloned();
        if let Some(connection) = connection {
            connection.watch_drain(link, mark);
        }
    }

    fn resume(&self) {
        let connection = self.state().phase.connection().cloned();
        if let Some(connection) = connection {
            connection.resume();
        }
    }

    fn attend(&self) {
        self.host.attend();
    }

    fn set_pings(options: &mut Self::Options, times: Option<(Duration, Duration)>) -> bool {
        T::set_pings(&mut options.inner, times)
    }

    fn latency(&self) -> Option<Duration> {
        self.state().phase.connection()?.latency()
    }

    fn send_heartbeat(&self, message: MessageRef<'_>) -> Result<(), Refusal> {
        let mut state = self.state();
        let State { phase, queue, .. } = &mut *state;
        let Phase::Open(connection, _) = phase else {
            return Err(Refusal::Connecting);
        };
        queue.flush(connection);
        match queue.is_empty() {
            true => {
                let sent = connection.send_heartbeat(message);
                #[cfg(feature = "stats")]
                queue.tally.note(&sent, || message.as_bytes().len());
                sent
            }
            false => Err(Refusal::Full),
        }
    }

    fn last_life(&self, is_test: bool) -> Option<Duration> {
        self.state().phase.connection()?.last_life(is_test)
    }

    fn sent(&self) -> Traffic {
        self.state().queue.tally.sent()
    }

    fn attempts(&self) -> u32 {
        self.state().queue.tally.attempts()
    }

    fn now(&self) -> Duration {
        self.host.now()
    }

    fn lose(&self, error: ErrorEvent) -> Option<ErrorEvent> {
        let (socket, serial) = (self.state().socket()?, self.serial());
        // Not now: this is inside a turn.
        self.host
            .soon(move || attempt::lose_open(&socket, serial, error));
        None
    }

    fn failing(&self, error: &ErrorEvent) {
        let socket = self.state().socket();
        if let Some(socket) = socket {
            attempt::give_up(&socket, error);
        }
    }

    fn detach(&self) {
        // Whoever listens for statuses or events still hears of the end. Then everything
        // is dropped.
        let listeners = self.hooks.listeners.get();
        let are_there = listeners.is_some_and(|listeners| listeners.are_there());
        if are_there || self.state().course.is_watched() {
            return;
        }
        let connection = self.state().phase.connection().cloned();
        if let Some(connection) = connection {
            connection.detach();
        }
        self.release();
    }
}
