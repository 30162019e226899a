//! The sending half of a connection: framing, order, and the exact amount that
//! is buffered.
//!
//! Sending is a hybrid. While nothing is pending, a message is framed and
//! written on the caller's thread: one system call, no hop. In a burst, from
//! the ninth message on without one received, it is only appended, and the
//! event loop writes many at once. A large message is written inline as well,
//! as appending it would cost more than a system call. Whoever runs far ahead of
//! the network is to give way, so that the queue stays short and in the cache.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use isosocket_core::{MessageRef, Refusal};
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use crate::codec::{close_payload, encode_header, encode_payload};
use crate::pending::{CHUNK, Pending};
use crate::stream::Stream;

/// How many messages in a row are written inline.
const INLINE_BURST: u8 = 8;
/// In a burst a message of this many bytes is still written inline.
const INLINE_SIZE: usize = 64 << 10;
/// After a pause of this length a burst is over.
const BURST_PAUSE: Duration = Duration::from_micros(50);
/// After each so many queued bytes, while that many are pending, the sender
/// gives way to the event loop.
const AHEAD: usize = 1 << 20;
/// Pongs are queued while no more than this waits to be written.
const PONG_LIMIT: usize = 64 << 10;
/// What is left of this much of a message is moved, more than that is handed on.
const MOVED: usize = 64 << 10;
/// A client's header has at most this many bytes.
const MAX_HEADER: usize = 14;

thread_local! {
    /// Where frames are built that are written at once.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What a call wants of the event loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Follow {
    /// Nothing: it is written, or the loop writes already.
    Nothing,
    /// Write what is pending.
    Flush,
    /// The loop is to write what is pending, and much is: let it.
    GiveWay,
    /// The stream is broken: see what the peer had to say, and end.
    Broken,
}

/// Frames on their way out.
#[derive(Debug)]
pub(crate) struct Outbox {
    stream: Option<Arc<Stream>>,
    /// Whole frames, but for the first, of which a part may be gone.
    pending: Pending,
    /// Where the first frame in `pending` stands.
    cursor: FrameCursor,
    /// The payload bytes of data frames that the network has not taken.
    buffered: usize,
    send_limit: usize,
    credit: u8,
    last_send: Option<Instant>,
    /// The loop was asked to flush and has not come yet.
    asked: bool,
    /// The network takes nothing now; the loop hears when it does again.
    full: bool,
    closing: bool,
    broken: bool,
    /// How many bytes were queued since the sender gave way.
    ahead: usize,
    /// What is waited for; `usize::MAX` is nothing.
    drain_mark: usize,
    late_pong: Option<Box<[u8]>>,
}

impl Outbox {
    pub(crate) fn new(send_limit: usize) -> Self {
        Outbox {
            stream: None,
            pending: Pending::default(),
            cursor: FrameCursor::default(),
            buffered: 0,
            send_limit,
            credit: INLINE_BURST,
            last_send: None,
            asked: false,
            full: false,
            closing: false,
            broken: false,
            ahead: 0,
            drain_mark: usize::MAX,
            late_pong: None,
        }
    }

    /// The connection is established.
    pub(crate) fn attach(&mut self, stream: Arc<Stream>) {
        self.stream = Some(stream);
    }

    /// The connection is over: nothing more is written.
    pub(crate) fn detach(&mut self) {
        self.stream = None;
        self.closing = true;
        self.broken = true;
        self.pending = Pending::default();
        self.cursor = FrameCursor::default();
    }

    pub(crate) fn buffered_amount(&self) -> usize {
        self.buffered
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// The bytes that wait to be written, framing included.
    pub(crate) fn unwritten(&self) -> usize {
        self.pending.len()
    }

    /// Something was received: a conversation, not a burst.
    pub(crate) fn restore_credit(&mut self) {
        self.credit = INLINE_BURST;
    }

    /// Queues a message, and writes it if that can be done at once.
    pub(crate) fn send(&mut self, message: MessageRef<'_>) -> Result<Follow, Refusal> {
        self.admit(message)?;
        let payload = message.as_bytes();
        self.buffered += payload.len();
        Ok(self.put(opcode(message), false, payload))
    }

    /// The same for a message whose payload was compressed to `packed`. What is
    /// buffered is still the message's payload (S48).
    pub(crate) fn send_compressed(
        &mut self,
        message: MessageRef<'_>,
        packed: &[u8],
    ) -> Result<Follow, Refusal> {
        self.admit(message)?;
        let size = message.as_bytes().len();
        self.buffered += size;
        self.cursor.will_compress(size);
        Ok(self.put(opcode(message), true, packed))
    }

    /// Whether a message may be sent now.
    pub(crate) fn admit(&self, message: MessageRef<'_>) -> Result<(), Refusal> {
        if self.closing {
            return Err(Refusal::Closing);
        }
        let size = message.as_bytes().len();
        if self.buffered > 0 && self.buffered.saturating_add(size) > self.send_limit {
            return Err(Refusal::Full);
        }
        Ok(())
    }

    fn put(&mut self, opcode: OpCode, compressed: bool, payload: &[u8]) -> Follow {
        if self.pending.is_empty() && self.may_write_inline(payload.len()) {
            return SCRATCH.with_borrow_mut(|scratch| {
                self.write_inline(scratch, opcode, compressed, payload)
            });
        }
        self.append(opcode, compressed, payload);
        self.ahead += payload.len() + MAX_HEADER;
        if !self.full && !self.asked {
            return self.ask();
        }
        if self.ahead < AHEAD || self.pending.len() < AHEAD {
            return Follow::Nothing;
        }
        self.ahead = 0;
        Follow::GiveWay
    }

    /// Queues a Close frame; nothing can be sent after it (S52).
    pub(crate) fn close(&mut self, frame: Option<(u16, &str)>) -> Follow {
        if self.closing {
            return Follow::Nothing;
        }
        self.closing = true;
        self.append_control(Control::Close, &close_payload(frame));
        self.ask()
    }

    /// Queues a pong (S58). Not after the Close frame.
    ///
    /// To a peer that does not read, only the answer to its latest ping is kept
    /// (RFC 6455, 5.5.3), so that it cannot fill our memory.
    pub(crate) fn pong(&mut self, payload: &[u8]) {
        if self.unwritten() > PONG_LIMIT {
            self.late_pong = Some(payload.into());
        } else if !self.closing {
            self.append_control(Control::Pong, payload);
        }
    }

    /// Queues a ping without a payload. Not after the Close frame.
    pub(crate) fn ping(&mut self) {
        if !self.closing {
            self.append_control(Control::Ping, &[]);
        }
    }

    /// Notes that somebody waits until at most `mark` bytes are buffered;
    /// whether that is so already.
    pub(crate) fn watch_drain(&mut self, mark: usize) -> bool {
        if self.buffered <= mark {
            return true;
        }
        // The first of several that wait, as the amount falls.
        self.drain_mark = match self.drain_mark {
            usize::MAX => mark,
            other => other.max(mark),
        };
        false
    }

    /// Whether those who wait for the mark are to be woken now.
    pub(crate) fn take_drained(&mut self) -> bool {
        let drained = self.drain_mark != usize::MAX && self.buffered <= self.drain_mark;
        if drained {
            self.drain_mark = usize::MAX;
        }
        drained
    }

    /// Writes what is pending, as far as the network takes it. For the event loop.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.asked = false;
        self.full = false;
        let Some(stream) = self.stream.clone() else {
            return Ok(());
        };
        loop {
            while !self.pending.is_empty() {
                match stream.write(self.pending.front()) {
                    Ok(written) => {
                        let front = self.pending.front();
                        self.cursor.advance(front, written, &mut self.buffered);
                        self.pending.advance(written);
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        self.full = true;
                        return Ok(());
                    }
                    Err(error) => return Err(self.fail(error)),
                }
            }
            match self.late_pong.take() {
                Some(payload) => self.pong(&payload),
                None => break,
            }
        }
        match stream.flush_tls() {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(self.fail(error)),
            _ => Ok(()),
        }
    }

    /// Inline while there is credit, or a burst is over. The clock is looked at
    /// only without credit.
    fn may_write_inline(&mut self, size: usize) -> bool {
        if self.stream.is_none() || self.asked {
            return false;
        }
        if size >= INLINE_SIZE {
            return true;
        }
        if self.credit == 0 {
            let now = Instant::now();
            let last = self.last_send.replace(now);
            if last.is_none_or(|last| now.duration_since(last) < BURST_PAUSE) {
                return false;
            }
            self.credit = INLINE_BURST;
        }
        self.credit -= 1;
        true
    }

    /// Frames and writes a message. What is not taken becomes pending.
    fn write_inline(
        &mut self,
        scratch: &mut Vec<u8>,
        opcode: OpCode,
        compressed: bool,
        payload: &[u8],
    ) -> Follow {
        let Some(stream) = self.stream.clone() else {
            return Follow::Nothing;
        };
        scratch.clear();
        let mask = encode_header(scratch, opcode, compressed, payload.len() as u64);
        let mut rest = payload;
        loop {
            let (piece, after) = rest.split_at(rest.len().min(CHUNK));
            encode_payload(scratch, piece, mask);
            rest = after;
            let mut written = 0;
            while written < scratch.len() {
                match stream.write(&scratch[written..]) {
                    Ok(more) => {
                        self.cursor
                            .advance(&scratch[written..], more, &mut self.buffered);
                        written += more;
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        // The loop hears when the stream can be written again.
                        self.full = true;
                        if scratch.len() - written > MOVED {
                            let chunk = std::mem::replace(scratch, Pending::spare());
                            self.pending.adopt(chunk, written);
                        } else {
                            let left = &scratch[written..];
                            self.pending
                                .append(left.len(), |chunk| chunk.extend_from_slice(left));
                        }
                        self.append_payload(rest, mask);
                        return Follow::Nothing;
                    }
                    Err(error) => {
                        self.fail(error);
                        return Follow::Broken;
                    }
                }
            }
            if rest.is_empty() {
                return Follow::Nothing;
            }
            scratch.clear();
        }
    }

    fn ask(&mut self) -> Follow {
        match std::mem::replace(&mut self.asked, true) {
            true => Follow::Nothing,
            false => Follow::Flush,
        }
    }

    /// Queues a frame.
    fn append(&mut self, opcode: OpCode, compressed: bool, payload: &[u8]) {
        let (piece, rest) = payload.split_at(payload.len().min(CHUNK - MAX_HEADER));
        // The mask goes on where it stopped only after whole words.
        let (piece, rest) = match rest.is_empty() {
            true => (piece, rest),
            false => payload.split_at(piece.len() / 8 * 8),
        };
        let mask = self.pending.append(MAX_HEADER + piece.len(), |chunk| {
            let mask = encode_header(chunk, opcode, compressed, payload.len() as u64);
            encode_payload(chunk, piece, mask);
            mask
        });
        self.append_payload(rest, mask);
    }

    fn append_payload(&mut self, payload: &[u8], mask: [u8; 4]) {
        for piece in payload.chunks(CHUNK) {
            self.pending
                .append(piece.len(), |chunk| encode_payload(chunk, piece, mask));
        }
    }

    fn append_control(&mut self, control: Control, payload: &[u8]) {
        self.append(OpCode::Control(control), false, payload);
    }

    fn fail(&mut self, error: io::Error) -> io::Error {
        self.broken = true;
        self.pending = Pending::default();
        self.stream = None;
        error
    }
}

fn opcode(message: MessageRef<'_>) -> OpCode {
    OpCode::Data(match message {
        MessageRef::Text(_) => Data::Text,
        MessageRef::Binary(_) => Data::Binary,
    })
}

/// Where in a sequence of client frames the network stands, to tell payload
/// from framing (S48).
#[derive(Debug, Default)]
struct FrameCursor {
    payload_left: usize,
    header_left: u8,
    counts: bool,
    /// There once a message was compressed.
    compressed: Option<Box<Compressed>>,
}

/// What the frames of compressed messages do not tell.
#[derive(Debug, Default)]
struct Compressed {
    /// The sizes of the messages in the frames to come.
    sizes: VecDeque<usize>,
    /// The size of the message in this frame, if it is compressed. It is taken
    /// off `buffered` once all of the frame is gone.
    owed: usize,
}

impl FrameCursor {
    /// A message of this size comes in the next compressed frame.
    fn will_compress(&mut self, size: usize) {
        let compressed = self.compressed.get_or_insert_default();
        compressed.sizes.push_back(size);
    }

    /// Steps over `written` bytes of `frames` and takes their payload off `buffered`.
    fn advance(&mut self, mut frames: &[u8], mut written: usize, buffered: &mut usize) {
        while written > 0 {
            if self.header_left == 0 && self.payload_left == 0 {
                self.begin(frames);
            }
            let header = usize::from(self.header_left).min(written);
            let payload = self.payload_left.min(written - header);
            self.header_left -= header as u8;
            self.payload_left -= payload;
            if self.counts {
                *buffered -= payload;
            } else if self.header_left == 0 && self.payload_left == 0 {
                if let Some(compressed) = &mut self.compressed {
                    *buffered -= std::mem::take(&mut compressed.owed);
                }
            }
            written -= header + payload;
            frames = &frames[(header + payload).min(frames.len())..];
        }
    }

    /// Reads the header of a frame of our own making, which is always whole.
    fn begin(&mut self, frame: &[u8]) {
        let short = usize::from(frame[1] & 0x7F);
        let (extra, length) = match short {
            126 => (2, usize::from(u16::from_be_bytes([frame[2], frame[3]]))),
            127 => {
                let bytes = frame[2..10].try_into().expect("eight bytes");
                (8, u64::from_be_bytes(bytes) as usize)
            }
            length => (0, length),
        };
        self.header_left = 2 + extra + 4;
        self.payload_left = length;
        // Neither a control frame nor, by its reserved bit, a compressed one.
        self.counts = frame[0] & 0x48 == 0;
        if frame[0] & 0x40 != 0 {
            let compressed = self.compressed.get_or_insert_default();
            let size = compressed.sizes.pop_front();
            compressed.owed = size.expect("the size of each compressed message is kept");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::encode;

    #[test]
    fn the_cursor_counts_payload_and_nothing_else() {
        let mut frames = Vec::new();
        let mut buffered = 0;
        for size in [0, 5, 125, 126, 70_000] {
            encode(&mut frames, OpCode::Data(Data::Binary), &vec![7; size]);
            encode(&mut frames, OpCode::Control(Control::Pong), b"not counted");
            buffered += size;
        }
        for step in [1, 3, 1000, frames.len()] {
            let mut left = buffered;
            let mut cursor = FrameCursor::default();
            for start in (0..frames.len()).step_by(step) {
                let written = step.min(frames.len() - start);
                cursor.advance(&frames[start..], written, &mut left);
            }
            assert_eq!(left, 0, "in steps of {step}");
        }
    }

    #[test]
    fn pings_of_a_peer_that_does_not_read_cannot_fill_the_memory() {
        let mut outbox = Outbox::new(10);
        for _ in 0..10_000 {
            outbox.pong(&[1; 125]);
        }
        outbox.pong(b"latest");
        assert!(outbox.unwritten() <= PONG_LIMIT + 200);
        assert_eq!(outbox.late_pong.as_deref(), Some(&b"latest"[..]));
    }

    #[test]
    fn the_cursor_counts_a_compressed_message_by_its_own_size() {
        let binary = OpCode::Data(Data::Binary);
        let mut frames = Vec::new();
        let mut mixed = |compressed, size| {
            let mask = encode_header(&mut frames, binary, compressed, size as u64);
            encode_payload(&mut frames, &vec![7; size], mask);
            frames.len()
        };
        let ends = [mixed(true, 10), mixed(false, 20), mixed(true, 1)];
        for step in [1, 7, frames.len()] {
            let mut cursor = FrameCursor::default();
            cursor.will_compress(1000);
            cursor.will_compress(300);
            let mut left = 1320;
            for start in (0..frames.len()).step_by(step) {
                let written = step.min(frames.len() - start);
                cursor.advance(&frames[start..], written, &mut left);
                if start + written < ends[0] {
                    assert_eq!(left, 1320, "not before the frame is gone");
                }
                if start + written == ends[1] {
                    assert_eq!(left, 300);
                }
            }
            assert_eq!(left, 0, "in steps of {step}");
        }
    }

    #[test]
    fn a_sender_gives_way_once_for_each_so_many_bytes_that_it_is_ahead() {
        let mut outbox = Outbox::new(usize::MAX);
        let piece = [0; AHEAD / 4];
        let follows: Vec<_> = (0..10)
            .map(|_| outbox.send(MessageRef::Binary(&piece)).expect("no limit"))
            .collect();
        let at = |wanted| {
            let found = follows.iter().enumerate();
            let found = found.filter(|(_, follow)| **follow == wanted);
            found.map(|(number, _)| number).collect::<Vec<_>>()
        };
        assert_eq!(at(Follow::Flush), [0]);
        assert_eq!(at(Follow::GiveWay), [3, 7]);
        outbox.pending = Pending::default();
        outbox.ahead = AHEAD;
        let next = outbox.send(MessageRef::Binary(&piece));
        assert_eq!(next, Ok(Follow::Nothing), "little is pending");
    }

    #[test]
    fn the_loop_is_not_asked_to_write_while_the_network_takes_nothing() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it has one");
        let tcp = std::net::TcpStream::connect(address).expect("the listener is there");
        tcp.set_nonblocking(true).expect("a socket can be that");
        let tcp = mio::net::TcpStream::from_std(tcp);
        let mut outbox = Outbox::new(64 << 20);
        outbox.attach(Arc::new(Stream::new(tcp, None)));
        let message = vec![0; 1 << 20];
        // Nobody reads, so that it is full before the limit is reached.
        while let Ok(follow) = outbox.send(MessageRef::Binary(&message)) {
            assert!(matches!(follow, Follow::Nothing | Follow::GiveWay));
        }
        assert!(outbox.full);
        outbox.flush().expect("the peer is there");
        assert!(outbox.full);
    }

    #[test]
    fn a_full_outbox_refuses_but_takes_one_message_of_any_size() {
        let mut outbox = Outbox::new(10);
        let message = [0; 100];
        assert_eq!(outbox.send(MessageRef::Binary(&message)), Ok(Follow::Flush));
        assert_eq!(outbox.buffered_amount(), 100);
        assert_eq!(outbox.send(MessageRef::Text("x")), Err(Refusal::Full));
        assert_eq!(outbox.close(None), Follow::Nothing);
        assert_eq!(outbox.send(MessageRef::Text("x")), Err(Refusal::Closing));
    }
}
