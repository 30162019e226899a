//! One simulated connection. It has what the client sent, and the script of its peer.
//!
//! Invariant: turns are taken by tasks of the network and never inside a call
//! of the transport (S98), with no lock held.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::script::{Placed, Progress, Script, Sent, Step};
use super::world::{MockTimer, World};
use crate::contract::request::without_secrets;
use crate::{CloseEvent, ErrorEvent, ErrorKind, Link, Options, Report, Timeout, Traffic, Turn};

/// How many bytes a stream may leave lying before the peer is not read from.
const RECEIVE_LIMIT: usize = 4 << 20;
/// After so many bytes in one turn it is asked whether they lie.
const CHECK_EVERY: usize = 64 << 10;

/// A connection, shared with the network's tasks.
pub(crate) struct Connection(Mutex<Inner>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    New,
    Connecting,
    Open,
    Ended,
}

pub(super) struct Inner {
    pub(super) url: String,
    pub(super) subprotocols: Vec<String>,
    pub(super) options: Options,
    pub(super) phase: Phase,
    pub(super) link: Option<Link>,
    pub(super) script: Option<Arc<Script>>,
    /// What the client sent: before the network took it, and after.
    pub(super) outgoing: VecDeque<Sent>,
    pub(super) inbox: VecDeque<Sent>,
    pub(super) buffered: usize,
    /// What the messages count for that the network has not taken.
    pub(super) queued_weight: usize,
    /// All messages that the client has sent.
    pub(super) sent: Traffic,
    /// Somebody waits until `queued_weight` is no more than this.
    pub(super) mark: Option<usize>,
    /// The connect timeout's timer, later the close timeout's.
    pub(super) deadline: Option<MockTimer>,
    pub(super) expired: bool,
    pub(super) delay: Option<MockTimer>,
    pub(super) aborted: bool,
    pub(super) stalled: bool,
    pub(super) hanging: bool,
    /// A stream of the program is full.
    pub(super) paused: bool,
    /// The client's Close frame, once the script has had it.
    pub(super) close_received: Option<Option<(u16, String)>>,
    /// How the connection ends, once the peer's Close frame has arrived.
    pub(super) peer_close: Option<CloseEvent>,
    /// A task is on its way.
    pub(super) queued: bool,
}

/// What a connection does next.
enum Act {
    Wait,
    /// Once more.
    Again,
    /// Reports that the buffered amount fell.
    Drained(Option<Link>),
    Report(Report),
    /// Reports, and is over.
    End(Report),
}

impl Connection {
    /// A connection that has not started.
    pub(super) fn new(url: String, subprotocols: Vec<String>, options: Options) -> Arc<Self> {
        Arc::new(Connection(Mutex::new(Inner {
            url,
            subprotocols,
            options,
            phase: Phase::New,
            link: None,
            script: None,
            outgoing: VecDeque::new(),
            inbox: VecDeque::new(),
            buffered: 0,
            queued_weight: 0,
            sent: Traffic::default(),
            mark: None,
            deadline: None,
            expired: false,
            delay: None,
            aborted: false,
            stalled: false,
            hanging: false,
            paused: false,
            close_received: None,
            peer_close: None,
            queued: false,
        })))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Has the network come by.
    pub(crate) fn wake(self: &Arc<Self>, world: &Arc<World>) {
        if !std::mem::replace(&mut self.lock().queued, true) {
            let (connection, own) = (self.clone(), world.clone());
            world.soon(move || connection.visit(&own));
        }
    }

    /// Goes on as far as that is possible now, in one turn.
    fn visit(self: Arc<Self>, world: &Arc<World>) {
        let link = {
            let mut inner = self.lock();
            inner.queued = false;
            inner.link.clone()
        };
        let mut turn: Option<Turn> = None;
        let mut unchecked = 0;
        loop {
            let act = self.lock().next(&self, world);
            let (report, is_end) = match act {
                Act::Wait => break,
                Act::Again => continue,
                Act::Drained(link) => {
                    if let Some(link) = link {
                        link.drained();
                    }
                    continue;
                }
                Act::Report(report) => (report, false),
                Act::End(report) => (report, true),
            };
            if turn.is_none() {
                turn = link.as_ref().and_then(Link::turn);
            }
            if let Report::Message(message) = &report {
                unchecked += message.weight();
            }
            if let Some(turn) = &mut turn {
                match report {
                    // As backends do.
                    Report::Message(message) => turn.message(message),
                    report => turn.report(report),
                }
            }
            if is_end {
                let held = self.lock().release();
                drop(held);
                break;
            }
            if unchecked > CHECK_EVERY {
                unchecked = 0;
                self.check_backlog(turn.as_mut());
            }
        }
        self.check_backlog(turn.as_mut());
    }

    fn check_backlog(&self, turn: Option<&mut Turn>) {
        if turn.is_some_and(|turn| turn.is_backlogged(RECEIVE_LIMIT)) {
            let mut inner = self.lock();
            // After `close` messages are dropped, so nothing blocks reading.
            inner.paused = !inner.is_closing();
        }
    }

    pub(super) fn set_deadline(self: &Arc<Self>, world: &Arc<World>, timeout: Option<Duration>) {
        let (connection, own) = (self.clone(), world.clone());
        let expire = move || {
            connection.lock().expired = true;
            connection.wake(&own);
        };
        let timer = timeout.and_then(|timeout| world.after(timeout, expire));
        let before = std::mem::replace(&mut self.lock().deadline, timer);
        drop(before);
    }
}

impl Inner {
    fn is_closing(&self) -> bool {
        let is_close = |sent: &Sent| matches!(sent, Sent::Close(_));
        self.close_received.is_some()
            || self.outgoing.iter().any(is_close)
            || self.inbox.iter().any(is_close)
    }

    /// Decides what happens next; `own` is this very connection.
    fn next(&mut self, own: &Arc<Connection>, world: &Arc<World>) -> Act {
        match self.phase {
            Phase::New | Phase::Ended => return Act::Wait,
            Phase::Connecting | Phase::Open => {}
        }
        if self.aborted {
            let cause = "the socket was closed before the connection was established";
            return failed(ErrorKind::Aborted, cause);
        }
        if self.expired {
            return match self.phase {
                Phase::Open => Act::End(Report::Closed(CloseEvent::abnormal())),
                _ => failed(
                    ErrorKind::TimedOut(Timeout::Connect),
                    "the connection was not established in time",
                ),
            };
        }
        if let Some(close) = self.peer_close.take() {
            return Act::End(Report::Closed(close));
        }
        let Some(script) = self.script.clone().or_else(|| self.find(own, world)) else {
            let problem = format!(
                "unexpected connection to {}: no peer is left there",
                without_secrets(&self.url)
            );
            world.complain(problem.clone());
            return failed(ErrorKind::Unknown, &problem);
        };
        if !self.stalled && !self.outgoing.is_empty() {
            self.inbox.append(&mut self.outgoing);
            self.buffered = 0;
            self.queued_weight = 0;
            return Act::Drained(self.mark.take().and(self.link.clone()));
        }
        if self.hanging {
            self.inbox.clear();
        }
        if self.hanging || self.paused || self.delay.is_some() {
            return Act::Wait;
        }
        let mut progress = script.progress();
        match self.phase {
            Phase::Connecting => self.open(own, world, &mut progress),
            _ => self.go_on(own, world, &script, &mut progress),
        }
    }

    /// The first script at this URL that no connection follows.
    fn find(&mut self, own: &Arc<Connection>, world: &Arc<World>) -> Option<Arc<Script>> {
        self.script = world.with(|state| {
            let is_free = |script: &&Arc<Script>| {
                script.url == self.url && script.progress().number.is_none()
            };
            state.connections += 1;
            let script = state.scripts.iter().find(is_free)?;
            let mut progress = script.progress();
            progress.number = Some(state.connections);
            progress.connection = Arc::downgrade(own);
            Some(script.clone())
        });
        self.script.clone()
    }

    /// The opening handshake, up to the first step after it.
    fn open(&mut self, own: &Arc<Connection>, world: &Arc<World>, progress: &mut Progress) -> Act {
        let (protocol, extensions) = match progress.steps.front() {
            Some((Step::Delay(_) | Step::Hang | Step::Stall | Step::Drain, _)) => {
                return self.take(own, world, progress);
            }
            Some((Step::Refuse(_) | Step::Fail(_) | Step::Drop, _)) => {
                return match progress.take() {
                    Some((Step::Refuse(error) | Step::Fail(error), _)) => {
                        Act::End(Report::Failed(error))
                    }
                    _ => failed(
                        ErrorKind::Reset,
                        "the peer dropped the connection before it was established",
                    ),
                };
            }
            Some((Step::Accept { .. }, _)) => match progress.take() {
                Some((
                    Step::Accept {
                        protocol,
                        extensions,
                    },
                    _,
                )) => (protocol, extensions),
                _ => return Act::Wait,
            },
            _ => (None, String::new()),
        };
        let offered = &self.subprotocols;
        let protocol = protocol.unwrap_or_else(|| offered.first().cloned().unwrap_or_default());
        // S25–S27.
        if protocol.is_empty() != offered.is_empty()
            || !(protocol.is_empty() || offered.contains(&protocol))
        {
            let cause = "the peer chose a subprotocol that was not offered, or none";
            return failed(ErrorKind::HandshakeInvalid, cause);
        }
        self.phase = Phase::Open;
        self.deadline = None;
        Act::Report(Report::Established {
            protocol,
            extensions,
        })
    }

    /// The next step of an open connection.
    fn go_on(
        &mut self,
        own: &Arc<Connection>,
        world: &Arc<World>,
        script: &Script,
        progress: &mut Progress,
    ) -> Act {
        match progress.steps.front() {
            Some((Step::Expect(_) | Step::ExpectWhere(..) | Step::ExpectClose(_), _)) => {
                self.compare(world, script, progress)
            }
            Some((Step::Accept { .. } | Step::Refuse(_), _)) => {
                let (step, place) = progress.take().expect("there is a first step");
                let name = script.name(progress);
                let problem = format!("{name}: {step} ({place}): it was accepted before");
                self.go_wrong(world, progress, problem)
            }
            Some(_) => self.take(own, world, progress),
            None => self.after_the_script(world, script, progress),
        }
    }

    /// The client's next message, as far as it came, with what the peer expects.
    fn compare(&mut self, world: &Arc<World>, script: &Script, progress: &mut Progress) -> Act {
        let (Some(sent), Some((step, place))) = (self.inbox.pop_front(), progress.steps.front())
        else {
            return Act::Wait;
        };
        if step.matches(&sent) {
            progress.take();
            if let Sent::Close(frame) = sent {
                self.close_received = Some(frame);
            }
            return Act::Again;
        }
        let name = script.name(progress);
        let number = progress.taken + 1;
        let problem = format!("{name}: step {number}, {step} ({place}): got {sent}");
        self.disagree(world, progress, problem, sent)
    }

    fn after_the_script(
        &mut self,
        world: &Arc<World>,
        script: &Script,
        progress: &mut Progress,
    ) -> Act {
        if let Some(frame) = self.close_received.take() {
            return answer(frame);
        }
        match self.inbox.pop_front() {
            None => Act::Wait,
            Some(Sent::Close(frame)) => answer(frame),
            Some(sent) => {
                let name = script.name(progress);
                let steps = progress.taken;
                let problem = format!("{name}: got {sent} after all {steps} steps of the script");
                self.disagree(world, progress, problem, sent)
            }
        }
    }

    /// What the client sent is not what the script has. A Close frame is
    /// answered all the same, so that the program under test comes to its end.
    fn disagree(
        &mut self,
        world: &Arc<World>,
        progress: &mut Progress,
        problem: String,
        sent: Sent,
    ) -> Act {
        let act = self.go_wrong(world, progress, problem);
        match sent {
            Sent::Close(frame) => answer(frame),
            Sent::Message(_) => act,
        }
    }

    fn go_wrong(&mut self, world: &Arc<World>, progress: &mut Progress, problem: String) -> Act {
        progress.failed = true;
        world.complain(problem.clone());
        failed(ErrorKind::Unknown, &problem)
    }

    /// A step that waits for nothing.
    fn take(&mut self, own: &Arc<Connection>, world: &Arc<World>, progress: &mut Progress) -> Act {
        let Some((step, _)): Option<Placed> = progress.take() else {
            return Act::Wait;
        };
        match step {
            Step::Delay(delay) => {
                let (connection, again) = (own.clone(), world.clone());
                self.delay = world.after(delay, move || {
                    let timer = connection.lock().delay.take();
                    drop(timer);
                    connection.wake(&again);
                });
            }
            Step::Hang => self.hanging = true,
            Step::Stall => self.stalled = true,
            Step::Drain => self.stalled = false,
            Step::Send(message) if message.len() > self.options.max_message_size => {
                // S62
                return failed(
                    ErrorKind::MessageTooLarge,
                    "a message is larger than the limit",
                );
            }
            Step::Send(message) => return Act::Report(Report::Message(message)),
            Step::Close(frame) => {
                self.peer_close = Some(close_event(frame));
                return Act::Report(Report::PeerClosing);
            }
            Step::Drop => return Act::End(Report::Closed(CloseEvent::abnormal())),
            Step::Fail(error) => return Act::End(Report::Failed(error)),
            Step::Accept { .. }
            | Step::Refuse(_)
            | Step::Expect(_)
            | Step::ExpectWhere(..)
            | Step::ExpectClose(_) => {}
        }
        Act::Again
    }

    /// The end. Returns everything that leads back here, to be dropped outside the lock.
    fn release(&mut self) -> impl Sized + use<> {
        self.phase = Phase::Ended;
        (self.link.take(), self.deadline.take(), self.delay.take())
    }
}

fn failed(kind: ErrorKind, cause: &str) -> Act {
    Act::End(Report::Failed(ErrorEvent::with_kind(kind, cause)))
}

fn answer(frame: Option<(u16, String)>) -> Act {
    Act::End(Report::Closed(close_event(frame)))
}

fn close_event(frame: Option<(u16, String)>) -> CloseEvent {
    let (code, reason) = frame.unwrap_or((1005, String::new()));
    CloseEvent::new(code, reason, true)
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}
