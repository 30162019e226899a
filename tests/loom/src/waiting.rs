//! Futures that wait for a change of the state, or for room to send.

use std::sync::Arc;
use std::task::{Context, Waker};
use std::{future::Future, pin::pin};

use isosocket_core::{CloseEvent, ErrorEvent, ErrorKind, OpenError, ReadyState, Report, WebSocket};
use loom::thread;

use crate::line::{Command, Line, established};
use crate::{Signal, block_on, model};

#[test]
fn who_waits_for_the_end_gets_it() {
    model(|| {
        let (socket, line) = Line::open();
        let server = thread::spawn({
            let line = line.clone();
            move || line.turn(|turn| turn.report(Report::Closed(CloseEvent::new(4000, "", true))))
        });
        let close = block_on(socket.closed());
        assert_eq!(close.code, 4000);
        assert_eq!(socket.ready_state(), ReadyState::Closed);
        server.join().unwrap();
    });
}

#[test]
fn who_waits_for_the_connection_gets_it() {
    model(|| {
        let (socket, line) = Line::connecting();
        let server = thread::spawn({
            let line = line.clone();
            move || line.turn(|turn| turn.report(established()))
        });
        block_on(socket.send_ready());
        assert_eq!(socket.ready_state(), ReadyState::Open);
        server.join().unwrap();
    });
}

#[test]
fn who_waits_for_a_connection_that_fails_gets_the_cause() {
    model(|| {
        let line = Line::next_socket();
        let opening = WebSocket::<Line>::open("ws://peer/");
        let server = thread::spawn({
            let line = line.clone();
            move || {
                let error = ErrorEvent::of_kind(ErrorKind::ConnectionRefused);
                line.turn(|turn| turn.report(Report::Failed(error)));
            }
        });
        match block_on(opening) {
            Err(OpenError::Failed(error)) => {
                assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
            }
            other => panic!("{other:?}"),
        }
        server.join().unwrap();
    });
}

#[test]
fn who_waits_for_room_is_woken_when_there_is() {
    model(|| {
        let (socket, line) = Line::open();
        line.set_buffered(2 << 20);
        let server = thread::spawn({
            let line = line.clone();
            move || {
                line.set_buffered(0);
                loop {
                    match line.next() {
                        // The contract: once at most so much is buffered.
                        Command::WatchDrain(link) => link.drained(),
                        Command::Stop => break Vec::new(),
                        _ => {}
                    }
                }
            }
        });
        block_on(socket.send_ready());
        line.stop(server);
    });
}

#[test]
fn a_wait_that_is_given_up_leaves_the_place_of_nobody_else() {
    model(|| {
        let (socket, line) = Line::open();
        let owned = Arc::new(Signal::default());
        let server = thread::spawn({
            let line = line.clone();
            move || line.turn(|turn| turn.report(Report::Closed(CloseEvent::new(1000, "", true))))
        });
        {
            let waker = Waker::from(owned.clone());
            let mut given_up = pin!(socket.closed());
            let _ = given_up.as_mut().poll(&mut Context::from_waker(&waker));
        }
        assert_eq!(block_on(socket.closed()).code, 1000);
        server.join().unwrap();
        assert_eq!(Arc::strong_count(&owned), 1, "its waker was dropped");
    });
}
