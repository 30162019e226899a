//! A loop that two threads want at the same time: one that blocks, and one that drives it.

use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use isosocket::native::{EventLoop, EventsExt, block_on};
use isosocket::{Event, ReadyState, WebSocket};

use super::{LIMIT, peer, socket_of, turn_until};

/// How often the two threads meet. In most of the rounds the one sleeps in the loop when the
/// other comes.
const ROUNDS: usize = 200;

/// In each round one thread uses a loop and receives, and `drive` has the loop on another
/// thread meanwhile. It must return, although nothing arrives.
fn received_while(drive: impl Fn(&mut EventLoop) + Send + 'static) {
    let (_peer, url) = peer("/echo");
    let mut event_loop = EventLoop::new().unwrap();
    let socket = socket_of(&event_loop, &url);
    let mut events = socket.events();
    assert_eq!(events.recv_timeout(LIMIT), Ok(Event::Open));
    let (give, loops) = channel::<EventLoop>();
    let (give_back, returned) = channel();
    let (confirm, confirmed) = smol::channel::bounded(1);
    let driver = thread::spawn(move || {
        for (number, mut event_loop) in loops.into_iter().enumerate() {
            drive(&mut event_loop);
            socket.send(number.to_string()).unwrap();
            event_loop.block_on(confirmed.recv()).unwrap();
            give_back.send(event_loop).unwrap();
        }
    });
    for number in 0..ROUNDS {
        event_loop.turn(Some(Duration::ZERO));
        give.send(event_loop).unwrap();
        let message = Event::Message(number.to_string().into());
        assert_eq!(events.recv_timeout(LIMIT), Ok(message));
        confirm.send_blocking(()).unwrap();
        event_loop = returned.recv().unwrap();
    }
    drop(give);
    driver.join().unwrap();
}

#[test]
fn a_turn_does_not_wait_for_a_blocking_receive_of_another_thread() {
    received_while(|event_loop| event_loop.turn(Some(Duration::ZERO)));
}

#[test]
fn a_future_on_a_loop_does_not_wait_for_a_blocking_receive_of_another_thread() {
    let (asked, answers) = smol::channel::bounded(1);
    // It is woken by a third thread.
    let answering = thread::spawn(move || {
        for _ in 0..ROUNDS {
            asked.send_blocking(()).unwrap();
        }
    });
    received_while(move |event_loop| event_loop.block_on(answers.recv()).unwrap());
    answering.join().unwrap();
}

#[test]
fn two_threads_that_have_entered_one_loop_both_receive() {
    let (_peer, url) = peer("/echo");
    let event_loop = EventLoop::new().unwrap();
    let (sender, sockets) = channel();
    let _first = thread::scope(|scope| {
        scope.spawn(|| {
            let _entered = event_loop.enter();
            let socket = WebSocket::new(&url).unwrap();
            let mut events = socket.events();
            assert_eq!(events.recv_timeout(LIMIT), Ok(Event::Open));
            sender.send(socket).unwrap();
            for number in 0..ROUNDS {
                let message = Event::Message(number.to_string().into());
                assert_eq!(events.recv_timeout(LIMIT), Ok(message));
            }
        });
        let first: WebSocket = sockets.recv().unwrap();
        let _entered = event_loop.enter();
        let second = WebSocket::new(&url).unwrap();
        let mut events = second.events();
        assert_eq!(events.recv_timeout(LIMIT), Ok(Event::Open));
        for number in 0..ROUNDS {
            // What the other thread waits for comes after what this one waits for.
            second.send(number.to_string()).unwrap();
            let message = Event::Message(number.to_string().into());
            assert_eq!(events.recv_timeout(LIMIT), Ok(message));
            first.send(number.to_string()).unwrap();
        }
        first
    });
}

#[test]
fn a_future_that_blocks_in_a_loop_goes_on_when_another_thread_drops_the_loop() {
    let event_loop = EventLoop::new().unwrap();
    let handle = event_loop.handle();
    let (sender, dropped) = smol::channel::bounded(1);
    let dropper = thread::spawn(move || {
        drop(event_loop);
        sender.send_blocking(7).unwrap();
    });
    let result = pollster::block_on(handle.scope(async { block_on(dropped.recv()) }));
    assert_eq!(result, Ok(7));
    dropper.join().unwrap();
}

/// The future is done at once, so its thread does not come to the loop any more.
#[test]
fn a_socket_that_a_future_makes_is_served_by_the_thread_that_has_the_loop() {
    let (_peer, url) = peer("/echo");
    let mut event_loop = EventLoop::new().unwrap();
    let (socket, other) = (socket_of(&event_loop, &url), socket_of(&event_loop, &url));
    turn_until(&mut event_loop, || other.ready_state() == ReadyState::Open);
    let mut events = socket.events();
    assert_eq!(events.recv_timeout(LIMIT), Ok(Event::Open));
    let (note, turns) = channel();
    other.on_message(move |_, _| note.send(()).unwrap());
    let (give, loops) = channel::<EventLoop>();
    let (give_back, returned) = channel();
    let making = thread::spawn(move || {
        for mut event_loop in loops {
            // The handler runs in the blocking receive.
            other.send("a turn").unwrap();
            turns.recv_timeout(LIMIT).unwrap();
            let (note, opened) = channel();
            let builder = WebSocket::builder(&url).on_open(move |_| note.send(()).unwrap());
            let made = event_loop.block_on(async { builder.connect().unwrap() });
            opened.recv_timeout(LIMIT).unwrap();
            drop(made);
            socket.send("done").unwrap();
            give_back.send(event_loop).unwrap();
        }
    });
    for _ in 0..ROUNDS {
        event_loop.turn(Some(Duration::ZERO));
        give.send(event_loop).unwrap();
        let message = Event::Message("done".into());
        assert_eq!(events.recv_timeout(2 * LIMIT), Ok(message));
        event_loop = returned.recv().unwrap();
    }
    drop(give);
    making.join().unwrap();
}
