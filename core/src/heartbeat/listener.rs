//! The listener that keeps a socket's heartbeat, and its timer.
//!
//! It comes before all other listeners of its socket. Its timer rings outside every
//! turn, and takes one. Invariant: it knows the socket weakly, so nothing is left of it
//! when the socket ends.

use std::mem;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::beat::{Beat, Rule, Verdict};
use super::options::IsAnswer;
use crate::base::guard::Owned;
use crate::base::maybe_send::Lock;
use crate::delivery::Listener;
use crate::socket::carrier::{HostOf, host};
use crate::socket::shared::Shared;
use crate::socket::turn::SocketTurn;
use crate::{
    Data, ErrorEvent, Event, Host, HostEvent, Message, ReadyState, Subscription, Transport,
    WebSocket,
};

/// How often the listener looks again before a peer counts as dead. A message that has arrived
/// may be delivered after the timer (S106).
const ROUNDS: u32 = 2;

/// A heartbeat, or an idle timeout.
pub(crate) struct Watch<T: Transport> {
    pulse: Arc<Pulse<T>>,
    answer: Option<Owned<Box<dyn IsAnswer>>>,
    delivers_answers: bool,
}

impl<T: Transport> Watch<T> {
    pub(crate) fn new(
        rule: Rule,
        message: Option<Message>,
        answer: Option<Owned<Box<dyn IsAnswer>>>,
        delivers_answers: bool,
    ) -> Self {
        let pulse = Arc::new(Pulse {
            rule,
            message,
            running: Lock::new(None),
        });
        Watch {
            pulse,
            answer,
            delivers_answers,
        }
    }

    /// A message arrived. Returns whether it is an answer that nobody else gets.
    fn on_message(&mut self, socket: &WebSocket<T>, message: &Message) -> bool {
        let mut is_answer = false;
        if let Some(answer) = &mut self.answer {
            answer.call(|answer| answer.call(message, &mut is_answer));
        }
        if let Some(running) = &mut *self.pulse.running.lock() {
            let now = running.host.now();
            running.beat.heard(now);
            running.rounds = ROUNDS;
            if let Some(sent) = running.sent.take_if(|_| is_answer) {
                socket.shared.set_latency(now.saturating_sub(sent));
            }
        }
        is_answer && !self.delivers_answers
    }
}

impl<T: Transport> Listener<WebSocket<T>> for Watch<T> {
    fn call(&mut self, socket: &WebSocket<T>, event: &mut Event) {
        match event {
            Event::Open => Pulse::begin(&self.pulse, socket),
            Event::Message(message) => {
                if self.on_message(socket, message) {
                    *event = Event::Open;
                }
            }
            Event::Error(_) | Event::Close(_) => self.pulse.end(),
        }
    }
}

/// What the listener and its timer share.
struct Pulse<T: Transport> {
    rule: Rule,
    /// The message that asks.
    message: Option<Message>,
    /// `None` while there is no connection.
    running: Lock<Option<Running<T>>>,
}

struct Running<T: Transport> {
    host: HostOf<T>,
    beat: Beat,
    /// When the question was sent that is not answered yet.
    sent: Option<Duration>,
    rounds: u32,
    /// Dropping it cancels the call.
    timer: Option<<HostOf<T> as Host>::Timer>,
    _waking: Subscription,
}

impl<T: Transport> Pulse<T> {
    /// There is a connection.
    fn begin(self: &Arc<Self>, socket: &WebSocket<T>) {
        // Not before: only a turn is certain to be on the thread where the socket lives.
        let host = host::<T>();
        let (beat, delay) = Beat::new(self.rule, host.now());
        let running = Running {
            _waking: self.listen(&host, &socket.shared),
            host,
            beat,
            sent: None,
            rounds: ROUNDS,
            timer: None,
        };
        let before = self.running.lock().replace(running);
        drop(before);
        self.set_timer(&socket.shared, delay);
    }

    /// Listens to the socket's host, if there is something to ask.
    fn listen(self: &Arc<Self>, host: &HostOf<T>, shared: &Arc<Shared<T>>) -> Subscription {
        if let Rule::Silence(_) = self.rule {
            return Subscription::default();
        }
        let (pulse, socket) = (Arc::downgrade(self), Arc::downgrade(shared));
        host.listen(Arc::new(move |event| {
            visit(&pulse, &socket, |pulse, turn| pulse.look(turn, Some(event)));
        }))
    }

    /// While the peer is being tested, how long it has to answer.
    fn test(&self) -> Option<Duration> {
        self.running.lock().as_ref()?.beat.test()
    }

    fn end(&self) {
        let running = self.running.lock().take();
        // A timer may own other things, so it is dropped outside the lock.
        drop(running);
    }

    fn set_timer(self: &Arc<Self>, shared: &Arc<Shared<T>>, delay: Duration) {
        let (pulse, socket) = (Arc::downgrade(self), Arc::downgrade(shared));
        let Some(host) = self.running.lock().as_ref().map(|it| it.host.clone()) else {
            return;
        };
        // Without a timer there is no heartbeat. So no live peer counts as dead.
        let ring = move || visit(&pulse, &socket, |pulse, turn| pulse.look(turn, None));
        let timer = host.after(delay, ring).ok();
        let before = match &mut *self.running.lock() {
            Some(running) => mem::replace(&mut running.timer, timer),
            None => timer,
        };
        drop(before);
    }

    /// Looks at the connection, in a turn: because it is time, or because something
    /// happened to the host (S116).
    fn look(self: &Arc<Self>, turn: &mut SocketTurn<T>, event: Option<HostEvent>) {
        let Some(shared) = turn.shared() else { return };
        if shared.state() != ReadyState::Open {
            return self.end();
        }
        let life = shared.carrier.last_life(self.test().is_some());
        let verdict = match &mut *self.running.lock() {
            None => return,
            Some(running) => {
                if let Some(when) = life {
                    running.beat.alive(when);
                }
                let now = running.host.now();
                let verdict = match event {
                    None => running.beat.judge(now),
                    Some(HostEvent::Offline) => running.beat.ask_now(now, None),
                    Some(HostEvent::WokeUp) => {
                        let limit = self.rule.test_timeout(shared.latency());
                        running.beat.ask_now(now, limit)
                    }
                };
                match verdict {
                    Verdict::Dead if running.rounds > 0 => {
                        running.rounds -= 1;
                        Verdict::Wait(Duration::ZERO)
                    }
                    verdict => {
                        running.rounds = ROUNDS;
                        verdict
                    }
                }
            }
        };
        self.carry_out(turn, verdict);
    }

    fn carry_out(self: &Arc<Self>, turn: &mut SocketTurn<T>, verdict: Verdict) {
        let Some(shared) = turn.shared() else { return };
        match verdict {
            Verdict::Wait(delay) => self.set_timer(&shared, delay),
            Verdict::Ask(timeout) => {
                if let Some(running) = &mut *self.running.lock() {
                    running.sent = Some(running.host.now());
                }
                if let Some(message) = &self.message {
                    // If there is no room, the network accepts nothing, and the timeout runs.
                    let sent = shared.carrier.send_heartbeat(message.as_message());
                    shared.count_if_sent(&sent, || message.len());
                }
                self.set_timer(&shared, timeout);
            }
            Verdict::Dead => {
                let error = match (self.rule, self.test()) {
                    (Rule::Silence(time), _) => ErrorEvent::silent(time),
                    (Rule::Ask { timeout, .. }, None) => ErrorEvent::unanswered(timeout),
                    (_, Some(limit)) => ErrorEvent::unanswered(limit),
                };
                self.end();
                if let Some(error) = shared.carrier.lose(error) {
                    turn.fail(error);
                }
            }
        }
    }
}

/// Calls `f` in a turn, if the socket is still there.
fn visit<T: Transport>(
    pulse: &Weak<Pulse<T>>,
    socket: &Weak<Shared<T>>,
    f: impl FnOnce(&Arc<Pulse<T>>, &mut SocketTurn<T>),
) {
    let (Some(pulse), Some(shared)) = (pulse.upgrade(), socket.upgrade()) else {
        return;
    };
    shared.with_turn(|turn| f(&pulse, turn));
}
