//! One run of a socket that connects again: every connection has a peer of its own, with
//! faults of its own.

use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::time::Duration;

use fastrand::Rng;
use isosocket_core::{Event, Events, ReadyState, Reconnect, WebSocket};
use isosocket_native::{EventLoop, Native, simulation};

use crate::network::Network;
use crate::peer::Message;
use crate::plan::{NetworkPlan, payload};
use crate::run::Faults;

type Again = Reconnect<Native>;

/// When the program closes the socket.
const LAST: Duration = Duration::from_secs(10);
/// Longer than anything takes that is left then.
const LONG: Duration = Duration::from_secs(3000);
const MOST_TURNS: usize = 200_000;
/// How many bytes the program sends at most, about.
const ENOUGH: usize = 50_000;

/// What came from one connection.
#[derive(Debug, Default)]
struct Connection {
    /// Its number among all attempts.
    number: usize,
    messages: Vec<Message>,
}

/// Runs what follows from the seed. Returns what was wrong, and the trace if it was asked for.
pub fn run(seed: u64, trace: bool) -> (Faults, Vec<String>) {
    let mut rng = Rng::with_seed(seed);
    let mut plan = NetworkPlan::new(&mut rng);
    plan.corrupt = None;
    plan.renews = true;
    let mut network = Network::new(plan.clone(), seed);
    network.trace = trace.then(|| vec![format!("{plan:#?}")]);
    let network = Rc::new(RefCell::new(network));
    simulation::install(network.clone());
    let faults = live(&mut rng, &network);
    simulation::uninstall();
    let trace = network.borrow_mut().trace.take();
    (
        faults.unwrap_or_else(|fault| vec![fault]),
        trace.unwrap_or_default(),
    )
}

fn live(rng: &mut Rng, network: &Rc<RefCell<Network>>) -> Result<Faults, String> {
    let event_loop = EventLoop::new().map_err(|error| error.to_string())?;
    let mut event_loop = ManuallyDrop::new(event_loop);
    let attempts = rng.u32(1..6);
    let gives_up = rng.u8(..4) == 0;
    let entered = event_loop.enter();
    let socket = WebSocket::<Again>::builder("ws://192.0.2.1:8080/")
        .connect_timeout(Duration::from_millis(rng.u64(300..2000)))
        .close_timeout(Duration::from_millis(rng.u64(300..2000)))
        .backoff(Duration::from_millis(10), Duration::from_secs(1))
        .min_uptime(Duration::from_millis(100))
        .max_attempts(gives_up.then_some(attempts))
        .connect()
        .map_err(|error| error.to_string())?;
    drop(entered);
    let mut program = Program {
        network: network.clone(),
        events: socket.events(),
        connections: Vec::new(),
        closed: 0,
        failed: false,
        turns: 0,
        faults: Vec::new(),
    };
    let (mut number, mut sent) = (0, 0);
    while program.now() < LAST && program.goes_on() {
        program.turn(&mut event_loop, Duration::from_micros(rng.u64(0..500_000)));
        // Not more than the slowest network takes.
        let count = match sent < ENOUGH && rng.u8(..4) == 0 {
            true => rng.usize(0..4),
            false => 0,
        };
        for _ in 0..count {
            let mut data = u32::to_be_bytes(number).to_vec();
            let shape = crate::plan::shape(rng);
            data.extend(payload(shape, number as usize));
            sent += data.len();
            number += u32::from(socket.send(data).is_ok());
        }
    }
    let is_last = program.closed == 0;
    socket.close();
    if is_last && socket.ready_state() != ReadyState::Closing {
        program
            .faults
            .push("S68: after close the state is not Closing".to_owned());
    }
    let end = program.now() + LONG;
    while program.goes_on() && program.now() < end {
        let left = end - program.now();
        program.turn(&mut event_loop, left);
    }
    if program.closed == 0 {
        program.faults.push("S97: there was no close".to_owned());
    }
    program.check_messages();
    drop(socket);
    let Program {
        events,
        network,
        mut faults,
        ..
    } = program;
    drop(events);
    let end = network.borrow().time() + LONG;
    while network.borrow().time() < end {
        if event_loop.next_deadline().is_none() && network.borrow().open_streams() == 0 {
            break;
        }
        let left = end - network.borrow().time();
        event_loop.turn(Some(left));
    }
    if network.borrow().open_streams() > 0 || event_loop.next_deadline().is_some() {
        faults.push("S102: something is left".to_owned());
    }
    if faults.is_empty() {
        drop(ManuallyDrop::into_inner(event_loop));
    }
    Ok(faults)
}

struct Program {
    network: Rc<RefCell<Network>>,
    events: Events<Again>,
    connections: Vec<Connection>,
    closed: usize,
    failed: bool,
    turns: usize,
    faults: Faults,
}

impl Program {
    fn now(&self) -> Duration {
        self.network.borrow().time()
    }

    fn goes_on(&self) -> bool {
        self.closed == 0 && self.turns < MOST_TURNS
    }

    fn turn(&mut self, event_loop: &mut EventLoop, timeout: Duration) {
        self.turns += 1;
        if self.turns == MOST_TURNS {
            self.faults
                .push("the loop does not come to rest".to_owned());
        }
        event_loop.turn(Some(timeout));
        while let Some(event) = self.events.try_next() {
            self.network
                .borrow_mut()
                .note(|| format!("the program reads {event:?}"));
            if self.closed > 0 {
                self.faults
                    .push(format!("S97: {} follows close", event.kind()));
            }
            match event {
                Event::Open => {
                    let number = self.network.borrow().peers().count() - 1;
                    self.connections.push(Connection {
                        number,
                        messages: Vec::new(),
                    });
                }
                Event::Message(message) => match self.connections.last_mut() {
                    Some(connection) => connection.messages.push(Message {
                        text: message.as_text().is_some(),
                        data: message.as_bytes().to_vec(),
                    }),
                    None => self.faults.push("a message before open".to_owned()),
                },
                Event::Error(_) => self.failed = true,
                Event::Close(close) => {
                    self.closed += 1;
                    if self.failed && close.was_clean {
                        self.faults
                            .push(format!("after an error the close is {close:?}"));
                    }
                }
            }
        }
    }

    fn check_messages(&mut self) {
        let network = self.network.borrow();
        let peers: Vec<_> = network.peers().collect();
        for connection in &self.connections {
            let peer = peers[connection.number];
            if !peer.sent.starts_with(&connection.messages) {
                self.faults.push(format!(
                    "connection {} delivered other messages than were sent",
                    connection.number
                ));
            }
        }
        // Over all connections nothing comes twice, and nothing out of order.
        let mut last = None;
        for (index, peer) in peers.iter().enumerate() {
            if let Some(complaint) = &peer.complaint {
                self.faults
                    .push(format!("peer {index} complains: {complaint}"));
            }
            for message in &peer.received {
                let number = message
                    .data
                    .first_chunk()
                    .map(|bytes| u32::from_be_bytes(*bytes));
                if number.is_none() || number <= last {
                    self.faults
                        .push(format!("after message {last:?} came {number:?}"));
                }
                last = number;
            }
        }
    }
}
