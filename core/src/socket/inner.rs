//! A connection inside another transport, for a transport that wraps connections.
//!
//! The inner connection reports to a [`Link`] of its own, as every connection does. There
//! a [`Relay`] receives the reports, instead of the state machine and the listeners. The
//! outer turn lasts as long as the inner one. So streams are still woken once per turn.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::base::guard::logging;
use crate::delivery::bind::ListenerOwner;
use crate::delivery::relay::Relay;
use crate::socket::carrier::{Carrier, supported};
use crate::socket::shared::Shared;
use crate::socket::uses::use_inner;
use crate::wake::Outer;
use crate::{Link, NewError, Request, Transport, Turn};

/// One inner connection.
pub(crate) struct InnerConnection<T: Transport>(Arc<Shared<T>>);

impl<T: Transport> InnerConnection<T> {
    /// Prepares a connection. Also returns the serialized URL.
    pub(crate) fn new(request: Request<T::Options>) -> Result<(Self, String), NewError> {
        if !supported::<T>() {
            return Err(NewError::NotSupported);
        }
        use_inner::<T>();
        let (carrier, url) = Carrier::new(request)?;
        // Nobody asks the inner socket for its own URL or limit.
        let shared = Shared::new(carrier, String::new(), None, Vec::new());
        Ok((InnerConnection(Arc::new(shared)), url))
    }

    /// Starts connecting.
    pub(crate) fn start(&self, relay: impl Relay + 'static) {
        let relay: Box<dyn Relay> = Box::new(relay);
        self.0.delivery.with(|cell| {
            if let Some(delivery) = cell {
                delivery.relay = Some(relay);
            }
        });
        self.0.carrier.start(Link(self.0.clone()));
    }

    pub(crate) fn carrier(&self) -> &Carrier<T> {
        &self.0.carrier
    }

    /// Wakes the tasks that wait at the outer link, when at most `mark` bytes are buffered here.
    pub(crate) fn watch_drain<O: Transport>(&self, link: Link<O>, mark: usize) {
        self.0.waiters.enter_outer(link);
        self.0.carrier.watch_drain(Link(self.0.clone()), mark);
    }

    /// Drops the relay soon. The connection then ends by itself.
    pub(crate) fn detach(&self) {
        self.0.abandoned.store(true, Ordering::Release);
        self.0.waiters.wake();
        self.0.clone().drop_unbound();
    }
}

impl<T: Transport> Clone for InnerConnection<T> {
    fn clone(&self) -> Self {
        InnerConnection(self.0.clone())
    }
}

impl<T: Transport> fmt::Debug for InnerConnection<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InnerConnection").finish_non_exhaustive()
    }
}

/// Passes on that the inner buffered amount fell.
impl<O: Transport> Outer for Link<O> {
    fn is_awaited(&self) -> bool {
        Link::is_awaited(self)
    }

    fn wake(&self) {
        self.drained();
    }
}

/// The outer turn that belongs to an inner one. It begins with the first report, and ends
/// with the inner turn.
pub(crate) struct OuterTurn<O: Transport> {
    link: Link<O>,
    turn: Option<Turn<O>>,
}

impl<O: Transport> OuterTurn<O> {
    pub(crate) fn new(link: Link<O>) -> Self {
        OuterTurn { link, turn: None }
    }

    /// The turn; `None`, with a line in the log, if the contract is broken.
    #[inline]
    pub(crate) fn get(&mut self) -> Option<&mut Turn<O>> {
        if self.turn.is_none() {
            self.turn = self.link.turn();
            if self.turn.is_none() {
                logging(|| log::error!("a turn was under way already"));
            }
        }
        self.turn.as_mut()
    }

    pub(crate) fn is_backlogged(&mut self, limit: usize) -> bool {
        self.get().is_some_and(|turn| turn.is_backlogged(limit))
    }

    pub(crate) fn end(&mut self) {
        self.turn = None;
    }
}
