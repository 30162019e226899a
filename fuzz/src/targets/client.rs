//! The whole client, with any bytes of the peer, in any pieces, at any times, and any acts
//! of the program between them: core, the event loop, the engine and the wire.
//!
//! What the program sees is compared with the second decoder, and what the client writes is
//! read by rules of a server.

use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use isosocket_core::{Event, EventKind, Events, Heartbeat, ReadyState, WebSocket};
use isosocket_native::fuzzing::{Compression, Item};
use isosocket_native::{BuilderExt, Deflate, EventLoop, Native, simulation};
use tungstenite::handshake::derive_accept_key;

use crate::frames;
use crate::input::Input;
use crate::reference;
use crate::world::{End, World};

const MAX: usize = 100_000;
/// More than a run needs to come to rest.
const MOST_TURNS: usize = 2000;

type Log = Arc<Mutex<Vec<Event>>>;

struct Run<'a> {
    input: Input<'a>,
    world: Rc<RefCell<World>>,
    event_loop: ManuallyDrop<EventLoop>,
    socket: Option<WebSocket<Native>>,
    events: Option<Events<Native>>,
    log: Log,
    /// What the peer sent behind its reply.
    stream: Vec<u8>,
    compression: Option<Compression>,
    /// The reply was a good one.
    is_established: bool,
    /// Messages that `send` has taken.
    sent: Vec<Item>,
    /// The program closed or dropped the socket, or time passed so that a deadline may have.
    interfered: bool,
    turns: usize,
}

pub fn run(data: &[u8]) {
    let mut input = Input(data);
    let world = Rc::new(RefCell::new(World::default()));
    world.borrow_mut().window = 1 << 20;
    simulation::install(world.clone());
    let flags = input.byte();
    let run = start(input, flags, world);
    run.live(flags);
    simulation::uninstall();
}

fn start(input: Input<'_>, flags: u8, world: Rc<RefCell<World>>) -> Run<'_> {
    let event_loop = EventLoop::new().expect("a loop");
    let mut builder = WebSocket::<Native>::builder("ws://192.0.2.1:8080/")
        .max_message_size(MAX)
        .send_limit(1 << 20)
        .deflate(Deflate::default().min_size(8));
    if flags & 1 != 0 {
        let times = (Duration::from_secs(5), Duration::from_secs(2));
        builder = builder.heartbeat(Heartbeat::new(times.0, times.1));
    }
    let entered = event_loop.enter();
    let socket = builder.connect().expect("it is valid");
    drop(entered);
    let log = Log::default();
    let mut events = None;
    if flags & 2 != 0 {
        for kind in EventKind::ALL {
            let log = log.clone();
            let _ = socket.bind(kind, move |_, event| {
                log.lock().expect("not poisoned").push(event.clone());
            });
        }
    } else {
        events = Some(socket.events());
    }
    Run {
        input,
        world,
        event_loop: ManuallyDrop::new(event_loop),
        socket: Some(socket),
        events,
        log,
        stream: Vec::new(),
        compression: (flags & 4 != 0).then_some(Compression {
            window: 15,
            takes_over: true,
        }),
        is_established: false,
        sent: Vec::new(),
        interfered: false,
        turns: 0,
    }
}

impl Run<'_> {
    fn live(mut self, flags: u8) {
        self.turn(Duration::ZERO);
        self.turn(Duration::ZERO);
        self.reply(flags & 8 != 0);
        while !self.input.is_empty() {
            self.act();
        }
        // The end: all that is there is read, and then nothing comes any more.
        {
            let mut world = self.world.borrow_mut();
            world.end.get_or_insert(End::Shutdown);
            world.window = usize::MAX;
            world.news();
        }
        while self.is_pending() {
            self.turn(Duration::from_secs(1));
        }
        self.read();
        self.check_events();
        self.check_written();
        self.check_nothing_is_left();
        drop(ManuallyDrop::into_inner(self.event_loop));
    }

    /// Whether the program waits for its end.
    fn is_pending(&mut self) -> bool {
        self.read();
        let log = self.log.lock().expect("not poisoned");
        !matches!(log.last(), Some(Event::Close(_)))
    }

    fn turn(&mut self, timeout: Duration) {
        self.turns += 1;
        assert!(self.turns < MOST_TURNS, "it does not come to rest");
        self.event_loop.turn(Some(timeout));
    }

    fn read(&mut self) {
        let Some(events) = &mut self.events else {
            return;
        };
        let mut log = self.log.lock().expect("not poisoned");
        while let Some(event) = events.try_next() {
            log.push(event);
        }
    }

    /// The peer's reply: a good one, or what the input says.
    fn reply(&mut self, is_raw: bool) {
        let request = String::from_utf8_lossy(&self.world.borrow().written).into_owned();
        let key = request
            .lines()
            .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
        let accept = derive_accept_key(key.expect("the request is written").as_bytes());
        let mut reply = format!(
            "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n"
        );
        if self.compression.is_some() {
            reply += "Sec-WebSocket-Extensions: permessage-deflate\r\n";
        }
        let mut reply = (reply + "\r\n").into_bytes();
        if is_raw {
            let keep = usize::from(self.input.byte()) % reply.len();
            reply.truncate(keep);
            reply.extend(self.input.chunk());
        }
        self.is_established = !is_raw;
        let mut world = self.world.borrow_mut();
        world.written.clear();
        world.arrived.extend(reply);
        world.news();
    }

    fn act(&mut self) {
        match self.input.byte() % 12 {
            0..=2 => {
                let mut bytes = Vec::new();
                let count = self.input.byte() % 4 + 1;
                for _ in 0..count {
                    frames::append(&mut self.input, &mut bytes);
                }
                self.deliver(&bytes);
            }
            3 => {
                let bytes = self.input.chunk();
                self.deliver(bytes);
            }
            4 => self.turn(Duration::ZERO),
            5 => {
                self.interfered = true;
                let time = Duration::from_millis(u64::from(self.input.short()));
                self.turn(time);
            }
            6 => {
                let mut world = self.world.borrow_mut();
                world.window = usize::from(self.input.short());
                world.news();
            }
            7 => self.send(),
            8 => {
                self.interfered = true;
                let code = self
                    .input
                    .choose(&[None, Some(1000), Some(3000), Some(4999)]);
                let reason = self.input.text();
                if let Some(socket) = &self.socket {
                    let _ = match code {
                        None => {
                            socket.close();
                            Ok(())
                        }
                        Some(code) => socket.close_with(code, &reason),
                    };
                }
            }
            9 => self.read(),
            10 => {
                let end = self
                    .input
                    .choose(&[End::Shutdown, End::Shutdown, End::Reset]);
                self.interfered |= end == End::Reset;
                let mut world = self.world.borrow_mut();
                world.end.get_or_insert(end);
                world.news();
            }
            _ => {
                // Only at times: a run without a program has little to show.
                if self.input.byte() > 200 {
                    self.interfered = true;
                    self.socket = None;
                }
            }
        }
    }

    fn deliver(&mut self, bytes: &[u8]) {
        let mut world = self.world.borrow_mut();
        if world.end.is_some() || world.dropped {
            return;
        }
        world.arrived.extend(bytes);
        world.news();
        self.stream.extend(bytes);
    }

    fn send(&mut self) {
        let is_text = self.input.flag();
        let payload = frames::payload(&mut self.input);
        let Some(socket) = &self.socket else { return };
        let is_open = socket.ready_state() == ReadyState::Open;
        let item = match is_text {
            true => Item::Text(String::from_utf8_lossy(&payload).into_owned()),
            false => Item::Binary(payload),
        };
        let result = match &item {
            Item::Text(text) => socket.send(text.as_str()).is_ok(),
            Item::Binary(data) => socket.send(data.as_slice()).is_ok(),
            _ => unreachable!("it is a message"),
        };
        if result {
            assert!(is_open, "a message was taken while not open");
            self.sent.push(item);
        }
    }

    /// S97, and that the messages are those that the peer sent.
    fn check_events(&self) {
        let log = self.log.lock().expect("not poisoned");
        let (last, before) = log.split_last().expect("there is an end");
        let Event::Close(close) = last else {
            panic!("S97: close is the last");
        };
        let (failed, before) = match before.split_last() {
            Some((Event::Error(_), before)) => (true, before),
            _ => (false, before),
        };
        let (opened, messages) = match before.split_first() {
            Some((Event::Open, messages)) => (true, messages),
            _ => (false, before),
        };
        assert!(opened || messages.is_empty(), "a message before open");
        assert!(opened || failed, "it failed without an error");
        if failed {
            assert_eq!((close.code, close.was_clean), (1006, false));
        }
        let messages: Vec<Item> = messages
            .iter()
            .map(|event| match event {
                Event::Message(message) => Item::from(message.clone()),
                other => panic!("S97: {other:?} among messages"),
            })
            .collect();
        if !self.is_established {
            return;
        }
        let (items, end) = reference::decode(&self.stream, MAX, self.compression);
        let is_message = |item: &&Item| matches!(item, Item::Text(_) | Item::Binary(_));
        let expected: Vec<&Item> = items.iter().filter(is_message).collect();
        let found: Vec<&Item> = messages.iter().collect();
        assert!(
            expected.starts_with(&found),
            "other messages than were sent"
        );
        if self.interfered {
            return;
        }
        // Nobody but the peer ended it.
        assert!(opened);
        assert_eq!(found, expected, "{end:?}");
        match (end, items.last()) {
            (reference::End::Closed, Some(Item::Close(frame))) => {
                let (code, reason) = frame.clone().unwrap_or((1005, String::new()));
                assert_eq!(
                    (close.code, &*close.reason, close.was_clean),
                    (code, &*reason, true)
                );
                assert!(!failed);
            }
            (reference::End::Violation(_), _) => assert!(failed),
            // S96: the end of the stream is no error.
            _ => assert_eq!((failed, close.code, close.was_clean), (false, 1006, false)),
        }
    }

    /// What the client wrote behind its request are whole, masked and allowed frames.
    fn check_written(&self) {
        let world = self.world.borrow();
        assert_eq!(world.streams(), 1);
        let mut rest = &world.written[..];
        let mut closed = false;
        let mut sent = self.sent.iter();
        while let [first, second, after @ ..] = rest {
            assert!(!closed, "S52: nothing follows a Close frame");
            assert!(second & 0x80 != 0, "it is masked");
            let extra = match second & 0x7F {
                126 => 2,
                127 => 8,
                _ => 0,
            };
            let Some((extended, after)) = after.split_at_checked(extra + 4) else {
                return;
            };
            let (extended, mask) = extended.split_at(extra);
            let length = match extra {
                0 => usize::from(second & 0x7F),
                _ => extended
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
            };
            let Some((payload, after)) = after.split_at_checked(length) else {
                return;
            };
            rest = after;
            let payload = payload.iter().zip(mask.iter().cycle());
            let payload: Vec<u8> = payload.map(|(byte, key)| byte ^ key).collect();
            match first {
                0x81 => {
                    let text = String::from_utf8(payload).expect("it is text");
                    assert_eq!(sent.next(), Some(&Item::Text(text)));
                }
                0x82 => assert_eq!(sent.next(), Some(&Item::Binary(payload))),
                0xC1 | 0xC2 => {
                    assert!(self.compression.is_some());
                    sent.next().expect("it was sent");
                }
                0x88 => closed = true,
                0x89 | 0x8A => assert!(length <= 125),
                _ => panic!("a frame of kind {first:#x}"),
            }
        }
    }

    /// S102.
    fn check_nothing_is_left(&mut self) {
        self.socket = None;
        self.events = None;
        while !self.world.borrow().dropped || self.event_loop.next_deadline().is_some() {
            self.turn(Duration::from_secs(1));
        }
        assert_eq!(Arc::strong_count(&self.log), 1, "S102: handlers are left");
    }
}
