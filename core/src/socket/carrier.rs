//! The carrier of a socket's messages: its transport, or a simulated connection, if the
//! thread has a mock network.
//!
//! Invariant: no type of a program shows the difference. So the feature `mock` changes the
//! type of no socket. Without that feature nothing here has a cost.

use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "stats")]
use crate::Traffic;
use crate::contract::link::Inlet;
#[cfg(feature = "mock")]
use crate::mock::Mock;
use crate::{ErrorEvent, Host, Link, MessageRef, NewError, Refusal, Request, Transport};

/// The transport of one socket, or its replacement.
pub(crate) enum Carrier<T: Transport> {
    Real(T),
    #[cfg(feature = "mock")]
    Mock(Mock),
}

/// Calls the same method of either.
macro_rules! on_either {
    ($self:ident, $carrier:ident => $do:expr) => {
        match $self {
            Carrier::Real($carrier) => $do,
            #[cfg(feature = "mock")]
            Carrier::Mock($carrier) => $do,
        }
    };
}

impl<T: Transport> Carrier<T> {
    /// See [`Transport::new`].
    pub(crate) fn new(request: Request<T::Options>) -> Result<(Self, String), NewError> {
        #[cfg(feature = "mock")]
        if T::MOCKABLE && Mock::supported() {
            let (mock, url) = Mock::new(Request {
                url: request.url,
                subprotocols: request.subprotocols,
                options: request.options,
                // The options of the other transport are ignored.
                native: (),
            })?;
            return Ok((Carrier::Mock(mock), url));
        }
        let (transport, url) = T::new(request)?;
        Ok((Carrier::Real(transport), url))
    }

    /// The transport itself. Only transports call this, for their own sockets.
    #[inline]
    pub(crate) fn transport(&self) -> &T {
        match self {
            Carrier::Real(transport) => transport,
            #[cfg(feature = "mock")]
            Carrier::Mock(_) => unreachable!("a transport asks for a mock in place of it"),
        }
    }

    /// The transport itself; `None` if a mock replaces it.
    pub(crate) fn real(&self) -> Option<&T> {
        match self {
            Carrier::Real(transport) => Some(transport),
            #[cfg(feature = "mock")]
            Carrier::Mock(_) => None,
        }
    }

    /// Starts connecting, for this socket.
    pub(crate) fn start_for<S: Inlet + 'static>(&self, socket: &Arc<S>) {
        on_either!(self, carrier => {
            carrier.adopt(socket);
            carrier.start(Link::new(socket.clone()));
        });
    }

    #[inline]
    pub(crate) fn send(&self, message: MessageRef<'_>) -> Result<(), Refusal> {
        on_either!(self, carrier => carrier.send(message))
    }

    pub(crate) fn send_heartbeat(&self, message: MessageRef<'_>) -> Result<(), Refusal> {
        on_either!(self, carrier => carrier.send_heartbeat(message))
    }

    /// See [`Transport::last_life`].
    pub(crate) fn last_life(&self, is_test: bool) -> Option<Duration> {
        on_either!(self, carrier => carrier.last_life(is_test))
    }

    pub(crate) fn latency(&self) -> Option<Duration> {
        on_either!(self, carrier => carrier.latency())
    }

    /// Whether it counts what is sent by itself.
    #[inline(always)]
    pub(crate) fn counts_sent(&self) -> bool {
        match self {
            Carrier::Real(_) => T::COUNTS_SENT,
            #[cfg(feature = "mock")]
            Carrier::Mock(_) => Mock::COUNTS_SENT,
        }
    }

    /// See [`Transport::IS_ASKED_LATER`].
    #[inline(always)]
    pub(crate) fn is_asked_later(&self) -> bool {
        self.real().is_some() && T::IS_ASKED_LATER
    }

    pub(crate) fn accepted(&self) -> (String, String) {
        on_either!(self, carrier => carrier.accepted())
    }

    #[cfg(feature = "stats")]
    pub(crate) fn sent(&self) -> Traffic {
        on_either!(self, carrier => carrier.sent())
    }

    #[cfg(feature = "stats")]
    pub(crate) fn attempts(&self) -> u32 {
        on_either!(self, carrier => carrier.attempts())
    }

    pub(crate) fn now(&self) -> Duration {
        on_either!(self, carrier => carrier.now())
    }

    pub(crate) fn abort(&self) {
        on_either!(self, carrier => carrier.abort());
    }

    pub(crate) fn close(&self, frame: Option<(u16, &str)>) {
        on_either!(self, carrier => carrier.close(frame));
    }

    #[inline]
    pub(crate) fn buffered_amount(&self) -> usize {
        on_either!(self, carrier => carrier.buffered_amount())
    }

    /// See [`Transport::queued`].
    #[inline]
    pub(crate) fn queued(&self) -> usize {
        on_either!(self, carrier => carrier.queued())
    }

    pub(crate) fn schedule(&self, link: Link) {
        on_either!(self, carrier => carrier.schedule(link));
    }

    pub(crate) fn watch_drain(&self, link: Link, mark: usize) {
        on_either!(self, carrier => carrier.watch_drain(link, mark));
    }

    pub(crate) fn resume(&self) {
        on_either!(self, carrier => carrier.resume());
    }

    /// See [`Transport::attend`].
    #[inline]
    pub(crate) fn attend(&self) {
        if let Some(transport) = self.real() {
            transport.attend();
        }
    }

    /// See [`Transport::failing`].
    pub(crate) fn failing(&self, error: &ErrorEvent) {
        on_either!(self, carrier => carrier.failing(error));
    }

    /// See [`Transport::lose`].
    pub(crate) fn lose(&self, error: ErrorEvent) -> Option<ErrorEvent> {
        on_either!(self, carrier => carrier.lose(error))
    }

    pub(crate) fn detach(&self) {
        on_either!(self, carrier => carrier.detach());
    }
}

/// Whether sockets of transport `T` can be made here and now. It is also true if a mock
/// network makes it possible.
///
/// ```
/// let network = isosocket::mock::Network::new();
/// assert!(isosocket_core::supported::<isosocket_core::Unsupported>());
/// drop(network);
/// assert!(!isosocket_core::supported::<isosocket_core::Unsupported>());
/// ```
pub fn supported<T: Transport>() -> bool {
    #[cfg(feature = "mock")]
    if T::MOCKABLE && Mock::supported() {
        return true;
    }
    T::supported()
}

/// The host of the sockets of transport `T`.
#[cfg(not(feature = "mock"))]
pub(crate) type HostOf<T> = <T as Transport>::Host;
/// Where the sockets of transport `T` live: in simulated time, where there is a
/// mock network.
#[cfg(feature = "mock")]
pub(crate) type HostOf<T> = crate::mock::MockableHost<<T as Transport>::Host>;

/// The host of a socket of transport `T` that is made here and now.
pub(crate) fn host<T: Transport>() -> HostOf<T> {
    #[cfg(feature = "mock")]
    return crate::mock::MockableHost::new(T::host);
    #[cfg(not(feature = "mock"))]
    T::host()
}

/// The program says that it woke up: all sockets of transport `T` behave as after a wake-up
/// that their host noticed. On a thread with a mock network, those in this network do.
///
/// ```
/// isosocket_core::wake_up::<isosocket_core::Unsupported>(); // there are none
/// ```
pub fn wake_up<T: Transport>() {
    HostOf::<T>::wake_up();
}
