//! The last handle is dropped, on whatever thread (S102).

use std::sync::Arc;

use isosocket_core::Message;
use loom::thread;

use crate::line::{Command, Line};
use crate::model;

/// The connection was closed once, and detached.
#[track_caller]
fn assert_closed_once(commands: &[Command]) {
    let count = |is: fn(&&Command) -> bool| commands.iter().filter(is).count();
    let closed = count(|command| matches!(command, Command::Close));
    let detached = count(|command| matches!(command, Command::Detach));
    assert_eq!(closed, 1, "{commands:?}");
    assert!(detached > 0, "{commands:?}");
}

#[test]
fn the_last_handle_dropped_in_a_turn_closes_the_socket_once() {
    model(|| {
        let (socket, line) = Line::open();
        let owned = Arc::new(());
        let mine = owned.clone();
        let _ = socket.on_message(move |_, _| drop(mine.clone()));
        line.turn(|_| {});
        let server = line.serve_after(|line| {
            line.turn(|turn| turn.message(Message::from("late")));
        });
        drop(socket);
        let commands = line.stop(server);
        assert_closed_once(&commands);
        assert_eq!(Arc::strong_count(&owned), 1, "the handler was dropped");
    });
}

#[test]
fn of_two_threads_with_the_last_handles_one_closes_the_socket() {
    model(|| {
        let (socket, line) = Line::open();
        let other = socket.clone();
        let dropper = thread::spawn(move || {
            drop(other);
            Vec::new()
        });
        drop(socket);
        let commands = line.stop(dropper);
        assert_closed_once(&commands);
    });
}

#[test]
fn a_handler_and_another_thread_drop_the_last_handles() {
    model(|| {
        let (socket, line) = Line::open();
        let mut own = Some(socket.clone());
        let _ = socket.on_message(move |_, _| drop(own.take()));
        line.turn(|_| {});
        let server = line.serve_after(|line| {
            line.turn(|turn| turn.message(Message::from("the last")));
        });
        drop(socket);
        let commands = line.stop(server);
        assert_closed_once(&commands);
    });
}
