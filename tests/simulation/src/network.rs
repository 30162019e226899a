//! A model of a network: two pipes for each connection, which split, delay, stall and
//! corrupt what passes, and end in all the ways in which TCP ends.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use fastrand::Rng;
use isosocket_native::simulation::{News, System};

use crate::peer::{Outcome, Peer};
use crate::plan::{ConnectPlan, NetworkPlan, PeerPlan};

/// Something that happens at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Occurrence {
    Connected,
    ReachesPeer,
    ReachesClient,
    PeerTimer,
    Cut,
}

/// How a direction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// FIN.
    Shutdown,
    /// RST.
    Reset,
}

/// One piece on its way.
#[derive(Debug)]
enum Piece {
    Bytes(Vec<u8>),
    End(End),
}

/// One direction.
#[derive(Debug, Default)]
struct Pipe {
    in_flight: VecDeque<(Duration, Piece)>,
    /// How many bytes are in flight, or have arrived and are not read.
    held: usize,
    last_arrival: Duration,
    /// How many bytes have ever entered.
    entered: usize,
    ended: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Connecting,
    Connected,
    Refused,
}

#[derive(Debug)]
struct Connection {
    phase: Phase,
    error: Option<io::ErrorKind>,
    to_peer: Pipe,
    to_client: Pipe,
    arrived: VecDeque<u8>,
    /// The end of what the peer sends has arrived.
    end: Option<End>,
    /// The reset was reported to the client.
    reset_reported: bool,
    /// The client knows that there is no room.
    is_blocked: bool,
    /// From now on nothing passes.
    is_cut: bool,
    watched: bool,
    closed: bool,
    peer: Peer,
    /// What the peer has written and the network has not taken.
    outgoing: VecDeque<u8>,
    ending: Option<End>,
    meter: Meter,
    /// When the network last took bytes of the client.
    last_taken: Duration,
    /// A reset overtook bytes of the peer.
    lost: bool,
    /// A reset is on its way to the client, or has arrived.
    was_reset: bool,
}

/// Distinguishes payload from framing in what the client writes.
#[derive(Debug, Default)]
struct Meter {
    /// The end of the request's head was found.
    begun: bool,
    header: Vec<u8>,
    left: u64,
    counts: bool,
    payload: usize,
}

impl Meter {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if !self.begun {
                self.header.push(*byte);
                self.begun = self.header.ends_with(b"\r\n\r\n");
                if self.begun {
                    self.header.clear();
                }
            } else if self.left > 0 {
                self.left -= 1;
                self.payload += usize::from(self.counts);
            } else {
                self.header.push(*byte);
                let extended = match self.header.get(1).map(|second| second & 0x7f) {
                    Some(126) => 2,
                    Some(127) => 8,
                    _ => 0,
                };
                if self.header.len() == 6 + extended {
                    let length = &self.header[2..2 + extended];
                    self.left = match extended {
                        0 => u64::from(self.header[1] & 0x7f),
                        _ => length
                            .iter()
                            .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
                    };
                    self.counts = self.header[0] & 0x08 == 0;
                    self.header.clear();
                }
            }
        }
    }
}

/// The network, its clock, and the peers behind it.
pub struct Network {
    now: Duration,
    rng: Rng,
    plan: NetworkPlan,
    connections: Vec<Connection>,
    agenda: BinaryHeap<Reverse<(Duration, u64, usize, Occurrence)>>,
    number: u64,
    news: BTreeSet<usize>,
    pub trace: Option<Vec<String>>,
}

impl Network {
    pub fn new(plan: NetworkPlan, seed: u64) -> Self {
        Network {
            now: Duration::ZERO,
            rng: Rng::with_seed(seed),
            plan,
            connections: Vec::new(),
            agenda: BinaryHeap::new(),
            number: 0,
            news: BTreeSet::new(),
            trace: None,
        }
    }

    pub fn time(&self) -> Duration {
        self.now
    }

    /// The peers of all connections so far.
    pub fn peers(&self) -> impl Iterator<Item = &Peer> {
        self.connections.iter().map(|connection| &connection.peer)
    }

    /// Streams that the client has not dropped.
    pub fn open_streams(&self) -> usize {
        let open = |connection: &&Connection| !connection.closed;
        self.connections.iter().filter(open).count()
    }

    /// How many bytes of payload of data frames the network has taken from the client.
    pub fn payload_taken(&self, stream: usize) -> usize {
        self.connections
            .get(stream)
            .map_or(0, |it| it.meter.payload)
    }

    /// When the network last took bytes of the client.
    pub fn last_taken(&self, stream: usize) -> Duration {
        self.connections
            .get(stream)
            .map_or(Duration::ZERO, |it| it.last_taken)
    }

    /// Whether bytes of the peer were lost, or are still on their way.
    pub fn has_lost(&self, stream: usize) -> bool {
        let lost = |it: &Connection| it.lost || !it.outgoing.is_empty();
        self.connections.get(stream).is_none_or(lost)
    }

    pub fn note(&mut self, text: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            let milliseconds = self.now.as_secs_f64() * 1000.0;
            trace.push(format!("{milliseconds:10.3} ms  {}", text()));
        }
    }

    fn at(&mut self, when: Duration, stream: usize, what: Occurrence) {
        self.number += 1;
        self.agenda.push(Reverse((when, self.number, stream, what)));
    }

    fn delay(&mut self) -> Duration {
        let (least, most) = self.plan.latency;
        Duration::from_micros(self.rng.u64(least..=most))
    }

    fn piece_size(&mut self, most: usize) -> usize {
        match self.rng.u8(..100) < self.plan.splits {
            true => self.rng.usize(1..=most),
            false => most,
        }
    }

    fn happen(&mut self, stream: usize, what: Occurrence) {
        match what {
            Occurrence::Connected => {
                let connection = &mut self.connections[stream];
                match self.plan.connect {
                    ConnectPlan::Refused => {
                        connection.phase = Phase::Refused;
                        connection.error = Some(io::ErrorKind::ConnectionRefused);
                    }
                    _ => connection.phase = Phase::Connected,
                }
                self.news.insert(stream);
                self.note(|| format!("#{stream} connected"));
                let outcome = self.connections[stream].peer.start(self.now);
                self.follow(stream, outcome);
            }
            Occurrence::ReachesPeer => self.reach_peer(stream),
            Occurrence::ReachesClient => self.reach_client(stream),
            Occurrence::PeerTimer => {
                let outcome = self.connections[stream].peer.on_time(self.now);
                self.follow(stream, outcome);
                self.reach_peer(stream);
            }
            Occurrence::Cut => {
                self.connections[stream].is_cut = true;
                self.note(|| format!("#{stream} nothing passes any more"));
            }
        }
    }

    fn reach_peer(&mut self, stream: usize) {
        loop {
            let connection = &mut self.connections[stream];
            let due = connection.to_peer.in_flight.front();
            if connection.is_cut || due.is_none_or(|(when, _)| *when > self.now) {
                return;
            }
            if !connection.peer.reads(self.now) {
                return;
            }
            let Some((_, piece)) = connection.to_peer.in_flight.pop_front() else {
                return;
            };
            let outcome = match piece {
                Piece::Bytes(bytes) => {
                    connection.to_peer.held -= bytes.len();
                    if connection.is_blocked {
                        connection.is_blocked = false;
                        self.news.insert(stream);
                    }
                    connection.peer.on_bytes(&bytes, self.now)
                }
                Piece::End(end) => connection.peer.on_end(end == End::Reset, self.now),
            };
            self.follow(stream, outcome);
        }
    }

    fn reach_client(&mut self, stream: usize) {
        let connection = &mut self.connections[stream];
        while let Some((when, _)) = connection.to_client.in_flight.front() {
            if *when > self.now || connection.is_cut {
                break;
            }
            match connection.to_client.in_flight.pop_front() {
                Some((_, Piece::Bytes(bytes))) => connection.arrived.extend(bytes),
                Some((_, Piece::End(end))) => connection.end = Some(end),
                None => {}
            }
            self.news.insert(stream);
        }
    }

    /// Does what a peer wants.
    fn follow(&mut self, stream: usize, outcome: Outcome) {
        for text in outcome.notes {
            self.note(|| format!("#{stream} peer: {text}"));
        }
        let connection = &mut self.connections[stream];
        connection.outgoing.extend(outcome.bytes);
        if outcome.reset {
            connection.ending = Some(End::Reset);
            // A reset overtakes what was not sent.
            connection.lost |= !connection.outgoing.is_empty();
            connection.outgoing.clear();
        } else if outcome.shutdown {
            connection.ending.get_or_insert(End::Shutdown);
        }
        if let Some(when) = outcome.timer {
            self.at(when.max(self.now), stream, Occurrence::PeerTimer);
        }
        self.pump(stream);
    }

    /// Sends what the peer has written, as far as the client has room for it.
    fn pump(&mut self, stream: usize) {
        loop {
            let connection = &self.connections[stream];
            let room = self
                .plan
                .receive_buffer
                .saturating_sub(connection.to_client.held);
            let most = connection.outgoing.len().min(room);
            if most == 0 {
                break;
            }
            let size = self.piece_size(most);
            let connection = &mut self.connections[stream];
            let mut bytes: Vec<u8> = connection.outgoing.drain(..size).collect();
            let from = connection.to_client.entered;
            if let Some(at) = self
                .plan
                .corrupt
                .filter(|at| (from..from + size).contains(at))
            {
                bytes[at - from] ^= 1 << (at % 8);
                self.note(|| format!("#{stream} byte {at} to the client is corrupted"));
            }
            self.enter(stream, false, Piece::Bytes(bytes));
        }
        let connection = &mut self.connections[stream];
        if connection.outgoing.is_empty() {
            // A reset may follow a FIN.
            if let Some(end) = connection.ending.take_if(|end| {
                !connection.to_client.ended || (*end == End::Reset && !connection.was_reset)
            }) {
                connection.to_client.ended = true;
                connection.was_reset |= end == End::Reset;
                self.enter(stream, false, Piece::End(end));
            }
        }
    }

    fn enter(&mut self, stream: usize, to_peer: bool, piece: Piece) {
        let delay = self.delay();
        let now = self.now;
        let connection = &mut self.connections[stream];
        let (pipe, what) = match to_peer {
            true => (&mut connection.to_peer, Occurrence::ReachesPeer),
            false => (&mut connection.to_client, Occurrence::ReachesClient),
        };
        if let Piece::Bytes(bytes) = &piece {
            pipe.held += bytes.len();
            pipe.entered += bytes.len();
        }
        let when = (now + delay).max(pipe.last_arrival);
        pipe.last_arrival = when;
        pipe.in_flight.push_back((when, piece));
        self.at(when, stream, what);
    }

    fn room(&self, stream: usize) -> usize {
        self.plan
            .send_buffer
            .saturating_sub(self.connections[stream].to_peer.held)
    }

    fn news_of(&self, stream: usize) -> News {
        let connection = &self.connections[stream];
        let reset = connection.end == Some(End::Reset);
        let refused = connection.phase == Phase::Refused;
        News {
            stream,
            readable: !connection.arrived.is_empty() || connection.end.is_some() || refused,
            writable: (connection.phase == Phase::Connected && self.room(stream) > 0)
                || reset
                || refused,
            read_closed: connection.end.is_some() || refused,
            error: reset || refused,
        }
    }
}

impl System for Network {
    fn now(&self) -> Duration {
        self.now
    }

    fn random(&mut self, bytes: &mut [u8]) {
        self.rng.fill(bytes);
    }

    fn connect(&mut self, _: SocketAddr) -> io::Result<usize> {
        let stream = self.connections.len();
        if self.plan.renews && stream > 0 {
            self.plan.peer = PeerPlan::new(&mut self.rng);
            self.plan.connect = match self.rng.u8(..5) {
                0 => ConnectPlan::Refused,
                _ => ConnectPlan::Works,
            };
        }
        let peer = Peer::new(self.plan.peer.clone());
        self.connections.push(Connection {
            phase: Phase::default(),
            error: None,
            to_peer: Pipe::default(),
            to_client: Pipe::default(),
            arrived: VecDeque::new(),
            end: None,
            reset_reported: false,
            is_blocked: false,
            is_cut: false,
            watched: false,
            closed: false,
            peer,
            outgoing: VecDeque::new(),
            ending: None,
            meter: Meter::default(),
            last_taken: Duration::ZERO,
            lost: false,
            was_reset: false,
        });
        if self.plan.connect != ConnectPlan::Never {
            let when = self.now + self.delay();
            self.at(when, stream, Occurrence::Connected);
        }
        if let Some(cut) = self.plan.cut {
            self.at(self.now + cut, stream, Occurrence::Cut);
        }
        Ok(stream)
    }

    fn take_error(&mut self, stream: usize) -> Option<io::Error> {
        self.connections[stream].error.take().map(io::Error::from)
    }

    fn is_connected(&self, stream: usize) -> bool {
        self.connections[stream].phase == Phase::Connected
    }

    fn read(&mut self, stream: usize, buffer: &mut [u8]) -> io::Result<usize> {
        let connection = &mut self.connections[stream];
        if connection.arrived.is_empty() {
            return match connection.end {
                None => Err(io::ErrorKind::WouldBlock.into()),
                Some(End::Reset) if !connection.reset_reported => {
                    connection.reset_reported = true;
                    Err(io::ErrorKind::ConnectionReset.into())
                }
                Some(_) => Ok(0),
            };
        }
        // Without its cut a stream gives all it has, as the client relies on that.
        let size = connection.arrived.len().min(buffer.len());
        for (place, byte) in buffer.iter_mut().zip(connection.arrived.drain(..size)) {
            *place = byte;
        }
        connection.to_client.held -= size;
        self.note(|| format!("#{stream} reads {size} bytes"));
        self.pump(stream);
        Ok(size)
    }

    fn write(&mut self, stream: usize, bytes: &[u8]) -> io::Result<usize> {
        let connection = &mut self.connections[stream];
        if connection.end == Some(End::Reset) || connection.to_peer.ended {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let room = self.room(stream);
        if room == 0 {
            self.connections[stream].is_blocked = true;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let size = self.piece_size(bytes.len().min(room));
        self.note(|| format!("#{stream} writes {size} of {} bytes", bytes.len()));
        self.connections[stream].meter.add(&bytes[..size]);
        self.connections[stream].last_taken = self.now;
        self.enter(stream, true, Piece::Bytes(bytes[..size].to_vec()));
        Ok(size)
    }

    fn shutdown(&mut self, stream: usize) {
        self.note(|| format!("#{stream} ends writing"));
        if !std::mem::replace(&mut self.connections[stream].to_peer.ended, true) {
            self.enter(stream, true, Piece::End(End::Shutdown));
        }
    }

    fn close(&mut self, stream: usize) {
        self.note(|| format!("#{stream} is dropped"));
        let connection = &mut self.connections[stream];
        connection.closed = true;
        self.news.remove(&stream);
        let unread = !connection.arrived.is_empty();
        if connection.phase == Phase::Connected
            && !std::mem::replace(&mut connection.to_peer.ended, true)
        {
            let end = if unread { End::Reset } else { End::Shutdown };
            self.enter(stream, true, Piece::End(end));
        }
    }

    fn receive_buffer(&self) -> usize {
        self.plan.receive_buffer
    }

    fn watch(&mut self, stream: usize) {
        self.connections[stream].watched = true;
        if self.connections[stream].phase != Phase::Connecting {
            self.news.insert(stream);
        }
    }

    fn wait(&mut self, timeout: Option<Duration>) -> Vec<News> {
        let end = timeout.map(|timeout| self.now.saturating_add(timeout));
        loop {
            // What is due now happens first: the system knows it already.
            while let Some(Reverse((when, ..))) = self.agenda.peek() {
                if *when > self.now {
                    break;
                }
                if let Some(Reverse((_, _, stream, what))) = self.agenda.pop() {
                    self.happen(stream, what);
                }
            }
            let news = std::mem::take(&mut self.news);
            let news: Vec<News> = news
                .into_iter()
                .filter(|stream| self.connections[*stream].watched)
                .map(|stream| self.news_of(stream))
                .collect();
            if !news.is_empty() {
                return news;
            }
            let next = self.agenda.peek().map(|Reverse((when, ..))| *when);
            match (next, end) {
                (Some(next), Some(end)) if next > end => {
                    self.now = end;
                    return Vec::new();
                }
                (Some(next), _) => self.now = next,
                (None, Some(end)) => {
                    self.now = end;
                    return Vec::new();
                }
                (None, None) => return Vec::new(),
            }
        }
    }
}
