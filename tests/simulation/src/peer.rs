//! A model of a server, written from RFC 6455 alone: it shares no code with the client.

use std::collections::VecDeque;
use std::time::Duration;

use tungstenite::handshake::derive_accept_key;

use crate::plan::{Fault, PeerAct, PeerPlan, Reply, Shape, payload};

/// A message as it was sent or received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub text: bool,
    pub data: Vec<u8>,
}

impl Message {
    pub fn new(shape: Shape, number: usize) -> Self {
        Message {
            text: shape.text,
            data: payload(shape, number),
        }
    }
}

/// What a peer wants of the network.
#[derive(Debug, Default)]
pub struct Outcome {
    pub bytes: Vec<u8>,
    /// FIN after the bytes.
    pub shutdown: bool,
    pub reset: bool,
    /// When it wants to be called again.
    pub timer: Option<Duration>,
    pub notes: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Head,
    Open,
    /// It sent a Close frame, or ended TCP.
    Ending,
}

/// One connection of the server.
#[derive(Debug)]
pub struct Peer {
    plan: PeerPlan,
    acts: VecDeque<(Duration, PeerAct)>,
    state: State,
    input: Vec<u8>,
    /// Until when it reads nothing.
    stalled: Duration,
    next_act: Option<Duration>,
    answer_close: Option<(Duration, Option<u16>)>,
    end_tcp: Option<Duration>,
    reply: Option<(Duration, Vec<u8>)>,
    number: usize,
    assembly: Option<Message>,
    /// What it sent as a whole, before anything that ends the connection.
    pub sent: Vec<Message>,
    pub received: Vec<Message>,
    /// The code in the client's Close frame; 1005 for none.
    pub client_close: Option<u16>,
    pub own_close: Option<u16>,
    /// The client broke the protocol.
    pub complaint: Option<String>,
    pub pings: usize,
    pub pongs: usize,
    /// It committed a fault on purpose.
    pub faulty: bool,
    pub ended: bool,
    pub established: bool,
    /// It has ended TCP.
    pub gone: bool,
    /// When it last took bytes.
    last_read: Duration,
    /// How many messages were sent before its Close frame.
    before_close: Option<usize>,
    reset: bool,
    /// When it sent its Close frame.
    close_sent: Option<Duration>,
    written: usize,
    now: Duration,
    /// When it ended TCP by itself.
    ended_tcp: Option<Duration>,
}

impl Peer {
    pub fn new(plan: PeerPlan) -> Self {
        Peer {
            acts: plan.acts.iter().copied().collect(),
            plan,
            state: State::Head,
            input: Vec::new(),
            stalled: Duration::ZERO,
            next_act: None,
            answer_close: None,
            end_tcp: None,
            reply: None,
            number: 0,
            assembly: None,
            sent: Vec::new(),
            received: Vec::new(),
            client_close: None,
            own_close: None,
            complaint: None,
            pings: 0,
            pongs: 0,
            faulty: false,
            ended: false,
            established: false,
            gone: false,
            last_read: Duration::ZERO,
            before_close: None,
            reset: false,
            close_sent: None,
            written: 0,
            now: Duration::ZERO,
            ended_tcp: None,
        }
    }

    /// When it ended TCP.
    pub fn ended_tcp(&self) -> Option<Duration> {
        self.ended_tcp
    }

    /// When it sent its Close frame.
    pub fn close_sent(&self) -> Option<Duration> {
        self.close_sent
    }

    /// How many bytes it has written.
    pub fn written(&self) -> usize {
        self.written
    }

    /// When it last took bytes.
    pub fn last_read(&self) -> Duration {
        self.last_read
    }

    /// How many messages it sent before its Close frame.
    pub fn sent_before_close(&self) -> usize {
        self.before_close.unwrap_or(self.sent.len())
    }

    pub fn was_reset(&self) -> bool {
        self.reset
    }

    pub fn reads(&self, now: Duration) -> bool {
        self.stalled <= now
    }

    pub fn start(&mut self, _: Duration) -> Outcome {
        Outcome::default()
    }

    pub fn on_bytes(&mut self, bytes: &[u8], now: Duration) -> Outcome {
        let mut outcome = Outcome::default();
        self.now = now;
        self.last_read = now;
        if self.gone {
            // As TCP does where nobody reads any more.
            outcome.reset = true;
            return outcome;
        }
        self.input.extend_from_slice(bytes);
        if self.state == State::Head {
            self.read_head(now, &mut outcome);
        }
        if self.established {
            while self.complaint.is_none() && self.read_frame(now, &mut outcome) {}
        }
        self.set_timer(&mut outcome);
        outcome
    }

    pub fn on_end(&mut self, reset: bool, now: Duration) -> Outcome {
        let mut outcome = Outcome::default();
        outcome
            .notes
            .push(format!("the client ended (reset: {reset})"));
        self.ended = true;
        self.end_tcp.get_or_insert(now);
        self.on_due(now, &mut outcome);
        outcome
    }

    pub fn on_time(&mut self, now: Duration) -> Outcome {
        let mut outcome = Outcome::default();
        self.on_due(now, &mut outcome);
        outcome
    }

    fn on_due(&mut self, now: Duration, outcome: &mut Outcome) {
        self.now = now;
        if self.stalled <= now {
            self.stalled = Duration::ZERO;
        }
        if let Some((_, reply)) = self.reply.take_if(|(when, _)| *when <= now) {
            outcome.bytes.extend(reply);
            self.establish(now);
            while self.complaint.is_none() && self.read_frame(now, outcome) {}
        }
        while self.next_act.is_some_and(|when| when <= now) && self.state == State::Open {
            self.act(now, outcome);
        }
        if let Some((_, code)) = self.answer_close.take_if(|(when, _)| *when <= now) {
            if self.own_close.is_none() && !self.gone {
                self.close(code, outcome);
            }
            self.end_tcp = self.plan.ends_tcp.map(|after| now + after);
        }
        if self.end_tcp.take_if(|when| *when <= now).is_some() && !self.gone {
            self.gone = true;
            self.ended_tcp = Some(now);
            outcome.shutdown = true;
            outcome.notes.push("ends TCP".to_owned());
        }
        self.set_timer(outcome);
    }

    fn set_timer(&mut self, outcome: &mut Outcome) {
        self.written += outcome.bytes.len();
        let act = self.next_act.filter(|_| self.state == State::Open);
        let times = [
            self.reply.as_ref().map(|(when, _)| *when),
            act,
            self.answer_close.map(|(when, _)| when),
            self.end_tcp,
            (self.stalled > Duration::ZERO).then_some(self.stalled),
        ];
        outcome.timer = times.into_iter().flatten().min();
    }

    fn read_head(&mut self, now: Duration, outcome: &mut Outcome) {
        let Some(end) = self.input.windows(4).position(|four| four == b"\r\n\r\n") else {
            return;
        };
        let head: Vec<u8> = self.input.drain(..end + 4).collect();
        let head = String::from_utf8_lossy(&head).into_owned();
        let key = head
            .lines()
            .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))
            .unwrap_or_default();
        let accept = derive_accept_key(key.as_bytes());
        let right = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        outcome.notes.push(format!("replies {:?}", self.plan.reply));
        match self.plan.reply {
            Reply::Right => {
                outcome.bytes.extend(right.into_bytes());
                self.establish(now);
            }
            Reply::AfterInterim => {
                outcome
                    .bytes
                    .extend(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
                outcome.bytes.extend(right.into_bytes());
                self.establish(now);
            }
            Reply::Late(after) => self.reply = Some((now + after, right.into_bytes())),
            Reply::Never => {}
            Reply::Refusal => {
                outcome
                    .bytes
                    .extend(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
            }
            Reply::WrongKey => {
                let wrong = right.replace(&accept, "AAAAAAAAAAAAAAAAAAAAAAAAAAA=");
                outcome.bytes.extend(wrong.into_bytes());
            }
            Reply::Garbage => outcome.bytes.extend(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
            Reply::HalfAndEnd => {
                outcome
                    .bytes
                    .extend(right.as_bytes()[..right.len() / 2].iter());
                outcome.shutdown = true;
                self.gone = true;
            }
        }
    }

    fn establish(&mut self, now: Duration) {
        self.established = true;
        self.state = State::Open;
        self.next_act = self.acts.front().map(|(pause, _)| now + *pause);
    }

    fn act(&mut self, now: Duration, outcome: &mut Outcome) {
        let Some((_, act)) = self.acts.pop_front() else {
            self.next_act = None;
            return;
        };
        self.next_act = self.acts.front().map(|(pause, _)| now + *pause);
        outcome.notes.push(format!("{act:?}"));
        match act {
            PeerAct::Send(shape, fragments) => {
                let message = Message::new(shape, self.number);
                self.number += 1;
                write_message(&message, fragments, &mut outcome.bytes);
                self.sent.push(message);
            }
            PeerAct::Flood(count) => {
                for _ in 0..count {
                    let shape = Shape {
                        text: false,
                        size: 1 << 10,
                    };
                    let message = Message::new(shape, self.number);
                    self.number += 1;
                    write_message(&message, 1, &mut outcome.bytes);
                    self.sent.push(message);
                }
            }
            PeerAct::Ping(size) => {
                self.pings += 1;
                write_frame(0x89, &vec![b'p'; size], &mut outcome.bytes);
            }
            PeerAct::Close(code) => {
                self.close(code, outcome);
                if self.client_close.is_some() {
                    self.end_tcp = self.plan.ends_tcp.map(|after| now + after);
                }
            }
            PeerAct::Drop => {
                self.state = State::Ending;
                self.gone = true;
                self.ended_tcp = Some(now);
                outcome.shutdown = true;
            }
            PeerAct::Reset => {
                self.state = State::Ending;
                self.gone = true;
                self.reset = true;
                outcome.reset = true;
            }
            PeerAct::Stall(time) => self.stalled = now + time,
            PeerAct::Fault(fault) => {
                self.faulty = true;
                self.state = State::Ending;
                write_fault(fault, &mut outcome.bytes);
            }
        }
    }

    fn close(&mut self, code: Option<u16>, outcome: &mut Outcome) {
        self.state = State::Ending;
        self.own_close = Some(code.unwrap_or(1005));
        self.before_close = Some(self.sent.len());
        self.close_sent = Some(self.now);
        let payload = code.map_or(Vec::new(), |code| code.to_be_bytes().to_vec());
        write_frame(0x88, &payload, &mut outcome.bytes);
        outcome.notes.push(format!("sends Close {code:?}"));
    }

    /// Reads one frame of the client, if all of it is here.
    fn read_frame(&mut self, now: Duration, outcome: &mut Outcome) -> bool {
        let Some((first, data, used)) = parse(&self.input) else {
            return false;
        };
        let data = match data {
            Ok(data) => data,
            Err(complaint) => {
                self.complaint = Some(complaint.to_owned());
                return false;
            }
        };
        self.input.drain(..used);
        if self.client_close.is_some() {
            self.complaint = Some("a frame follows the Close frame (S52)".to_owned());
            return false;
        }
        match (first & 0x0f, first & 0x80 != 0) {
            (opcode @ (1 | 2), true) => self.received.push(Message {
                text: opcode == 1,
                data,
            }),
            (opcode @ (1 | 2), false) => {
                self.assembly = Some(Message {
                    text: opcode == 1,
                    data,
                });
            }
            (0, is_final) => match self.assembly.take() {
                Some(mut message) => {
                    message.data.extend(data);
                    match is_final {
                        true => self.received.push(message),
                        false => self.assembly = Some(message),
                    }
                }
                None => self.complaint = Some("a continuation of nothing".to_owned()),
            },
            (8, true) => {
                let code = match data[..] {
                    [high, low, ..] => u16::from_be_bytes([high, low]),
                    _ => 1005,
                };
                outcome.notes.push(format!("the client closes with {code}"));
                self.client_close = Some(code);
                let echo = (code != 1005).then_some(code);
                let answer = self.plan.answers_close;
                self.answer_close = answer.map(|after| (now + after, echo));
                if self.own_close.is_some() {
                    self.end_tcp = self.plan.ends_tcp.map(|after| now + after);
                }
            }
            (9, true) => {
                if self.plan.answers_ping && self.state == State::Open {
                    write_frame(0x8a, &data, &mut outcome.bytes);
                }
            }
            (10, true) => self.pongs += 1,
            _ => self.complaint = Some(format!("a frame begins with {first:#x}")),
        }
        true
    }
}

/// A payload, or what is wrong with it.
type Payload = Result<Vec<u8>, &'static str>;

/// A frame of the client: its first byte, its payload, and its length.
fn parse(input: &[u8]) -> Option<(u8, Payload, usize)> {
    let [first, second, ..] = *input else {
        return None;
    };
    if second & 0x80 == 0 {
        return Some((first, Err("a frame is not masked"), 0));
    }
    if first & 0x70 != 0 {
        return Some((first, Err("a reserved bit is set"), 0));
    }
    let (length, at) = match second & 0x7f {
        126 => (
            u64::from(u16::from_be_bytes(input.get(2..4)?.try_into().ok()?)),
            4,
        ),
        127 => (u64::from_be_bytes(input.get(2..10)?.try_into().ok()?), 10),
        short => (u64::from(short), 2),
    };
    let mask: [u8; 4] = input.get(at..at + 4)?.try_into().ok()?;
    let end = at + 4 + usize::try_from(length).ok()?;
    let data = input.get(at + 4..end)?;
    let data = data.iter().zip(mask.into_iter().cycle());
    Some((first, Ok(data.map(|(byte, key)| byte ^ key).collect()), end))
}

fn write_frame(first: u8, payload: &[u8], out: &mut Vec<u8>) {
    out.push(first);
    match payload.len() {
        length @ ..=125 => out.push(length as u8),
        length @ ..=0xffff => {
            out.push(126);
            out.extend((length as u16).to_be_bytes());
        }
        length => {
            out.push(127);
            out.extend((length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
}

fn write_message(message: &Message, fragments: usize, out: &mut Vec<u8>) {
    let opcode = if message.text { 1 } else { 2 };
    if fragments < 2 {
        return write_frame(0x80 | opcode, &message.data, out);
    }
    let size = message.data.len() / fragments;
    let mut rest = &message.data[..];
    for number in 0..fragments {
        let is_last = number + 1 == fragments;
        let (piece, after) = rest.split_at(if is_last { rest.len() } else { size });
        rest = after;
        let opcode = if number == 0 { opcode } else { 0 };
        write_frame(if is_last { 0x80 | opcode } else { opcode }, piece, out);
    }
}

fn write_fault(fault: Fault, out: &mut Vec<u8>) {
    match fault {
        Fault::ReservedBit => write_frame(0xa2, b"x", out),
        Fault::MaskedFrame => out.extend([0x82, 0x81, 0, 0, 0, 0, b'x']),
        Fault::BadUtf8 => write_frame(0x81, &[0xff, 0xfe], out),
        Fault::UnknownOpcode => write_frame(0x83, b"x", out),
        Fault::LongPing => write_frame(0x89, &[0; 126], out),
        Fault::BadCloseCode => write_frame(0x88, &1005_u16.to_be_bytes(), out),
        Fault::LoneContinuation => write_frame(0x80, b"x", out),
        Fault::HugeLength => {
            out.extend([0x82, 127]);
            out.extend((1_u64 << 62).to_be_bytes());
        }
    }
}
