//! Other loops that drive an event loop: each connects, echoes 1,000 messages in
//! order, and closes cleanly.
#![cfg(unix)]

use std::cell::RefCell;
use std::io;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use isosocket::native::EventLoop;
use isosocket::{Event, Events, WebSocket};
use mio::unix::SourceFd;
use mio::{Interest, Poll, Token};

use super::{LIMIT, peer, socket_of};

const COUNT: usize = 1_000;

/// A conversation that goes on whenever the loop had a turn.
struct Conversation {
    socket: WebSocket,
    events: Events,
    received: usize,
    is_over: bool,
}

impl Conversation {
    fn new(event_loop: &EventLoop, url: &str) -> Self {
        let socket = socket_of(event_loop, url);
        Conversation {
            events: socket.events(),
            socket,
            received: 0,
            is_over: false,
        }
    }

    fn go_on(&mut self) {
        while let Some(event) = self.events.try_next() {
            match event {
                Event::Open => self.socket.send("0").unwrap(),
                Event::Message(message) => {
                    assert_eq!(message.to_string(), self.received.to_string());
                    self.received += 1;
                    match self.received {
                        COUNT => self.socket.close(),
                        next => self.socket.send(next.to_string()).unwrap(),
                    }
                }
                Event::Error(error) => panic!("{error:#}"),
                Event::Close(close) => {
                    assert!(close.was_clean);
                    assert_eq!(self.received, COUNT);
                    self.is_over = true;
                }
            }
        }
    }
}

/// How long to wait for the descriptor.
fn left(event_loop: &mut EventLoop) -> Option<Duration> {
    let deadline = event_loop.next_deadline()?;
    Some(deadline.saturating_duration_since(Instant::now()))
}

/// A loop written by hand on epoll or kqueue, which reports edges only.
struct ByHand {
    poll: Poll,
    events: mio::Events,
}

impl ByHand {
    fn new(event_loop: &EventLoop) -> Self {
        let poll = Poll::new().unwrap();
        let descriptor = event_loop.as_raw_fd();
        poll.registry()
            .register(&mut SourceFd(&descriptor), Token(0), Interest::READABLE)
            .unwrap();
        let events = mio::Events::with_capacity(8);
        ByHand { poll, events }
    }

    /// Whether the descriptor became readable.
    fn wait(&mut self, timeout: Option<Duration>) -> bool {
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            polled => polled.unwrap(),
        }
        !self.events.is_empty()
    }
}

#[test]
fn a_loop_by_hand() {
    let (_peer, url) = peer("/echo");
    let mut event_loop = EventLoop::new().unwrap();
    let mut by_hand = ByHand::new(&event_loop);
    let mut conversation = Conversation::new(&event_loop, &url);
    while !conversation.is_over {
        let timeout = left(&mut event_loop);
        by_hand.wait(timeout);
        event_loop.turn(Some(Duration::ZERO));
        conversation.go_on();
    }
}

#[test]
fn calloop_drives_a_loop() {
    use calloop::generic::Generic;
    use calloop::{EventLoop as Calloop, Interest, Mode, PostAction};

    let (_peer, url) = peer("/echo");
    let mut event_loop = EventLoop::new().unwrap();
    let mut conversation = Conversation::new(&event_loop, &url);
    let mut calloop: Calloop<'_, ()> = Calloop::try_new().unwrap();
    let descriptor = Generic::new(event_loop_fd(&event_loop), Interest::READ, Mode::Level);
    calloop
        .handle()
        .insert_source(descriptor, |_, _, ()| Ok(PostAction::Continue))
        .unwrap();
    while !conversation.is_over {
        let timeout = left(&mut event_loop);
        calloop.dispatch(timeout, &mut ()).unwrap();
        event_loop.turn(Some(Duration::ZERO));
        conversation.go_on();
    }
}

/// A descriptor of its own, as calloop keeps what it is given.
fn event_loop_fd(event_loop: &EventLoop) -> std::os::fd::OwnedFd {
    use std::os::fd::AsFd;
    event_loop.as_fd().try_clone_to_owned().unwrap()
}

#[test]
fn smol_drives_a_loop() {
    let (_peer, url) = peer("/echo");
    smol::block_on(async {
        let mut event_loop = EventLoop::new().unwrap();
        let mut conversation = Conversation::new(&event_loop, &url);
        let descriptor = smol::Async::new_nonblocking(event_loop_fd(&event_loop)).unwrap();
        while !conversation.is_over {
            let readable = async {
                descriptor.readable().await.unwrap();
            };
            match event_loop.next_deadline() {
                None => readable.await,
                Some(deadline) => {
                    let due = async {
                        smol::Timer::at(deadline).await;
                    };
                    smol::future::or(readable, due).await;
                }
            }
            event_loop.turn(Some(Duration::ZERO));
            conversation.go_on();
        }
    });
}

/// As a program does that has not the feature `tokio`.
#[allow(
    deprecated,
    reason = "its successor is unsafe, and this owns its descriptor"
)]
async fn by_async_fd(url: String) {
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    let mut event_loop = EventLoop::new().unwrap();
    let mut conversation = Conversation::new(&event_loop, &url);
    let descriptor = event_loop_fd(&event_loop);
    let descriptor = AsyncFd::with_interest(descriptor, Interest::READABLE).unwrap();
    while !conversation.is_over {
        let deadline = event_loop.next_deadline();
        let due = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                None => std::future::pending().await,
            }
        };
        let readable = async {
            descriptor.readable().await.unwrap().clear_ready();
        };
        smol::future::or(readable, due).await;
        event_loop.turn(Some(Duration::ZERO));
        conversation.go_on();
    }
}

pub(super) fn current_thread() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}

pub(super) fn multi_thread() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

#[test]
fn tokio_drives_a_loop_by_its_descriptor() {
    let (_peer, url) = peer("/echo");
    current_thread().block_on(by_async_fd(url.clone()));
    let runtime = multi_thread();
    runtime
        .block_on(runtime.spawn(by_async_fd(url.clone())))
        .unwrap();
    let local = tokio::task::LocalSet::new();
    let spawned = local.run_until(async { tokio::task::spawn_local(by_async_fd(url)).await });
    current_thread().block_on(spawned).unwrap();
}

#[test]
fn a_wake_up_of_another_thread_makes_the_descriptor_readable() {
    let (_peer, url) = peer("/echo");
    let mut event_loop = EventLoop::new().unwrap();
    let mut by_hand = ByHand::new(&event_loop);
    let mut conversation = Conversation::new(&event_loop, &url);
    conversation
        .socket
        .bind(isosocket::EventKind::Open, |_, _| {});
    while conversation.received == 0 {
        by_hand.wait(left(&mut event_loop));
        event_loop.turn(Some(Duration::ZERO));
        if conversation.events.try_next() == Some(Event::Open) {
            conversation.received = 1;
        }
    }
    // Nothing is left to do.
    while event_loop.next_deadline().is_some() || by_hand.wait(Some(Duration::ZERO)) {
        event_loop.turn(Some(Duration::ZERO));
    }
    let socket = conversation.socket.clone();
    let closer = thread::spawn(move || socket.close());
    assert!(by_hand.wait(Some(LIMIT)));
    closer.join().unwrap();
    event_loop.turn(Some(Duration::ZERO));
}

#[test]
fn many_events_at_once_are_all_served_where_only_edges_are_reported() {
    // More than one turn takes.
    const SOCKETS: usize = 300;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let mut event_loop = EventLoop::new().unwrap();
    let server = thread::spawn(move || {
        let accept = || tungstenite::accept(listener.accept().unwrap().0).unwrap();
        std::iter::repeat_with(accept)
            .take(SOCKETS)
            .collect::<Vec<_>>()
    });
    let received = Rc::new(RefCell::new(0));
    let mut streams = Vec::new();
    for _ in 0..SOCKETS {
        let socket = socket_of(&event_loop, &url);
        let mut events = socket.events();
        let opened = event_loop.block_on(events.next());
        assert_eq!(opened, Some(Event::Open));
        streams.push((socket, events));
    }
    let mut peers = server.join().unwrap();
    let mut by_hand = ByHand::new(&event_loop);
    while left(&mut event_loop).is_some() || by_hand.wait(Some(Duration::ZERO)) {
        event_loop.turn(Some(Duration::ZERO));
    }
    // Loopback: what is written has arrived.
    for peer in &mut peers {
        peer.send("a".into()).unwrap();
    }
    while *received.borrow() < SOCKETS {
        let timeout = left(&mut event_loop);
        assert!(by_hand.wait(Some(timeout.unwrap_or(LIMIT))) || timeout.is_some());
        event_loop.turn(Some(Duration::ZERO));
        for (_, events) in &mut streams {
            if let Some(Event::Message(_)) = events.try_next() {
                *received.borrow_mut() += 1;
            }
        }
    }
}
