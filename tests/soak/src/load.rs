//! The sockets, and the program that uses them: it sends to each in turn, and notes when the
//! answer comes.
//!
//! Invariant: a socket has at most one message without an answer, and nothing here grows
//! with time.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use isosocket::{Message, ReadyState, Reconnecting, Status, WebSocket};

use crate::behaviour::{ANSWERS, Behaviour, Peer};
use crate::histogram::Histogram;

const BACKOFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(4));

/// An answer that takes longer, although the connection was not lost, never comes.
const ANSWER_LIMIT: Duration = Duration::from_secs(180);

/// One message in so many is large.
const LARGE_EVERY: u64 = 64;
const LARGE: usize = 64 << 10;

/// What happened since the beginning.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    pub answers: u64,
    /// Connections that were established.
    pub opened: u64,
    /// Attempts that failed, and connections that the program did not end itself.
    pub lost: u64,
    /// Answers that were not what had been sent.
    pub wrong: u64,
    /// Messages that never had an answer, on a connection that was not lost.
    pub unanswered: u64,
    /// Sockets that were to connect again, and gave up.
    pub gave_up: u64,
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Totals {
            answers,
            opened,
            lost,
            wrong,
            unanswered,
            gave_up,
        } = self;
        write!(
            f,
            "{answers} answers, {opened} connections, {lost} losses, {wrong} wrong answers, \
             {unanswered} messages without an answer, {gave_up} sockets that gave up"
        )
    }
}

/// What all handlers write to.
#[derive(Debug, Default)]
struct Shared {
    answers: AtomicU64,
    opened: AtomicU64,
    lost: AtomicU64,
    wrong: AtomicU64,
    gave_up: AtomicU64,
    latencies: Mutex<Histogram>,
}

/// The one message of a socket that is under way.
#[derive(Debug)]
struct Flight {
    shared: Arc<Shared>,
    begin: Instant,
    /// When it was sent, in nanoseconds since the beginning. 0 if there is none.
    sent: AtomicU64,
    number: AtomicU64,
    length: AtomicU64,
    /// Answers on this connection.
    answers: AtomicU32,
    /// The `Close` event has come.
    ended: AtomicBool,
}

impl Flight {
    fn opened(&self) {
        self.shared.opened.fetch_add(1, Ordering::Relaxed);
        self.answers.store(0, Ordering::Relaxed);
        self.sent.store(0, Ordering::Relaxed);
    }

    fn lost(&self) {
        self.shared.lost.fetch_add(1, Ordering::Relaxed);
        self.sent.store(0, Ordering::Relaxed);
    }

    fn answered(&self, message: &Message) {
        let sent = self.sent.swap(0, Ordering::Relaxed);
        let is_right = match message {
            Message::Binary(data) => {
                data.len() as u64 == self.length.load(Ordering::Relaxed)
                    && data.starts_with(&self.number.load(Ordering::Relaxed).to_le_bytes())
            }
            Message::Text(_) => false,
        };
        if !is_right {
            self.shared.wrong.fetch_add(1, Ordering::Relaxed);
        }
        self.answers.fetch_add(1, Ordering::Relaxed);
        self.shared.answers.fetch_add(1, Ordering::Relaxed);
        if sent != 0 {
            let took = self.now().saturating_sub(sent) / 1_000;
            let latencies = self.shared.latencies.lock();
            latencies.unwrap_or_else(PoisonError::into_inner).add(took);
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// A socket of either kind.
#[derive(Debug)]
enum Socket {
    Again(Reconnecting),
    Plain(WebSocket),
}

#[derive(Debug)]
struct Place {
    behaviour: Behaviour,
    urls: Arc<[String]>,
    socket: Option<Socket>,
    flight: Arc<Flight>,
    random: u64,
}

/// All sockets.
#[derive(Debug)]
pub struct Load {
    places: Vec<Place>,
    shared: Arc<Shared>,
    unanswered: u64,
    payload: Vec<u8>,
}

impl Load {
    /// No socket is made before it is visited for the first time.
    pub fn new(peer: &Peer, sockets: usize) -> Self {
        let (shared, begin) = (Arc::<Shared>::default(), Instant::now());
        let place = |index: usize| Place {
            behaviour: Behaviour::of(index),
            urls: Behaviour::of(index).urls(peer).into(),
            socket: None,
            flight: Arc::new(Flight {
                shared: shared.clone(),
                begin,
                sent: AtomicU64::new(0),
                number: AtomicU64::new(index as u64),
                length: AtomicU64::new(0),
                answers: AtomicU32::new(0),
                ended: AtomicBool::new(false),
            }),
            random: index as u64 + 1,
        };
        Load {
            places: (0..sockets).map(place).collect(),
            shared,
            unanswered: 0,
            payload: (0..LARGE).map(|at| at as u8).collect(),
        }
    }

    /// The next message of a socket, or the next socket.
    pub fn visit(&mut self, index: usize) {
        let place = &mut self.places[index];
        match &place.socket {
            None => place.connect(),
            Some(Socket::Plain(_)) if place.flight.ended.load(Ordering::Relaxed) => {
                place.connect();
            }
            Some(Socket::Plain(socket))
                if place.flight.answers.load(Ordering::Relaxed) >= ANSWERS =>
            {
                // It may not end before it is closed, and be replaced then; or be dropped
                // while it is open.
                match place.flight.number.load(Ordering::Relaxed) % 2 {
                    0 => socket.close(),
                    _ => place.connect(),
                }
            }
            Some(_) => self.send(index),
        }
    }

    fn send(&mut self, index: usize) {
        let place = &mut self.places[index];
        let flight = &place.flight;
        let (now, sent) = (flight.now(), flight.sent.load(Ordering::Relaxed));
        if sent != 0 {
            let limit = ANSWER_LIMIT.as_nanos() as u64;
            if now.saturating_sub(sent) > limit && flight.sent.swap(0, Ordering::Relaxed) == sent {
                self.unanswered += 1;
            }
            return;
        }
        let length = place.random_length();
        let number = place.flight.number.load(Ordering::Relaxed) + 1;
        let payload = &mut self.payload[..length];
        payload[..8].copy_from_slice(&number.to_le_bytes());
        place.send(number, now, payload);
    }

    pub fn totals(&self) -> Totals {
        let get = |number: &AtomicU64| number.load(Ordering::Relaxed);
        Totals {
            answers: get(&self.shared.answers),
            opened: get(&self.shared.opened),
            lost: get(&self.shared.lost),
            wrong: get(&self.shared.wrong),
            unanswered: self.unanswered,
            gave_up: get(&self.shared.gave_up),
        }
    }

    /// How many sockets are open now.
    pub fn open(&self) -> usize {
        let is_open = |place: &&Place| place.state() == Some(ReadyState::Open);
        self.places.iter().filter(is_open).count()
    }

    /// Takes the times of the answers since the last call.
    pub fn take_latencies(&self) -> Histogram {
        let latencies = self.shared.latencies.lock();
        latencies.unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Place {
    fn state(&self) -> Option<ReadyState> {
        match self.socket.as_ref()? {
            Socket::Again(socket) => Some(socket.ready_state()),
            Socket::Plain(socket) => Some(socket.ready_state()),
        }
    }

    /// Makes the socket. One that was there is dropped.
    fn connect(&mut self) {
        let made = match self.behaviour {
            Behaviour::ProgramLeaves => self.plain().map(Socket::Plain),
            _ => self.again().map(Socket::Again),
        };
        // The URLs are good, so an error means that there is no socket at all.
        self.socket = Some(made.expect("a socket can be made"));
    }

    fn plain(&mut self) -> Result<WebSocket, isosocket::NewError> {
        // Events of the socket before this one write to its own.
        let old = &self.flight;
        self.flight = Arc::new(Flight {
            shared: old.shared.clone(),
            begin: old.begin,
            sent: AtomicU64::new(0),
            number: AtomicU64::new(old.number.load(Ordering::Relaxed) + 1),
            length: AtomicU64::new(0),
            answers: AtomicU32::new(0),
            ended: AtomicBool::new(false),
        });
        let flight = || self.flight.clone();
        let (open, message, error, close) = (flight(), flight(), flight(), flight());
        WebSocket::builder(&self.urls[0])
            .on_open(move |_| open.opened())
            .on_message(move |_, data| message.answered(data))
            .on_error(move |_, _| error.lost())
            .on_close(move |_, _| close.ended.store(true, Ordering::Relaxed))
            .connect()
    }

    fn again(&self) -> Result<Reconnecting, isosocket::NewError> {
        let (status, message) = (self.flight.clone(), self.flight.clone());
        let (urls, mut turn) = (self.urls.clone(), 0);
        Reconnecting::builder(&self.urls[0])
            .url_provider(move |_| {
                let url = urls[turn % urls.len()].clone();
                turn += 1;
                async move { Ok::<_, std::convert::Infallible>(url) }
            })
            .backoff(BACKOFF.0, BACKOFF.1)
            .refuse_while_down()
            .on_status(move |_, now| match now {
                Status::Open => status.opened(),
                Status::Waiting { .. } => status.lost(),
                Status::GaveUp(loss) => {
                    eprintln!("a socket gave up: {loss:#}");
                    status.shared.gave_up.fetch_add(1, Ordering::Relaxed);
                }
                _ => {}
            })
            .on_message(move |_, data| message.answered(data))
            .connect()
    }

    fn send(&self, number: u64, now: u64, payload: &[u8]) {
        if self.state() != Some(ReadyState::Open) {
            return;
        }
        let flight = &self.flight;
        flight.number.store(number, Ordering::Relaxed);
        flight.length.store(payload.len() as u64, Ordering::Relaxed);
        flight.sent.store(now, Ordering::Relaxed);
        let sent = match &self.socket {
            Some(Socket::Again(socket)) => socket.send(payload).is_ok(),
            Some(Socket::Plain(socket)) => socket.send(payload).is_ok(),
            None => false,
        };
        if !sent {
            flight.sent.store(0, Ordering::Relaxed);
        }
    }

    /// From 16 bytes to 1 KiB, and seldom 64 KiB.
    fn random_length(&mut self) -> usize {
        // Knuth's generator of 64 bits; the upper ones are the good ones.
        const FACTOR: u64 = 6_364_136_223_846_793_005;

        self.random = self.random.wrapping_mul(FACTOR).wrapping_add(1);
        let random = self.random >> 33;
        match random % LARGE_EVERY {
            0 => LARGE,
            _ => 16 + (random / LARGE_EVERY % 1009) as usize,
        }
    }
}
