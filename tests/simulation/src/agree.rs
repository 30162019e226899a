//! The mock against the real client: one script for both, and both programs see the same.
//!
//! The peer acts at even tenths of a second and the program at odd ones, over a network
//! without delay, so that there is one right order.

use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use isosocket_core::mock::{self, Mock};
use isosocket_core::{Builder, Event, EventKind, Transport, WebSocket};
use isosocket_native::{EventLoop, Native, simulation};

use crate::network::Network;
use crate::peer::Message;
use crate::plan::{ConnectPlan, NetworkPlan, PeerAct, PeerPlan, Reply, Shape, shape};
use crate::run::Faults;

const URL: &str = "ws://192.0.2.1:8080/";
const TENTH: Duration = Duration::from_millis(100);
/// Longer than all timeouts.
const REST: Duration = Duration::from_secs(60);

/// What happens at one time.
#[derive(Clone, Copy, Debug)]
enum Step {
    PeerSends(Shape),
    PeerCloses(Option<u16>),
    PeerDrops,
    Sends(Shape),
    Closes(Option<u16>),
    Drops,
}

impl Step {
    fn is_peers(self) -> bool {
        matches!(
            self,
            Step::PeerSends(_) | Step::PeerCloses(_) | Step::PeerDrops
        )
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Accepts,
    Refuses,
    Never,
}

#[derive(Debug)]
struct Script {
    answer: Answer,
    /// The peer answers a Close frame.
    answers_close: bool,
    stream: bool,
    steps: Vec<(Duration, Step)>,
}

impl Script {
    fn new(rng: &mut Rng) -> Self {
        let mut steps = Vec::new();
        let mut tenth = 0;
        let mut add = |rng: &mut Rng, step: Step| {
            tenth += rng.u32(1..5);
            if tenth.is_multiple_of(2) != step.is_peers() {
                tenth += 1;
            }
            steps.push((TENTH * tenth, step));
        };
        for _ in 0..rng.usize(0..8) {
            let step = match rng.bool() {
                true => Step::Sends(shape(rng)),
                false => Step::PeerSends(shape(rng)),
            };
            add(rng, step);
        }
        let code = match rng.u8(..3) {
            0 => None,
            1 => Some(1000),
            _ => Some(rng.u16(3000..5000)),
        };
        let last = match rng.u8(..6) {
            0 | 1 => Step::PeerCloses(code),
            2 => Step::PeerDrops,
            3 | 4 => Step::Closes(code),
            _ => Step::Drops,
        };
        add(rng, last);
        // What comes after the end changes nothing.
        for _ in 0..rng.usize(0..3) {
            let step = match rng.bool() {
                true => Step::Sends(shape(rng)),
                false => Step::Closes(None),
            };
            add(rng, step);
        }
        Script {
            answer: match rng.u8(..10) {
                0 => Answer::Refuses,
                1 => Answer::Never,
                _ => Answer::Accepts,
            },
            answers_close: rng.u8(..4) > 0,
            stream: rng.bool(),
            steps,
        }
    }

    /// When the connection ends or begins to end.
    fn end(&self) -> usize {
        let goes_on = |step: &Step| matches!(step, Step::PeerSends(_) | Step::Sends(_));
        let end = self.steps.iter().position(|(_, step)| !goes_on(step));
        end.unwrap_or(self.steps.len())
    }

    fn peer_plan(&self) -> PeerPlan {
        let mut before = Duration::ZERO;
        let acts = self.steps.iter().filter_map(|&(when, step)| {
            let act = match step {
                Step::PeerSends(shape) => PeerAct::Send(shape, 1),
                Step::PeerCloses(code) => PeerAct::Close(code),
                Step::PeerDrops => PeerAct::Drop,
                _ => return None,
            };
            Some((when - std::mem::replace(&mut before, when), act))
        });
        PeerPlan {
            acts: acts.collect(),
            reply: match self.answer {
                Answer::Accepts => Reply::Right,
                Answer::Refuses => Reply::Refusal,
                Answer::Never => Reply::Never,
            },
            answers_close: self.answers_close.then_some(Duration::ZERO),
            ends_tcp: Some(Duration::ZERO),
            answers_ping: true,
        }
    }

    /// The same for a peer of the mock.
    fn instruct(&self, peer: &mock::Peer) {
        match self.answer {
            Answer::Accepts => peer.accept(),
            Answer::Refuses => return drop(peer.refuse("403")),
            Answer::Never => return drop(peer.hang()),
        };
        let (mut before, mut number, mut own) = (Duration::ZERO, 0, 0);
        for &(when, step) in &self.steps[..(self.end() + 1).min(self.steps.len())] {
            let pause = when - before;
            match step {
                Step::PeerSends(shape) => {
                    send_by(peer.delay(pause), Message::new(shape, number));
                    number += 1;
                }
                Step::PeerCloses(None) => drop(peer.delay(pause).close()),
                Step::PeerCloses(Some(code)) => drop(peer.delay(pause).close_with(code, "")),
                Step::PeerDrops => drop(peer.delay(pause).drop_connection()),
                Step::Sends(shape) => {
                    expect_by(peer, Message::new(shape, own));
                    own += 1;
                }
                Step::Closes(_) | Step::Drops if self.answers_close => {}
                Step::Closes(_) | Step::Drops => drop(peer.hang()),
            }
            before = when;
        }
    }
}

fn send_by(peer: &mock::Peer, message: Message) {
    match message.text {
        true => peer.send(String::from_utf8_lossy(&message.data).into_owned()),
        false => peer.send(message.data),
    };
}

fn expect_by(peer: &mock::Peer, message: Message) {
    match message.text {
        true => peer.expect(String::from_utf8_lossy(&message.data).into_owned()),
        false => peer.expect(message.data),
    };
}

/// What one program has seen, in words.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn add(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(line);
    }

    fn event(&self, event: &Event) {
        self.add(match event {
            Event::Open => "open".to_owned(),
            Event::Message(message) => {
                let bytes = message.as_bytes();
                let sum = bytes.iter().fold(7u32, |sum, byte| {
                    sum.wrapping_mul(31).wrapping_add(u32::from(*byte))
                });
                let is_text = message.as_text().is_some();
                format!("message text {is_text}, {} bytes, {sum:08x}", bytes.len())
            }
            // Its text is the target's own (S33).
            Event::Error(_) => "error".to_owned(),
            Event::Close(close) => format!("close {close:?}"),
        });
    }
}

fn connect<T: Transport>(builder: Builder<T>) -> Result<WebSocket<T>, String> {
    let builder = builder.connect_timeout(Duration::from_secs(1));
    let builder = builder.close_timeout(Duration::from_secs(1));
    builder.connect().map_err(|error| error.to_string())
}

/// Runs a program. `advance` lets time pass up to a moment.
fn program<T: Transport>(
    script: &Script,
    socket: WebSocket<T>,
    mut advance: impl FnMut(Duration),
) -> Vec<String> {
    let log = Log::default();
    let mut events = script.stream.then(|| socket.events());
    if !script.stream {
        for kind in EventKind::ALL {
            let log = log.clone();
            let _ = socket.bind(kind, move |_, event| log.event(event));
        }
    }
    let mut socket = Some(socket);
    let mut number = 0;
    let mut pass = |when: Duration, socket: &Option<WebSocket<T>>| {
        advance(when);
        while let Some(event) = events.as_mut().and_then(|events| events.try_next()) {
            log.event(&event);
        }
        if let Some(socket) = socket {
            let (state, buffered) = (socket.ready_state(), socket.buffered_amount());
            log.add(format!("{when:?}: {state:?}, {buffered} buffered"));
        }
    };
    for &(when, step) in &script.steps {
        let later = match step.is_peers() {
            true => TENTH / 2,
            false => Duration::ZERO,
        };
        pass(when + later, &socket);
        match (step, &socket) {
            (Step::Sends(shape), Some(socket)) => {
                let message = Message::new(shape, number);
                let result = match message.text {
                    true => socket.send(String::from_utf8_lossy(&message.data).into_owned()),
                    false => socket.send(message.data),
                };
                number += usize::from(result.is_ok());
                let words = result.map_or_else(|error| error.to_string(), |()| "sent".to_owned());
                log.add(format!("{words}, {} buffered", socket.buffered_amount()));
            }
            (Step::Closes(None), Some(socket)) => socket.close(),
            (Step::Closes(Some(code)), Some(socket)) => {
                let result = socket.close_with(code, "");
                log.add(format!("close: {result:?}, {:?}", socket.ready_state()));
            }
            (Step::Drops, _) => socket = None,
            _ => {}
        }
    }
    let last = script
        .steps
        .last()
        .map_or(Duration::ZERO, |(when, _)| *when);
    pass(last + REST, &socket);
    drop(socket);
    std::mem::take(&mut *log.0.lock().unwrap_or_else(PoisonError::into_inner))
}

fn natively(script: &Script, rng: &mut Rng, seed: u64) -> Result<Vec<String>, String> {
    let mut plan = NetworkPlan::new(rng);
    plan.connect = ConnectPlan::Works;
    plan.latency = (0, 0);
    plan.send_buffer = 1 << 20;
    plan.receive_buffer = 1 << 20;
    plan.corrupt = None;
    plan.cut = None;
    plan.peer = script.peer_plan();
    let network = Rc::new(RefCell::new(Network::new(plan, seed)));
    simulation::install(network.clone());
    let event_loop = EventLoop::new().map_err(|error| error.to_string())?;
    let mut event_loop = ManuallyDrop::new(event_loop);
    let entered = event_loop.enter();
    let socket = connect(WebSocket::<Native>::builder(URL));
    drop(entered);
    let lines = socket.map(|socket| {
        program(script, socket, |when| {
            loop {
                let now = network.borrow().time();
                event_loop.turn(Some(when.saturating_sub(now)));
                if now >= when {
                    break;
                }
            }
        })
    });
    if lines.is_ok() {
        drop(ManuallyDrop::into_inner(event_loop));
    }
    simulation::uninstall();
    lines
}

fn in_the_mock(script: &Script) -> Result<Vec<String>, String> {
    let network = mock::Network::new();
    script.instruct(&network.peer(URL));
    let socket = connect(WebSocket::<Mock>::builder(URL))?;
    Ok(program(script, socket, |when| {
        network.advance(when.saturating_sub(network.now()));
    }))
}

/// Runs what follows from the seed. Returns what differed, and the trace if it was asked for.
pub fn run(seed: u64, trace: bool) -> (Faults, Vec<String>) {
    let mut rng = Rng::with_seed(seed);
    let script = Script::new(&mut rng);
    let (real, mock) = match (natively(&script, &mut rng, seed), in_the_mock(&script)) {
        (Ok(real), Ok(mock)) => (real, mock),
        (Err(fault), _) | (_, Err(fault)) => return (vec![fault], Vec::new()),
    };
    let differ = (0..real.len().max(mock.len())).find(|&at| real.get(at) != mock.get(at));
    let faults = differ.map(|at| {
        let (real, mock) = (real.get(at), mock.get(at));
        format!("line {at}: the client has {real:?}, and the mock {mock:?}")
    });
    let mut lines = Vec::new();
    if trace {
        lines.push(format!("{script:#?}"));
        lines.extend(real.iter().map(|line| format!("client  {line}")));
        lines.extend(mock.iter().map(|line| format!("mock    {line}")));
    }
    (faults.into_iter().collect(), lines)
}
