//! A socket's turns: what becomes of the facts that its transport reports.
//!
//! A turn does what [`machine`](crate::socket::machine) decides. No lock is held while a
//! handler runs.
//!
//! What is not called for each message is `#[inline(never)]`. The crates of a program share
//! such functions. Without it a native program would have two copies of each, and 15 kB more.

use std::any::Any;
use std::mem;
use std::sync::Arc;

use crate::base::guard::logging;
use crate::base::maybe_send::ARE_THREADS;
use crate::base::sync::atomic::Ordering;
use crate::base::thin_vec::ThinVec;
use crate::contract::link::{Inlet, Receiver, pauses};
use crate::contract::request::without_secrets;
use crate::delivery::{Delivery, has_first};
use crate::socket::machine::{Decision, Input, step};
use crate::socket::shared::Shared;
use crate::wake::Waiters;
use crate::{CloseEvent, ErrorEvent, Event, ReadyState, Report, Transport, WebSocket};

impl<T: Transport> Inlet for Shared<T> {
    #[inline(never)]
    fn begin(self: Arc<Self>) -> Option<Box<dyn Receiver>> {
        let turn: Box<dyn Receiver> = self.begin_turn()?;
        Some(turn)
    }

    fn waiters(&self) -> &Waiters {
        &self.waiters
    }

    #[inline(never)]
    fn end_without_events(&self, error: ErrorEvent) {
        if ARE_THREADS && self.step(Input::Failed) == Decision::Fail {
            self.set_end(Some(error), CloseEvent::abnormal());
            self.waiters.wake();
        }
    }
}

impl<T: Transport> Shared<T> {
    /// Calls `f` in a turn; `None` if one is under way already.
    pub(crate) fn with_turn<R>(
        self: &Arc<Self>,
        f: impl FnOnce(&mut SocketTurn<T>) -> R,
    ) -> Option<R> {
        Lent::of(self)?.get().map(f)
    }

    fn begin_turn(self: Arc<Self>) -> Option<Box<SocketTurn<T>>> {
        let mut turn = self.turn.with(Option::take)?;
        self.in_turn.store(true, Ordering::Relaxed);
        // Released, so that whoever drops the other handle knows of the turn.
        self.handles.fetch_add(1, Ordering::Release);
        turn.socket = Some(WebSocket { shared: self });
        turn.check_mail();
        Some(turn)
    }
}

/// A turn that ends when this is dropped.
pub(crate) struct Lent<T: Transport>(Option<Box<SocketTurn<T>>>);

impl<T: Transport> Lent<T> {
    /// Begins a turn of a socket; `None` if one is under way already.
    pub(crate) fn of(socket: &Arc<Shared<T>>) -> Option<Self> {
        socket.clone().begin_turn().map(|turn| Lent(Some(turn)))
    }

    #[inline]
    pub(crate) fn get(&mut self) -> Option<&mut SocketTurn<T>> {
        self.0.as_deref_mut()
    }
}

impl<T: Transport> Drop for Lent<T> {
    fn drop(&mut self) {
        if let Some(turn) = self.0.take() {
            turn.end();
        }
    }
}

/// Who listens to a socket, and in a turn the socket. The socket lends it to its turns.
pub(crate) struct SocketTurn<T: Transport> {
    /// The turn's own handle, as handlers get it.
    socket: Option<WebSocket<T>>,
    delivery: Delivery<WebSocket<T>>,
    changed: bool,
}

impl<T: Transport> Default for SocketTurn<T> {
    fn default() -> Self {
        SocketTurn {
            socket: None,
            delivery: Delivery::default(),
            changed: false,
        }
    }
}

impl<T: Transport> Receiver for SocketTurn<T> {
    #[inline(never)]
    fn message(&mut self, event: &mut Event) {
        self.check_mail();
        let Some(socket) = &self.socket else { return };
        if is_delivered(socket, &mut self.delivery, event) {
            self.delivery.deliver_rare(socket, event);
        }
    }

    #[inline(never)]
    fn report(&mut self, report: Report) {
        self.check_mail();
        self.changed = true;
        match report {
            // A backend has `message` for it.
            Report::Message(message) => self.message(&mut Event::Message(message)),
            Report::Established {
                protocol,
                extensions,
            } => {
                if self.establish(protocol, extensions) {
                    self.deliver_rare(Event::Open);
                }
            }
            Report::PeerClosing => self.step(Input::PeerClosing),
            Report::Failed(error) => {
                self.end_socket(Input::Failed, error, CloseEvent::abnormal());
            }
            Report::Closed(close) => {
                self.end_socket(Input::Closed, ErrorEvent::unknown(), close);
            }
            Report::Lost => self.step(Input::Lost),
        }
    }

    #[inline(never)]
    fn is_backlogged(&mut self, limit: usize) -> bool {
        if !pauses() {
            return false;
        }
        self.delivery.flush();
        let is_backlogged = self.delivery.is_backlogged(limit);
        if is_backlogged && self.delivery.blocks_handlers() {
            self.warn_of_pause(limit);
        }
        is_backlogged
    }

    fn as_any(&mut self) -> Option<&mut dyn Any> {
        match ARE_THREADS {
            true => Some(self),
            false => None,
        }
    }

    #[inline(never)]
    fn end(mut self: Box<Self>) {
        while !self.try_end() {}
        let changed = mem::take(&mut self.changed);
        let Some(socket) = self.socket.take() else {
            return;
        };
        let shared = &*socket.shared;
        // The turn's own handle goes after this, and leaves nothing to look at.
        shared.in_turn.store(false, Ordering::Relaxed);
        shared.turn.with(|cell| *cell = Some(self));
        if changed {
            shared.waiters.wake();
        }
    }
}

impl<T: Transport> SocketTurn<T> {
    /// [`Receiver::message`], inlined into who calls it.
    #[inline(always)]
    pub(crate) fn message_inlined(&mut self, event: &mut Event) {
        let Some(socket) = &self.socket else { return };
        if socket.shared.dirty.load(Ordering::SeqCst) {
            return self.message_after_mail(event);
        }
        if is_delivered(socket, &mut self.delivery, event) {
            self.delivery.deliver(socket, event);
        }
    }

    #[cold]
    #[inline(never)]
    fn message_after_mail(&mut self, event: &mut Event) {
        self.take_mail();
        self.message(event);
    }

    /// The socket, as its handlers get it.
    pub(crate) fn socket(&self) -> Option<&WebSocket<T>> {
        self.socket.as_ref()
    }

    pub(crate) fn shared(&self) -> Option<Arc<Shared<T>>> {
        self.socket.as_ref().map(|socket| socket.shared.clone())
    }

    /// Sets the state Open. Returns whether the event `Open` is to be delivered.
    pub(crate) fn establish(&mut self, protocol: String, extensions: String) -> bool {
        let Some(socket) = &self.socket else {
            return false;
        };
        let shared = &*socket.shared;
        self.changed = true;
        // S23: `protocol` is set before anybody can see the state Open.
        if shared.state() == ReadyState::Connecting {
            shared.accept(protocol, extensions);
            shared.counts.set_opened(|| shared.carrier.now());
        }
        shared.step(Input::Established) == Decision::DeliverOpen
    }

    #[cold]
    #[inline(never)]
    fn warn_of_pause(&self, limit: usize) {
        logging(|| {
            log::warn!(
                "{}: reading stopped, for handlers too: a stream of its events holds more than \
                 {limit} bytes that nobody reads; read it, drop it, or await closed() instead",
                without_secrets(self.socket.as_ref().map_or("", WebSocket::url))
            );
        });
    }

    /// A change of the state without an event.
    fn step(&self, input: Input) {
        if let Some(socket) = &self.socket {
            socket.shared.step(input);
        }
    }

    #[inline(never)]
    fn end_socket(&mut self, input: Input, error: ErrorEvent, mut close: CloseEvent) {
        let Some(socket) = &self.socket else { return };
        let shared = &*socket.shared;
        match shared.step(input) {
            Decision::Fail => {
                close = CloseEvent::abnormal();
                shared.set_end(Some(error.clone()), close.clone());
                self.deliver_rare(Event::Error(error));
                self.check_mail();
            }
            Decision::DeliverClose => shared.set_end(None, close.clone()),
            _ => return,
        }
        self.deliver_rare(Event::Close(close));
    }

    /// Delivers an event that is rare.
    #[inline(never)]
    pub(crate) fn deliver_rare(&mut self, mut event: Event) {
        let Some(socket) = &self.socket else { return };
        if has_first() && self.delivery.show_first(socket, &mut event) {
            return;
        }
        self.delivery.deliver_rare(socket, &mut event);
    }

    /// Fails the socket, because core considers its connection dead.
    pub(crate) fn fail(&mut self, error: ErrorEvent) {
        let Some(socket) = &self.socket else { return };
        if fail(&socket.shared, &error) {
            self.changed = true;
            self.deliver_rare(Event::Error(error));
            self.check_mail();
            self.deliver_rare(Event::Close(CloseEvent::abnormal()));
        }
    }

    /// If there is mail, handles it, and delivers the events that waited for it.
    #[inline]
    pub(crate) fn check_mail(&mut self) {
        let socket = self.socket.as_ref();
        if socket.is_some_and(|socket| socket.shared.dirty.load(Ordering::SeqCst)) {
            self.take_mail();
        }
    }

    #[cold]
    #[inline(never)]
    fn take_mail(&mut self) {
        let SocketTurn {
            socket: Some(socket),
            delivery,
            changed,
        } = self
        else {
            return;
        };
        let shared = &socket.shared;
        while shared.dirty.swap(false, Ordering::SeqCst) {
            // A handler may have dropped the last handle, except for this turn's own:
            // that counts at once, and not when the turn ends (S60, S102).
            if shared.handles.load(Ordering::Acquire) == 1 {
                shared.abandon();
            }
            delivery.absorb(shared.mail.with(ThinVec::take));
            if let Some(dropped) = delivery.take_dropped() {
                let error = ErrorEvent::dropped(dropped);
                *changed |= fail(shared, &error);
                delivery.fail_after_kept(error);
            }
            delivery.deliver_kept(socket, &shared.dirty);
            if shared.abandoned.load(Ordering::Acquire) && !delivery.abandon() {
                shared.carrier.detach();
            }
        }
    }

    /// Whether the turn can end: no mail came that concerns what waits.
    fn try_end(&mut self) -> bool {
        self.check_mail();
        let Some(socket) = &self.socket else {
            return true;
        };
        let shared = &*socket.shared;
        // After `Close` no handler can be called again but for what waits.
        if shared.state() == ReadyState::Closed {
            self.delivery.drop_handlers();
        }
        self.delivery.flush();
        // Stored before the last look at the mail. `post` does the two in the opposite
        // order, so at least one of them sees the other.
        let kept = self.delivery.has_backlog();
        shared.kept.store(kept, Ordering::SeqCst);
        !(kept && shared.dirty.load(Ordering::SeqCst))
    }
}

/// Whether a message that arrived is to be delivered. It counts as received then.
#[inline(always)]
fn is_delivered<T: Transport>(
    socket: &WebSocket<T>,
    delivery: &mut Delivery<WebSocket<T>>,
    event: &mut Event,
) -> bool {
    // A message never changes the state, so there is nothing to swap.
    let (_, decision) = step(socket.ready_state(), Input::Message);
    if decision != Decision::DeliverMessage {
        return false;
    }
    socket.shared.counts.add_received(|| match event {
        Event::Message(message) => message.len(),
        _ => 0,
    });
    !(has_first() && delivery.show_first(socket, event))
}

/// Fails a socket that somebody listens to after messages were dropped (S101).
/// Gives whether it had not ended already.
#[cold]
#[inline(never)]
fn fail<T: Transport>(shared: &Shared<T>, error: &ErrorEvent) -> bool {
    let (before, decision) = shared.step_from(Input::Failed);
    if decision != Decision::Fail {
        return false;
    }
    shared.set_end(Some(error.clone()), CloseEvent::abnormal());
    shared.carrier.failing(error);
    match before {
        ReadyState::Connecting => shared.carrier.abort(),
        ReadyState::Open => shared.carrier.close(None),
        ReadyState::Closing | ReadyState::Closed => {}
    }
    // Nothing more of the connection is delivered, so it ends alone.
    shared.carrier.detach();
    true
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
