//! Streams: what a turn hands over, and streams that begin or end meanwhile.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use isosocket_core::{CloseEvent, Event, EventKind, Message, Report};

use crate::line::{Command, Line};
use crate::{block_on, model};

fn closed() -> Report {
    Report::Closed(CloseEvent::new(1000, "", true))
}

/// What a stream yields until it ends, when it begins while the socket closes.
fn begun_while_closing(listens: impl Fn(&isosocket_core::WebSocket<Line>) + Send + Sync + 'static) {
    model(move || {
        let (socket, line) = Line::open();
        listens(&socket);
        line.turn(|_| {});
        let server = line.serve_after(|line| {
            line.turn(|turn| turn.report(closed()));
        });
        let mut events = socket.events();
        let mut kinds = Vec::new();
        while let Some(event) = block_on(events.next()) {
            kinds.push(event.kind());
        }
        assert!(
            kinds
                .iter()
                .filter(|kind| **kind == EventKind::Close)
                .count()
                <= 1
        );
        assert_eq!(socket.close_event().map(|close| close.code), Some(1000));
        line.stop(server);
    });
}

#[test]
fn a_stream_made_while_the_socket_closes_ends() {
    // `Close` is kept for the stream, or the stream is there before.
    begun_while_closing(|socket| {
        let _ = socket.on_open(|_| {});
    });
}

#[test]
fn a_stream_made_while_handlers_get_the_close_ends() {
    // Nothing is kept: the stream may begin after all is over.
    begun_while_closing(|socket| {
        let _ = socket.on_open(|_| {});
        let _ = socket.on_close(|_, _| {});
    });
}

#[test]
fn a_stream_made_while_closing_gets_what_was_kept() {
    begun_while_closing(|_| {});
}

#[test]
fn a_stream_gets_every_message_once_and_in_order() {
    model(|| {
        let (socket, line) = Line::open();
        let mut events = socket.events();
        line.turn(|_| {});
        let server = line.serve_after(|line| {
            line.turn(|turn| turn.message(Message::from("1")));
            line.turn(|turn| {
                turn.message(Message::from("2"));
                turn.report(closed());
            });
        });
        let mut texts = Vec::new();
        while let Some(event) = block_on(events.next()) {
            if let Event::Message(message) = event {
                texts.push(message.to_string());
            }
        }
        assert_eq!(texts, ["1", "2"]);
        line.stop(server);
    });
}

#[test]
fn a_full_stream_resumes_reading_when_it_is_read_or_dropped() {
    for drops in [false, true] {
        model(move || {
            let (socket, line) = Line::open();
            let mut events = socket.events();
            line.turn(|_| {});
            let server = line.serve_after(|line| {
                let mut is_paused = false;
                line.turn(|turn| {
                    turn.message(Message::from("much"));
                    is_paused = turn.is_backlogged(1);
                });
                // It waits for ever if nobody asks for more.
                while is_paused {
                    is_paused = !matches!(line.next(), Command::Resume);
                }
            });
            match drops {
                true => drop(events),
                false => while !matches!(block_on(events.next()), Some(Event::Message(_))) {},
            }
            line.stop(server);
        });
    }
}

#[test]
fn a_stream_that_is_dropped_leaves_nothing() {
    model(|| {
        let (socket, line) = Line::open();
        let mut events = socket.events();
        let owned = Arc::new(());
        let hook = owned.clone();
        events.set_wake_hook(move || drop(hook.clone()));
        let polled = events.poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Pending));
        let server = line.serve_after(|line| {
            line.turn(|turn| turn.message(Message::from("late")));
        });
        drop(events);
        line.stop(server);
        assert_eq!(Arc::strong_count(&owned), 1);
    });
}
