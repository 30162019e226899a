//! The system below event loops: one connection, whose peer answers at once.
//!
//! Random bytes are zeros. So the handshake is always the same, and masks change nothing.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use flate2::{Decompress, FlushDecompress};
use isosocket_core::{ReadyState, WebSocket};
use isosocket_native::simulation::{News, System, begin_run, install};
use isosocket_native::{EventLoop, Native};

/// The answer to a key of zeros.
const REPLY: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n";

#[derive(Default)]
struct Network {
    /// The extension that the peer agrees on, as a line of its reply.
    extension: &'static str,
    established: bool,
    /// What the client has written since the handshake, and how much of it are whole frames
    /// that the peer has answered.
    written: Vec<u8>,
    answered: usize,
    /// What the client has not read yet.
    arriving: VecDeque<u8>,
    /// The peer has ended its side.
    ended: bool,
    /// How many bytes the network takes at a time. 0: all.
    room: usize,
    left: usize,
    /// A write found no room.
    is_full: bool,
    news: News,
}

/// The network of the running model.
#[derive(Clone)]
pub struct Net(Rc<RefCell<Network>>);

impl Net {
    /// From now on the network takes so many bytes, and no more until the loop has waited.
    pub fn set_room(&self, room: usize) {
        let mut network = self.0.borrow_mut();
        (network.room, network.left) = (room, room);
    }

    /// The payloads of the frames that the client has written: opcode and text.
    pub fn frames(&self) -> Vec<(u8, String)> {
        let network = self.0.borrow();
        let mut rest = &network.written[..];
        let mut frames = Vec::new();
        let mut inflater = Decompress::new(false);
        while let Some((opcode, payload, length)) = first_frame(rest) {
            let payload = match rest[0] & 0x40 {
                0 => payload.to_vec(),
                _ => inflate(&mut inflater, payload),
            };
            frames.push((opcode, String::from_utf8(payload).unwrap()));
            rest = &rest[length..];
        }
        assert!(rest.is_empty(), "half a frame");
        frames
    }
}

impl Network {
    /// The peer closes when it is asked to, and answers each text.
    fn answer(&mut self) {
        while let Some((opcode, _, length)) = first_frame(&self.written[self.answered..]) {
            self.answered += length;
            match opcode {
                1 => self.arriving.extend([0x81, 1, b'!']),
                8 => {
                    self.arriving.extend([0x88, 0]);
                    self.ended = true;
                }
                _ => continue,
            }
            self.news.readable = true;
            self.news.read_closed = self.ended;
        }
    }
}

/// A message as it was before compression (RFC 7692, 7.2.2). It may refer to earlier ones.
fn inflate(inflater: &mut Decompress, payload: &[u8]) -> Vec<u8> {
    let compressed = [payload, &[0, 0, 0xff, 0xff]].concat();
    let mut text = Vec::with_capacity(1 << 10);
    inflater
        .decompress_vec(&compressed, &mut text, FlushDecompress::Sync)
        .expect("it refers only to what was sent");
    text
}

/// The first frame of these, if it is whole: opcode, payload, and how long it is.
fn first_frame(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    let [first, length, _, _, _, _, tail @ ..] = bytes else {
        return None;
    };
    let payload = tail.get(..usize::from(length & 0x7f))?;
    Some((first & 0x0f, payload, 6 + payload.len()))
}

impl System for Net {
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    fn random(&mut self, bytes: &mut [u8]) {
        bytes.fill(0);
    }

    fn connect(&mut self, _: SocketAddr) -> io::Result<usize> {
        Ok(0)
    }

    fn take_error(&mut self, _: usize) -> Option<io::Error> {
        None
    }

    fn is_connected(&self, _: usize) -> bool {
        true
    }

    fn read(&mut self, _: usize, buffer: &mut [u8]) -> io::Result<usize> {
        let mut network = self.0.borrow_mut();
        let most = buffer.len().min(network.arriving.len());
        if most == 0 && !network.ended {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        for (place, byte) in buffer.iter_mut().zip(network.arriving.drain(..most)) {
            *place = byte;
        }
        Ok(most)
    }

    fn write(&mut self, _: usize, bytes: &[u8]) -> io::Result<usize> {
        let mut network = self.0.borrow_mut();
        let mut most = bytes.len();
        if network.room > 0 {
            most = most.min(network.left);
            network.left -= most;
            if most == 0 {
                network.is_full = true;
                return Err(io::ErrorKind::WouldBlock.into());
            }
        }
        if network.established {
            network.written.extend(&bytes[..most]);
            network.answer();
        } else {
            // The request is one write.
            network.established = true;
            let reply = [REPLY, network.extension, "\r\n"].concat();
            network.arriving.extend(reply.as_bytes());
            network.news.readable = true;
        }
        Ok(most)
    }

    fn shutdown(&mut self, _: usize) {}

    fn close(&mut self, _: usize) {}

    fn receive_buffer(&self) -> usize {
        1 << 16
    }

    fn watch(&mut self, _: usize) {
        let mut network = self.0.borrow_mut();
        network.news.writable = true;
        network.news.readable = !network.arriving.is_empty() || network.ended;
        network.news.read_closed = network.ended;
    }

    fn wait(&mut self, _: Option<Duration>) -> Vec<News> {
        let mut network = self.0.borrow_mut();
        if std::mem::take(&mut network.is_full) {
            network.left = network.room;
            network.news.writable = true;
        }
        let news = std::mem::take(&mut network.news);
        let is_news = news.readable || news.writable || news.read_closed;
        is_news.then_some(news).into_iter().collect()
    }
}

/// A loop with a socket that is open.
pub fn open(send_limit: usize) -> (EventLoop, WebSocket<Native>, Net) {
    open_with("", send_limit)
}

/// The same with a peer that agrees on compression.
pub fn open_compressed(send_limit: usize) -> (EventLoop, WebSocket<Native>, Net) {
    open_with(
        "Sec-WebSocket-Extensions: permessage-deflate\r\n",
        send_limit,
    )
}

fn open_with(extension: &'static str, send_limit: usize) -> (EventLoop, WebSocket<Native>, Net) {
    let network = Network {
        extension,
        ..Network::default()
    };
    let net = Net(Rc::new(RefCell::new(network)));
    begin_run();
    install(Rc::new(RefCell::new(net.clone())));
    let mut event_loop = EventLoop::new().unwrap();
    let socket = {
        let _entered = event_loop.enter();
        let builder = WebSocket::<Native>::builder("ws://127.0.0.1:9000/");
        builder.send_limit(send_limit).connect().unwrap()
    };
    while socket.ready_state() == ReadyState::Connecting {
        event_loop.turn(Some(Duration::ZERO));
    }
    assert_eq!(socket.ready_state(), ReadyState::Open);
    (event_loop, socket, net)
}
