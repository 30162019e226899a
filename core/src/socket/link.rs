//! The backend's end of a socket: the [`Link`], and the [`Turn`]s in which it reports.
//!
//! A turn does what [`machine`](crate::socket::machine) decides. No lock is held while a
//! handler runs.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::base::guard::logging;
use crate::base::thin_vec::ThinVec;
use crate::delivery::relay::Relay;
use crate::delivery::{Delivery, has_first};
use crate::socket::machine::{Decision, Input, step};
use crate::socket::request::without_secrets;
use crate::socket::shared::Shared;
use crate::socket::uses::{is_inner, is_plain};
use crate::{CloseEvent, ErrorEvent, Event, Message, ReadyState, Report, Transport, WebSocket};

/// A backend's end of a socket. See [`Transport`] for the contract.
pub struct Link<T: Transport>(pub(crate) Arc<Shared<T>>);

impl<T: Transport> Link<T> {
    /// Begins a turn. Handlers run while the backend reports, and streams are woken once,
    /// when the turn ends.
    ///
    /// `None` if a turn is under way already, which breaks the contract.
    pub fn turn(&self) -> Option<Turn<T>> {
        self.clone().into_turn()
    }

    /// The same for a link that is not needed after the turn.
    #[inline]
    pub fn into_turn(self) -> Option<Turn<T>> {
        let shared = self.0;
        let delivery = shared.delivery.with(Option::take)?;
        shared.in_turn.store(true, Ordering::Relaxed);
        // Released, so that whoever drops the other handle knows of the turn.
        shared.handles.fetch_add(1, Ordering::Release);
        let mut turn = Turn {
            socket: WebSocket { shared },
            delivery: Some(delivery),
            changed: false,
        };
        turn.check_mail();
        Some(turn)
    }

    /// Ends a socket whose turn was under way when the thread of its turns ended. The listeners
    /// were in that turn and are lost, so no event can be delivered any more. Tasks that wait for
    /// a change of the state are woken, and the handles see the end.
    #[doc(hidden)]
    pub fn end_without_events(&self, error: ErrorEvent) {
        if self.0.step(Input::Failed) == Decision::Fail {
            self.0.set_end(Some(error), CloseEvent::abnormal());
            self.0.waiters.wake();
        }
    }

    /// The socket's transport.
    pub fn transport(&self) -> &T {
        self.0.carrier.transport()
    }

    /// The buffered amount fell to the mark that was asked for.
    pub fn drained(&self) {
        self.0.waiters.wake();
    }

    /// Whether a task still waits for the buffered amount to fall, or for a change of the state.
    /// If none does, the backend may forget the last call of [`Transport::watch_drain`].
    pub fn is_awaited(&self) -> bool {
        self.0.waiters.are_there()
    }
}

impl<T: Transport> Clone for Link<T> {
    fn clone(&self) -> Self {
        Link(self.0.clone())
    }
}

impl<T: Transport> fmt::Debug for Link<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Link").field(&self.0).finish()
    }
}

/// A backend's turn to report to one socket.
///
/// Handlers run inside [`report`](Turn::report), so the backend holds no lock
/// meanwhile.
pub struct Turn<T: Transport> {
    socket: WebSocket<T>,
    /// The socket lends it to the turn, until the turn ends. It is boxed, because it
    /// moves twice in each turn.
    delivery: Option<Box<Delivery<WebSocket<T>>>>,
    changed: bool,
}

impl<T: Transport> Turn<T> {
    /// The socket, as its handlers get it.
    pub(crate) fn socket(&self) -> &WebSocket<T> {
        &self.socket
    }

    /// The socket's URL, for a log. Empty for a connection inside a reconnecting socket.
    #[doc(hidden)]
    pub fn url(&self) -> &str {
        self.socket.url()
    }

    pub(crate) fn link(&self) -> Link<T> {
        Link(self.socket.shared.clone())
    }

    pub(crate) fn transport(&self) -> &T {
        self.socket.shared.carrier.transport()
    }

    /// Reports that a complete message arrived.
    #[inline(always)]
    pub fn message(&mut self, message: Message) {
        let mut event = Event::Message(message);
        self.message_in(&mut event);
        // Dropped here and not by the event's own glue, which is a call.
        if let Event::Message(message) = event {
            drop(message);
        }
    }

    /// The same for a message inside an event, so that a large value is not moved. What
    /// the event is afterwards is not specified.
    #[inline(always)]
    pub fn message_in(&mut self, event: &mut Event) {
        self.check_mail();
        // A message never changes the state, so there is nothing to swap.
        let (_, decision) = step(self.socket.ready_state(), Input::Message);
        if is_plain::<T>() && decision == Decision::DeliverMessage {
            self.socket.shared.counts.add_received(|| match event {
                Event::Message(message) => message.len(),
                _ => 0,
            });
            self.deliver(event);
        } else if let Some(relay) = self.relay() {
            if let Event::Message(message) = mem::replace(event, Event::Open) {
                relay.message(message);
            }
        }
    }

    /// Reports a fact.
    pub fn report(&mut self, report: Report) {
        self.check_mail();
        if self.relay().is_some() {
            return self.pass_on(report);
        }
        if !is_plain::<T>() {
            return;
        }
        let shared = &*self.socket.shared;
        self.changed |= !matches!(report, Report::Message(_));
        match report {
            // A backend has `message` for it.
            Report::Message(message) => {
                if shared.step(Input::Message) == Decision::DeliverMessage {
                    shared.counts.add_received(|| message.len());
                    self.deliver_rare(Event::Message(message));
                }
            }
            Report::Established {
                protocol,
                extensions,
            } => {
                if self.establish(protocol, extensions) {
                    self.deliver_rare(Event::Open);
                }
            }
            Report::PeerClosing => {
                shared.step(Input::PeerClosing);
            }
            Report::Failed(error) => {
                let decision = shared.step(Input::Failed);
                self.end(decision, error, CloseEvent::abnormal());
            }
            Report::Closed(close) => {
                let decision = shared.step(Input::Closed);
                self.end(decision, ErrorEvent::unknown(), close);
            }
            Report::Lost => {
                shared.step(Input::Lost);
            }
        }
    }

    /// Sets the state Open. Returns whether the event `Open` is to be delivered.
    pub(crate) fn establish(&mut self, protocol: String, extensions: String) -> bool {
        let shared = &*self.socket.shared;
        self.changed = true;
        // S23: `protocol` is set before anybody can see the state Open.
        if shared.state() == ReadyState::Connecting {
            shared.accepted.set((protocol, extensions));
            shared.counts.set_opened(|| shared.carrier.now());
        }
        shared.step(Input::Established) == Decision::DeliverOpen
    }

    /// The relay, if this is a connection inside another transport.
    #[inline(always)]
    fn relay(&mut self) -> Option<&mut dyn Relay> {
        if !is_inner::<T>() {
            return None;
        }
        Some(&mut **self.delivery.as_mut()?.relay.as_mut()?)
    }

    /// Reports to the relay, whose machine decides.
    fn pass_on(&mut self, report: Report) {
        let is_end = matches!(report, Report::Failed(_) | Report::Closed(_));
        if is_end {
            // There are no listeners to remove.
            self.socket.shared.step(Input::Closed);
            self.changed = true;
        }
        let Some(delivery) = &mut self.delivery else {
            return;
        };
        if let Some(relay) = &mut delivery.relay {
            relay.report(report);
        }
        if is_end {
            delivery.drop_relay();
        }
    }

    /// Whether a stream holds more than `limit` bytes that nobody has read. If so, the
    /// backend stops reading until [`Transport::resume`] is called.
    pub fn is_backlogged(&mut self, limit: usize) -> bool {
        if let Some(relay) = self.relay() {
            return relay.is_backlogged(limit);
        }
        let Some(delivery) = self.delivery.as_mut().filter(|_| is_plain::<T>()) else {
            return false;
        };
        delivery.flush();
        let is_backlogged = delivery.is_backlogged(limit);
        if is_backlogged && delivery.blocks_handlers() {
            self.warn_of_pause(limit);
        }
        is_backlogged
    }

    #[cold]
    fn warn_of_pause(&self, limit: usize) {
        logging(|| {
            log::warn!(
                "{}: reading stopped, for handlers too: a stream of its events holds more than \
                 {limit} bytes that nobody reads; read it, drop it, or await closed() instead",
                without_secrets(self.socket.url())
            );
        });
    }

    fn end(&mut self, decision: Decision, error: ErrorEvent, mut close: CloseEvent) {
        match decision {
            Decision::Fail => {
                close = CloseEvent::abnormal();
                let shared = &self.socket.shared;
                shared.set_end(Some(error.clone()), close.clone());
                self.deliver_rare(Event::Error(error));
                self.check_mail();
            }
            Decision::DeliverClose => self.socket.shared.set_end(None, close.clone()),
            _ => return,
        }
        self.deliver_rare(Event::Close(close));
    }

    #[inline(always)]
    fn deliver(&mut self, event: &mut Event) {
        if let Some(delivery) = &mut self.delivery {
            if has_first() && delivery.show_first(&self.socket, event) {
                return;
            }
            delivery.deliver(&self.socket, event);
        }
    }

    /// The same for an event that is rare.
    pub(crate) fn deliver_rare(&mut self, mut event: Event) {
        if let Some(delivery) = &mut self.delivery {
            if has_first() && delivery.show_first(&self.socket, &mut event) {
                return;
            }
            delivery.deliver_rare(&self.socket, &mut event);
        }
    }

    /// Fails the socket, because core considers its connection dead.
    pub(crate) fn fail(&mut self, error: ErrorEvent) {
        if fail(&self.socket, &error) {
            self.changed = true;
            self.deliver_rare(Event::Error(error));
            self.check_mail();
            self.deliver_rare(Event::Close(CloseEvent::abnormal()));
        }
    }

    /// If there is mail, handles it, and delivers the events that waited for it.
    #[inline]
    pub(crate) fn check_mail(&mut self) {
        if self.socket.shared.dirty.load(Ordering::SeqCst) {
            self.take_mail();
        }
    }

    #[cold]
    fn take_mail(&mut self) {
        let shared = &self.socket.shared;
        let Some(delivery) = &mut self.delivery else {
            return;
        };
        while shared.dirty.swap(false, Ordering::SeqCst) {
            if !is_plain::<T>() {
                // Nobody binds anything to it.
                if is_inner::<T>() && shared.abandoned.load(Ordering::Acquire) {
                    delivery.drop_relay();
                    shared.carrier.detach();
                }
                continue;
            }
            // A handler may have dropped the last handle, except for this turn's own:
            // that counts at once, and not when the turn ends (S60, S102).
            if shared.handles.load(Ordering::Acquire) == 1 {
                shared.abandon();
            }
            delivery.absorb(shared.mail.with(ThinVec::take));
            if let Some(dropped) = delivery.take_dropped() {
                let error = ErrorEvent::dropped(dropped);
                self.changed |= fail(&self.socket, &error);
                delivery.fail_after_kept(error);
            }
            delivery.deliver_kept(&self.socket, &shared.dirty);
            if shared.abandoned.load(Ordering::Acquire) {
                if is_inner::<T>() {
                    delivery.drop_relay();
                }
                if !delivery.abandon() {
                    shared.carrier.detach();
                }
            }
        }
    }

    /// Whether the turn can end: no mail came that concerns what waits.
    fn try_end(&mut self) -> bool {
        self.check_mail();
        let Some(delivery) = &mut self.delivery else {
            return true;
        };
        if !is_plain::<T>() {
            return true;
        }
        let shared = &self.socket.shared;
        // After `Close` no handler can be called again but for what waits.
        if shared.state() == ReadyState::Closed {
            delivery.drop_handlers();
        }
        delivery.flush();
        // Stored before the last look at the mail. `post` does the two in the opposite
        // order, so at least one of them sees the other.
        let kept = delivery.has_backlog();
        shared.kept.store(kept, Ordering::SeqCst);
        !(kept && shared.dirty.load(Ordering::SeqCst))
    }
}

/// Fails a socket that somebody listens to after messages were dropped (S101).
/// Gives whether it had not ended already.
#[cold]
fn fail<T: Transport>(socket: &WebSocket<T>, error: &ErrorEvent) -> bool {
    let shared = &socket.shared;
    let (before, decision) = shared.step_from(Input::Failed);
    if decision != Decision::Fail {
        return false;
    }
    shared.set_end(Some(error.clone()), CloseEvent::abnormal());
    shared.carrier.failing(socket, error);
    match before {
        ReadyState::Connecting => shared.carrier.abort(),
        ReadyState::Open => shared.carrier.close(None),
        ReadyState::Closing | ReadyState::Closed => {}
    }
    // Nothing more of the connection is delivered, so it ends alone.
    shared.carrier.detach();
    true
}

impl<T: Transport> Drop for Turn<T> {
    fn drop(&mut self) {
        while !self.try_end() {}
        if let Some(relay) = self.relay() {
            relay.end_turn();
        }
        let delivery = self.delivery.take();
        let shared = &self.socket.shared;
        // The turn's own handle goes after this, and leaves nothing to look at.
        shared.in_turn.store(false, Ordering::Relaxed);
        shared.delivery.with(|cell| *cell = delivery);
        if self.changed {
            shared.waiters.wake();
        }
    }
}

impl<T: Transport> fmt::Debug for Turn<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn")
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "mock"))]
mod tests {
    use std::sync::atomic::Ordering;

    use crate::WebSocket;
    use crate::mock::{Mock, Network};

    #[test]
    fn a_turn_leaves_nothing_to_look_at_for_the_next() {
        let network = Network::new();
        network.peer("ws://peer/").send("hello").hang();
        let socket = WebSocket::<Mock>::new("ws://peer/").expect("a good URL");
        let _ = socket.on_message(|socket, _| drop(socket.clone()));
        network.run();
        assert!(!socket.shared().dirty.load(Ordering::SeqCst));
    }
}
