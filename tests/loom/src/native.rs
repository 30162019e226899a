//! The whole native client: the send queue and the write token, the loop's mailbox and what
//! wakes it, and sockets that another loop takes over.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_sink::Sink;
use isosocket_core::{Event, ReadyState, WebSocket};
use isosocket_native::{EventLoop, EventsExt, Native};
use loom::thread::{self, JoinHandle};

use crate::network::{Net, open, open_compressed};
use crate::{Signal, block_on, model_with};

/// A loop is a hundred steps, so fewer interruptions have to do.
const PREEMPTIONS: usize = 2;

/// Serves the loop on a thread of its own, until the socket is closed.
fn serve(mut event_loop: EventLoop, socket: &WebSocket<Native>) -> JoinHandle<()> {
    let socket = socket.clone();
    thread::spawn(move || {
        event_loop.block_on(async { drop(socket.closed().await) });
    })
}

/// The texts that the client has written, which ends with a Close frame.
fn texts(net: &Net) -> Vec<String> {
    let mut frames = net.frames();
    assert_eq!(frames.pop(), Some((8, String::new())));
    assert!(frames.iter().all(|(opcode, _)| *opcode == 1), "{frames:?}");
    frames.into_iter().map(|(_, text)| text).collect()
}

/// Whether these come in this order.
fn is_ordered(texts: &[String], wanted: &[&str]) -> bool {
    let of_one: Vec<_> = texts
        .iter()
        .filter(|text| wanted.contains(&text.as_str()))
        .collect();
    of_one == wanted
}

#[test]
fn what_two_threads_send_goes_out_whole_and_in_their_order() {
    // Three threads have too many orders.
    model_with(PREEMPTIONS - 1, || {
        let (event_loop, socket, net) = open(1 << 20);
        net.set_room(9);
        let server = serve(event_loop, &socket);
        let sender = thread::spawn({
            let socket = socket.clone();
            move || {
                socket.send("1").unwrap();
                socket.send("2").unwrap();
            }
        });
        socket.send("a").unwrap();
        sender.join().unwrap();
        socket.close();
        server.join().unwrap();
        let texts = texts(&net);
        assert_eq!(texts.len(), 3, "{texts:?}");
        assert!(is_ordered(&texts, &["1", "2"]), "{texts:?}");
        assert_eq!(socket.buffered_amount(), 0);
    });
}

#[test]
fn what_was_compressed_and_refused_is_not_referred_to() {
    const LONG: &str = "the same text, twice. the same text, twice. the same text, twice. ";
    let refused = Arc::new(AtomicUsize::new(0));
    let count = refused.clone();
    model_with(PREEMPTIONS - 1, move || {
        let (mut event_loop, socket, net) = open_compressed(1);
        net.set_room(5);
        let tried = Arc::new(Signal::default());
        let server = thread::spawn({
            let (socket, tried) = (socket.clone(), tried.clone());
            move || {
                let short = socket.send("short").is_ok();
                tried.wait();
                event_loop.block_on(async { drop(socket.closed().await) });
                short
            }
        });
        // It is refused if the short message comes in between.
        let first = socket.send(LONG).is_ok();
        tried.set();
        block_on(socket.send_ready());
        let second = socket.send(LONG).is_ok();
        socket.close();
        let short = server.join().unwrap();
        let long = [first, second].into_iter().filter(|sent| *sent).count();
        count.fetch_add(2 - long, Ordering::Relaxed);
        let mut expected = vec![LONG; long];
        expected.extend(short.then_some("short"));
        let mut texts = texts(&net);
        texts.sort_by_key(|text| text != LONG);
        assert_eq!(texts, expected);
    });
    assert!(refused.load(Ordering::Relaxed) > 0);
}

#[test]
fn who_waits_for_room_to_send_is_woken() {
    model_with(PREEMPTIONS, || {
        let (event_loop, socket, net) = open(1);
        net.set_room(5);
        let server = serve(event_loop, &socket);
        for text in ["first", "second"] {
            block_on(socket.send_ready());
            socket.send(text).unwrap();
        }
        socket.close();
        server.join().unwrap();
        assert_eq!(texts(&net), ["first", "second"]);
    });
}

#[test]
fn who_waits_until_all_is_written_is_woken() {
    model_with(PREEMPTIONS, || {
        let (event_loop, socket, net) = open(1 << 20);
        let server = serve(event_loop, &socket);
        let sender = thread::spawn({
            let socket = socket.clone();
            move || socket.send("text").unwrap()
        });
        let mut all = socket.sender();
        block_on(poll_fn(|context| Pin::new(&mut all).poll_flush(context))).unwrap();
        sender.join().unwrap();
        socket.close();
        server.join().unwrap();
        assert_eq!(texts(&net), ["text"]);
    });
}

#[test]
fn a_blocking_receive_gets_what_another_thread_reads() {
    model_with(PREEMPTIONS, || {
        let (mut event_loop, socket, _net) = open(1 << 20);
        let mut events = socket.events();
        let receiver = thread::spawn({
            let socket = socket.clone();
            move || {
                socket.send("echo").unwrap();
                loop {
                    match events.recv().unwrap() {
                        Event::Message(message) => break assert_eq!(message.as_text(), Some("!")),
                        event => assert_eq!(event, Event::Open),
                    }
                }
                socket.close();
            }
        });
        event_loop.block_on(async { drop(socket.closed().await) });
        receiver.join().unwrap();
    });
}

#[test]
fn a_thread_that_receives_on_its_own_loop_is_woken_by_others() {
    model_with(PREEMPTIONS, || {
        let (event_loop, socket, net) = open(1 << 20);
        let mut events = socket.events();
        let sender = thread::spawn({
            let socket = socket.clone();
            move || {
                socket.send("echo").unwrap();
                socket.close();
            }
        });
        let _entered = event_loop.enter();
        while events.recv().is_ok() {}
        sender.join().unwrap();
        assert_eq!(texts(&net), ["echo"]);
    });
}

#[test]
fn a_loop_that_moves_goes_on_for_who_receives_on_its_former_thread() {
    model_with(PREEMPTIONS, || {
        let (mut event_loop, socket, net) = open(1 << 20);
        let mut events = socket.events();
        let driver = thread::spawn({
            let socket = socket.clone();
            move || {
                // Nothing arrives before this thread has sent.
                event_loop.turn(Some(Duration::ZERO));
                socket.send("echo").unwrap();
                event_loop.block_on(async { drop(socket.closed().await) });
            }
        });
        while !matches!(events.recv(), Ok(Event::Message(_))) {}
        socket.close();
        driver.join().unwrap();
        assert_eq!(texts(&net), ["echo"]);
    });
}

/// The future is done at once, so its thread does not look at the loop any more.
#[test]
fn what_a_future_does_reaches_a_thread_that_sleeps_in_the_same_loop() {
    model_with(PREEMPTIONS, || {
        let (event_loop, socket, net) = open(1 << 20);
        let event_loop = Arc::new(event_loop);
        let mut events = socket.events();
        let closing = thread::spawn({
            let (event_loop, socket) = (event_loop.clone(), socket.clone());
            move || {
                let _entered = event_loop.enter();
                isosocket_native::block_on(async { socket.close() });
            }
        });
        let entered = event_loop.enter();
        while events.recv().is_ok() {}
        drop(entered);
        closing.join().unwrap();
        assert_eq!(texts(&net), [""; 0]);
    });
}

#[test]
fn a_socket_whose_loop_is_dropped_goes_on_with_the_shared_thread() {
    model_with(PREEMPTIONS, || {
        let (event_loop, socket, net) = open(1 << 20);
        net.set_room(9);
        let dropper = thread::spawn(move || drop(event_loop));
        socket.send("on the way").unwrap();
        socket.close();
        block_on(socket.closed());
        assert_eq!(socket.ready_state(), ReadyState::Closed);
        dropper.join().unwrap();
        assert_eq!(texts(&net), ["on the way"]);
    });
}
