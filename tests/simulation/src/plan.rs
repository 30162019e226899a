//! What happens in one run: everything follows from the seed.

use std::time::Duration;

use fastrand::Rng;

/// A message, by its kind and its size. Its content follows from its number.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub text: bool,
    pub size: usize,
}

/// The payload of message number `number`.
pub fn payload(shape: Shape, number: usize) -> Vec<u8> {
    let byte = |at: usize| (at * 7 + number * 13 + at / 251) as u8;
    match shape.text {
        true => (0..shape.size).map(|at| b'a' + byte(at) % 26).collect(),
        false => (0..shape.size).map(byte).collect(),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectPlan {
    Works,
    Refused,
    /// The packets get lost.
    Never,
}

/// How a peer answers the opening handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    Right,
    /// After an interim reply.
    AfterInterim,
    Late(Duration),
    Never,
    Refusal,
    WrongKey,
    Garbage,
    /// The connection ends in the middle of the reply.
    HalfAndEnd,
}

/// A fault that a peer commits on purpose.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    ReservedBit,
    MaskedFrame,
    BadUtf8,
    UnknownOpcode,
    LongPing,
    BadCloseCode,
    LoneContinuation,
    HugeLength,
}

pub const FAULTS: [Fault; 8] = [
    Fault::ReservedBit,
    Fault::MaskedFrame,
    Fault::BadUtf8,
    Fault::UnknownOpcode,
    Fault::LongPing,
    Fault::BadCloseCode,
    Fault::LoneContinuation,
    Fault::HugeLength,
];

/// What a peer does after the connection is established.
#[derive(Clone, Copy, Debug)]
pub enum PeerAct {
    /// Sends a message, in so many fragments.
    Send(Shape, usize),
    Ping(usize),
    /// Sends so many messages of a kibibyte at once.
    Flood(usize),
    Close(Option<u16>),
    /// Ends TCP without a closing handshake.
    Drop,
    Reset,
    /// Reads nothing for so long.
    Stall(Duration),
    Fault(Fault),
}

#[derive(Clone, Debug)]
pub struct PeerPlan {
    pub reply: Reply,
    /// What it does, and after how long each.
    pub acts: Vec<(Duration, PeerAct)>,
    /// How long it takes to answer a Close frame; never, if nothing.
    pub answers_close: Option<Duration>,
    /// How long it takes to end TCP after the closing handshake; never, if nothing.
    pub ends_tcp: Option<Duration>,
    pub answers_ping: bool,
}

#[derive(Clone, Debug)]
pub struct NetworkPlan {
    pub connect: ConnectPlan,
    /// In microseconds, from and to.
    pub latency: (u64, u64),
    /// How many pieces of a hundred are split at a random place.
    pub splits: u8,
    pub send_buffer: usize,
    pub receive_buffer: usize,
    /// Which byte to the client is corrupted.
    pub corrupt: Option<usize>,
    /// After how long nothing passes any more.
    pub cut: Option<Duration>,
    pub peer: PeerPlan,
    /// Each further connection has a plan of its own.
    pub renews: bool,
}

#[derive(Clone, Copy, Debug)]
pub enum Act {
    Send(Shape),
    /// So many messages of this shape without yielding.
    Burst(Shape, usize),
    Close(Option<u16>),
    /// Drops the last handle.
    Drop,
    /// Reads so many events from the stream.
    Read(usize),
}

/// How the program listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listening {
    Handlers,
    /// A stream, read at once.
    Stream,
    /// A stream that is read only now and then.
    LazyStream,
}

#[derive(Clone, Debug)]
pub struct Plan {
    pub network: NetworkPlan,
    pub listening: Listening,
    pub acts: Vec<(Duration, Act)>,
    pub connect_timeout: Duration,
    pub close_timeout: Duration,
    pub keep_alive: Option<(Duration, Duration)>,
    pub send_limit: usize,
    pub receive_limit: usize,
    pub max_message_size: usize,
}

fn milliseconds(rng: &mut Rng, most: u64) -> Duration {
    Duration::from_micros(rng.u64(0..=most * 1000))
}

/// One of a hundred cases, so many times.
fn percent(rng: &mut Rng, share: u8) -> bool {
    rng.u8(..100) < share
}

pub fn shape(rng: &mut Rng) -> Shape {
    let size = match rng.u8(..20) {
        0 => 0,
        1..=9 => rng.usize(1..126),
        10..=17 => rng.usize(126..2000),
        18 => rng.usize(2000..30_000),
        _ if percent(rng, 30) => rng.usize(65_000..140_000),
        _ => rng.usize(124..130),
    };
    Shape {
        text: rng.bool(),
        size,
    }
}

fn code(rng: &mut Rng) -> Option<u16> {
    match rng.u8(..3) {
        0 => None,
        1 => Some(1000),
        _ => Some(rng.u16(3000..5000)),
    }
}

impl Plan {
    pub fn new(seed: u64) -> Self {
        let rng = &mut Rng::with_seed(seed);
        let mut acts = Vec::new();
        for _ in 0..rng.usize(0..12) {
            let act = match rng.u8(..10) {
                0..=4 => Act::Send(shape(rng)),
                5 | 6 => {
                    let shape = shape(rng);
                    Act::Burst(shape, rng.usize(2..40).min(2 + 50_000 / (shape.size + 1)))
                }
                _ => Act::Read(rng.usize(1..20)),
            };
            acts.push((milliseconds(rng, 800), act));
        }
        if percent(rng, 70) {
            let act = match percent(rng, 80) {
                true => Act::Close(code(rng)),
                false => Act::Drop,
            };
            acts.push((milliseconds(rng, 3000), act));
            if percent(rng, 20) {
                acts.push((milliseconds(rng, 100), Act::Send(shape(rng))));
            }
            if percent(rng, 10) {
                acts.push((milliseconds(rng, 100), Act::Close(code(rng))));
            }
        }
        // A peer that ends TCP while a stream that nobody reads is full.
        let is_full = percent(rng, 5);
        let mut network = NetworkPlan::new(rng);
        if is_full {
            let shape = Shape {
                text: false,
                size: 900,
            };
            let act = if rng.bool() {
                PeerAct::Drop
            } else {
                PeerAct::Close(Some(4001))
            };
            network.peer.acts = vec![(Duration::ZERO, PeerAct::Send(shape, 1)); 8];
            network.peer.acts.push((milliseconds(rng, 100), act));
            network.peer.ends_tcp = Some(Duration::ZERO);
        }
        Plan {
            listening: match rng.u8(..10) {
                _ if is_full => Listening::LazyStream,
                0..=3 => Listening::Handlers,
                4..=6 => Listening::Stream,
                _ => Listening::LazyStream,
            },
            acts,
            connect_timeout: Duration::from_millis(rng.u64(500..5000)),
            close_timeout: Duration::from_millis(rng.u64(500..5000)),
            keep_alive: percent(rng, 30).then(|| {
                let interval = Duration::from_millis(rng.u64(200..2000));
                (interval, Duration::from_millis(rng.u64(200..2000)))
            }),
            send_limit: match percent(rng, 20) {
                true => rng.usize(1_000..100_000),
                false => 64 << 20,
            },
            receive_limit: match is_full {
                true => 1_000,
                false => rng.usize(1_000..64_000),
            },
            max_message_size: match percent(rng, 10) {
                true => rng.usize(100..10_000),
                false => 64 << 20,
            },
            network,
        }
    }
}

impl NetworkPlan {
    /// The longest that something is on its way.
    pub fn latest(&self) -> Duration {
        Duration::from_micros(self.latency.1)
    }

    /// The longest that an answer is on its way.
    pub fn round_trip(&self) -> Duration {
        2 * Duration::from_micros(self.latency.1)
    }

    pub fn new(rng: &mut Rng) -> Self {
        let least = rng.u64(0..5_000);
        NetworkPlan {
            connect: match rng.u8(..40) {
                0 => ConnectPlan::Refused,
                1 => ConnectPlan::Never,
                _ => ConnectPlan::Works,
            },
            latency: (least, least + rng.u64(0..50_000)),
            splits: *rng.choice(&[0, 10, 50, 100]).unwrap_or(&0),
            send_buffer: *rng.choice(&[100, 2_000, 20_000, 200_000]).unwrap_or(&500),
            receive_buffer: *rng.choice(&[100, 2_000, 20_000, 200_000]).unwrap_or(&500),
            corrupt: percent(rng, 10).then(|| rng.usize(0..3_000)),
            cut: percent(rng, 10).then(|| milliseconds(rng, 3000)),
            peer: PeerPlan::new(rng),
            renews: false,
        }
    }
}

impl PeerPlan {
    pub fn new(rng: &mut Rng) -> Self {
        let mut acts = Vec::new();
        for _ in 0..rng.usize(0..12) {
            let pause = match rng.bool() {
                true => Duration::ZERO,
                false => milliseconds(rng, 600),
            };
            let act = match rng.u8(..20) {
                0..=12 => {
                    let fragments = if percent(rng, 25) { rng.usize(2..6) } else { 1 };
                    PeerAct::Send(shape(rng), fragments)
                }
                13 | 14 => PeerAct::Ping(rng.usize(0..126)),
                15 => PeerAct::Stall(milliseconds(rng, 2000)),
                16 if percent(rng, 25) => PeerAct::Flood(rng.usize(100..400)),
                16 if percent(rng, 60) => {
                    PeerAct::Fault(*rng.choice(&FAULTS).unwrap_or(&Fault::ReservedBit))
                }
                _ => PeerAct::Send(shape(rng), 1),
            };
            acts.push((pause, act));
        }
        let act = match rng.u8(..20) {
            0..=7 => PeerAct::Close(match percent(rng, 80) {
                true => code(rng),
                false => Some(1001),
            }),
            8 | 9 => PeerAct::Drop,
            10 => PeerAct::Reset,
            _ => PeerAct::Ping(0),
        };
        acts.push((milliseconds(rng, 1000), act));
        if percent(rng, 15) {
            acts.push((Duration::ZERO, PeerAct::Send(shape(rng), 1)));
        }
        PeerPlan {
            reply: match rng.u8(..60) {
                0 => Reply::Never,
                1 => Reply::Refusal,
                2 => Reply::WrongKey,
                3 => Reply::Garbage,
                4 => Reply::HalfAndEnd,
                5 | 6 => Reply::Late(milliseconds(rng, 6000)),
                7 | 8 => Reply::AfterInterim,
                _ => Reply::Right,
            },
            acts,
            answers_close: percent(rng, 85).then(|| milliseconds(rng, 1500)),
            ends_tcp: percent(rng, 85).then(|| milliseconds(rng, 1500)),
            answers_ping: percent(rng, 85),
        }
    }
}
