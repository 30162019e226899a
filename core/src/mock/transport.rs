//! The transport: what core asks of a simulated connection.
//!
//! Invariant: a call does nothing at once; it gives the network a task for later.

use std::sync::Arc;
use std::time::Duration;

use super::connection::{Connection, Phase};
use super::script::Sent;
use super::url::normalize;
use super::world::{MockHost, World};
use crate::message::weight;
use crate::{Link, MessageRef, NewError, Refusal, Request, Traffic, Transport};

/// A connection to a scripted peer: the transport of tests.
///
/// [`supported`](Transport::supported) is true on a thread that has a
/// [`Network`](super::Network).
#[derive(Debug)]
pub struct Mock {
    world: Arc<World>,
    connection: Arc<Connection>,
}

impl Transport for Mock {
    type Options = ();
    type Host = MockHost;

    const MOCKABLE: bool = false;
    const COUNTS_SENT: bool = true;

    fn host() -> MockHost {
        MockHost::current()
    }

    fn supported() -> bool {
        World::current().is_some()
    }

    fn new(mut request: Request<()>) -> Result<(Self, String), NewError> {
        let world = World::current().ok_or(NewError::NotSupported)?;
        let url = normalize(&request.url)?;
        let connection = Connection::new(url.clone(), request.subprotocols.take(), request.options);
        Ok((Mock { world, connection }, url))
    }

    fn start(&self, link: Link) {
        let timeout = {
            let mut inner = self.connection.lock();
            inner.phase = Phase::Connecting;
            inner.link = Some(link);
            inner.options.connect_timeout
        };
        self.connection.set_deadline(&self.world, timeout);
        self.connection.wake(&self.world);
    }

    fn send(&self, message: MessageRef<'_>) -> Result<(), Refusal> {
        {
            let mut inner = self.connection.lock();
            if inner.phase != Phase::Open {
                return Err(Refusal::Closing);
            }
            let length = message.as_bytes().len();
            let queued = inner.queued_weight.saturating_add(weight(length));
            if inner.queued_weight > 0 && queued > inner.options.send_limit {
                return Err(Refusal::Full); // S54
            }
            inner.queued_weight = queued;
            inner.buffered = inner.buffered.saturating_add(length);
            let message = message.to_message();
            inner.outgoing.push_back(Sent::Message(message));
            inner.sent.add(length);
        }
        self.connection.wake(&self.world);
        Ok(())
    }

    fn abort(&self) {
        self.connection.lock().aborted = true;
        self.connection.wake(&self.world);
    }

    fn close(&self, frame: Option<(u16, &str)>) {
        let timeout = {
            let mut inner = self.connection.lock();
            if inner.phase != Phase::Open {
                return;
            }
            let frame = frame.map(|(code, reason)| (code, reason.to_owned()));
            inner.outgoing.push_back(Sent::Close(frame));
            inner.paused = false;
            inner.options.close_timeout
        };
        self.connection.set_deadline(&self.world, timeout);
        self.connection.wake(&self.world);
    }

    fn buffered_amount(&self) -> usize {
        self.connection.lock().buffered
    }

    fn queued(&self) -> usize {
        self.connection.lock().queued_weight
    }

    fn schedule(&self, link: Link) {
        self.world.soon(move || drop(link.turn()));
    }

    fn watch_drain(&self, link: Link, mark: usize) {
        {
            let mut inner = self.connection.lock();
            if inner.queued_weight > mark && inner.phase == Phase::Open {
                inner.mark = Some(mark.max(inner.mark.unwrap_or_default()));
                return;
            }
        }
        self.world.soon(move || link.drained());
    }

    fn resume(&self) {
        self.connection.lock().paused = false;
        self.connection.wake(&self.world);
    }

    fn set_pings(_: &mut (), _: Option<(Duration, Duration)>) -> bool {
        false
    }

    fn last_life(&self, _: bool) -> Option<Duration> {
        // While nothing is read the peer's silence proves nothing.
        let is_paused = self.connection.lock().paused;
        is_paused.then(|| self.world.with(|state| state.now))
    }

    fn sent(&self) -> Traffic {
        self.connection.lock().sent
    }

    fn now(&self) -> Duration {
        self.world.with(|state| state.now)
    }

    fn detach(&self) {
        let link = {
            let mut inner = self.connection.lock();
            inner.aborted |= inner.phase == Phase::Connecting;
            inner.link.take()
        };
        drop(link);
        self.connection.wake(&self.world);
    }
}
