//! Runs a script on a connection.
//!
//! Invariant: however a script stops, the connection is ended properly and its
//! record is complete: the closing handshake if it is still possible, then the
//! peer's FIN, for a server closes TCP first (RFC 6455, section 7.1.1), then
//! the client's.

mod sending;

use std::io;
use std::time::{Duration, Instant};

use crate::frame::{self, Decoder, Head, Piece, Width, op};
use crate::record::{HASH_START, MAX_PAYLOAD, Recorder, hash};
use crate::reply;
use crate::request::Request;
use crate::script::{Goal, Payload, Step};
use crate::wire::{End, Wire};

/// How long the peer waits for the client's FIN after its own.
const LINGER: Duration = Duration::from_secs(5);

/// Why a script stops before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Halt {
    /// The client's Close came where the script expected something else.
    Finish,
    /// Nothing more can be sent, or nothing more may be.
    Gone,
}

impl From<io::Error> for Halt {
    fn from(_: io::Error) -> Halt {
        Halt::Gone
    }
}

/// A frame that has arrived; its payload may be cut at `Session::keep`.
pub(crate) struct Received {
    pub(crate) head: Head,
    pub(crate) payload: Vec<u8>,
}

pub(crate) struct Session {
    wire: Wire,
    request: Request,
    decoder: Decoder,
    /// The frame that is arriving: its payload as far as kept, and its hash.
    payload: Vec<u8>,
    hash: u64,
    /// How much of a payload is kept, in bytes.
    pub(crate) keep: usize,
    accepted: bool,
    quiet: bool,
    fin_sent: bool,
    close_sent: bool,
    close_received: Option<Vec<u8>>,
    client_ended: bool,
    round: u64,
    // Last, so that the socket is closed when the record is marked done.
    record: Recorder,
}

impl Session {
    pub(crate) fn new(wire: Wire, request: Request, record: Recorder) -> Session {
        Session {
            wire,
            request,
            decoder: Decoder::default(),
            payload: Vec::new(),
            hash: HASH_START,
            keep: MAX_PAYLOAD,
            accepted: false,
            quiet: false,
            fin_sent: false,
            close_sent: false,
            close_received: None,
            client_ended: false,
            round: 0,
            record,
        }
    }

    /// Runs the whole script, then ends the connection.
    pub(crate) fn run(mut self, steps: &[Step]) {
        let result = self.steps(steps);
        self.finish(result);
    }

    pub(crate) fn steps(&mut self, steps: &[Step]) -> Result<(), Halt> {
        for step in steps {
            let result = self.step(step);
            self.note_sent();
            result?;
        }
        Ok(())
    }

    /// Writes bytes that are no WebSocket, then ends the connection.
    pub(crate) fn reply(mut self, bytes: &[u8]) {
        let _ = self.send(bytes);
        self.finish(Err(Halt::Gone));
    }

    fn step(&mut self, step: &Step) -> Result<(), Halt> {
        match step {
            Step::Accept(edits) => {
                self.opening(&reply::accept(&self.request, edits))?;
            }
            Step::Reply(status, edits) => {
                self.send(&reply::refuse(&self.request, status, edits))?;
            }
            Step::Http(Payload::Bytes(bytes)) => {
                self.opening(&reply::fill_in(&self.request, bytes))?;
            }
            Step::NoHandshake => {}
            Step::Frame(frame) => self.frame(frame)?,
            Step::Fragments { op, payload, size } => self.fragments(*op, payload, *size)?,
            Step::Raw(payload) | Step::Http(payload) => {
                if let Payload::Bytes(bytes) = payload {
                    self.close_sent |= frame::holds_close(bytes);
                }
                self.payload(payload, 0..self.length(payload), None)?;
                self.wire.flush()?;
            }
            Step::Answer => {
                if let Some(body) = self.close_received.clone() {
                    self.control(op::CLOSE, &body)?;
                }
            }
            Step::Cork => self.wire.corked = true,
            Step::Uncork => self.wire.uncork()?,
            Step::Split { size, pause } => self.wire.split = Some((*size, *pause)),
            Step::Cut { at, pause } => self.wire.cut = Some((*at, *pause)),
            Step::Repeat(count, steps) => {
                let outer = self.round;
                for round in 0..*count {
                    self.round = round;
                    self.steps(steps)?;
                }
                self.round = outer;
            }
            Step::Wait(goal) => self.read(*goal, false, None)?,
            Step::Echo(Some(count)) => self.read(Goal::Messages(*count), true, None)?,
            Step::Echo(None) => self.read(Goal::Close, true, None)?,
            Step::Delay(time) => {
                self.wire.uncork()?;
                self.wire.sleep(*time);
            }
            Step::Hold(time) => self.read(Goal::End, false, Some(Instant::now() + *time))?,
            Step::Slow { size, pause } => self.wire.slow = Some((*size, *pause)),
            Step::ReceiveBuffer(size) => self.wire.set_receive_buffer(*size),
            Step::Limit(limit) => self.wire.set_limit(*limit),
            Step::Quiet => self.quiet = true,
            Step::Fin => self.fin(true)?,
            Step::Drop => self.fin(false)?,
            Step::Rst => {
                self.wire.uncork()?;
                self.record.peer_ended("rst");
                self.wire.reset_on_drop();
                // What comes now is no longer read: the socket is closed next.
                self.fin_sent = true;
                self.client_ended = true;
                return Err(Halt::Gone);
            }
        }
        Ok(())
    }

    /// Ends the connection as is proper after what happened.
    pub(crate) fn finish(mut self, result: Result<(), Halt>) {
        let mut result = result.and_then(|()| Ok(self.wire.uncork()?));
        let open = self.accepted && !self.fin_sent && !self.client_ended;
        if result != Err(Halt::Gone) && open {
            result = self.read(Goal::Close, false, None);
            if result.is_ok() && !self.close_sent {
                let _ = self.step(&Step::Answer);
            }
        }
        if !self.fin_sent {
            let _ = self.fin(true);
        }
        // Closing a socket with unread input would reset the connection.
        self.wire.slow = None;
        let deadline = Instant::now() + LINGER;
        if self.accepted {
            let _ = self.read(Goal::End, false, Some(deadline));
        }
        while !self.client_ended {
            let count = self.wire.input().len();
            self.wire.take(count);
            self.record.entry().extra += count as u64;
            if let Err(end) = self.wire.fill(Some(deadline)) {
                self.ended(end);
                break;
            }
        }
        self.note_sent();
        let mut entry = self.record.entry();
        entry.partial =
            self.decoder.head().is_some() || (self.accepted && !self.wire.input().is_empty());
    }

    fn fin(&mut self, notify: bool) -> Result<(), Halt> {
        let written = self.wire.uncork();
        self.wire.fin(notify);
        self.record.peer_ended("fin");
        self.fin_sent = true;
        Ok(written?)
    }

    fn note_sent(&self) {
        self.record.entry().sent_bytes = self.wire.written;
    }

    fn ended(&mut self, end: End) {
        match end {
            End::Fin => self.record.client_ended("fin"),
            End::Rst => self.record.client_ended("rst"),
            End::Timeout => return,
        }
        self.client_ended = true;
    }
}

/// Receiving.
impl Session {
    /// Reads frames until the goal is reached, and until the deadline if there
    /// is one, which counts as reaching it.
    fn read(&mut self, goal: Goal, echo: bool, deadline: Option<Instant>) -> Result<(), Halt> {
        self.wire.uncork()?;
        let (mut messages, mut frames) = (0, 0);
        loop {
            let closed = self.close_received.is_some();
            match goal {
                Goal::Messages(count) if messages >= count => return Ok(()),
                Goal::Frames(count) if frames >= count => return Ok(()),
                Goal::Close if closed => return Ok(()),
                Goal::Messages(_) | Goal::Frames(_) if closed => return Err(Halt::Finish),
                _ => {}
            }
            match self.receive(echo, deadline) {
                Ok(Received { head, .. }) => {
                    frames += 1;
                    messages += u64::from(head.is_data() && head.fin);
                }
                Err(End::Timeout) if deadline.is_some() => return Ok(()),
                Err(End::Timeout) => {
                    self.record.entry().timeout = true;
                    return Err(Halt::Gone);
                }
                Err(End::Fin) if goal == Goal::End => return Ok(()),
                Err(_) => return Err(Halt::Gone),
            }
        }
    }

    /// The next frame, noted in the record, echoed if it is data and `echo`;
    /// pings are answered.
    pub(crate) fn receive(
        &mut self,
        echo: bool,
        deadline: Option<Instant>,
    ) -> Result<Received, End> {
        loop {
            let (used, piece) = match self.accepted {
                true => self.decoder.next(self.wire.input()),
                false => (0, None),
            };
            self.wire.take(used);
            let Some(piece) = piece else {
                if !self.accepted {
                    // No frame is possible before the 101; only the end is.
                    let count = self.wire.input().len();
                    self.wire.take(count);
                    self.record.entry().extra += count as u64;
                }
                if self.client_ended {
                    return Err(End::Fin);
                }
                self.wire
                    .fill(deadline)
                    .inspect_err(|end| self.ended(*end))?;
                continue;
            };
            match piece {
                Piece::Head(head) => {
                    self.payload.clear();
                    self.hash = HASH_START;
                    if echo && head.is_data() {
                        let mut bytes = Vec::new();
                        let width = Width::shortest(head.len);
                        Head {
                            mask: None,
                            width,
                            ..head
                        }
                        .encode(&mut bytes);
                        // That this failed, the reading will show.
                        let _ = self.wire.push(&bytes);
                    }
                }
                Piece::Data(data) => {
                    self.hash = hash(self.hash, &data);
                    let room = self.keep.saturating_sub(self.payload.len());
                    self.payload.extend(&data[..data.len().min(room)]);
                    let head = self.decoder.head();
                    if echo && head.is_some_and(|head| head.is_data()) {
                        let _ = self.wire.push(&data);
                        let _ = self.wire.flush();
                    }
                }
                Piece::End(head) => {
                    let payload = std::mem::take(&mut self.payload);
                    self.record.frame(head, &payload, self.hash);
                    self.react(head, &payload, echo);
                    self.note_sent();
                    return Ok(Received { head, payload });
                }
            }
        }
    }

    /// What the peer does by itself about a frame.
    fn react(&mut self, head: Head, payload: &[u8], echo: bool) {
        if head.op == op::CLOSE {
            self.close_received.get_or_insert_with(|| payload.to_vec());
        } else if head.op == op::PING {
            let closing = self.close_sent || self.close_received.is_some();
            if !(self.quiet || closing || self.fin_sent || head.len > 125) {
                let _ = self.control(op::PONG, payload);
            }
        } else if echo && head.is_data() {
            let _ = self.wire.flush();
            self.record.entry().sent_frames += 1;
        }
    }
}
