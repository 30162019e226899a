//! Handlers that other threads bind and unbind while a turn is under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use isosocket_core::sync::atomic::AtomicBool;
use isosocket_core::{CloseEvent, Message, Report};

use crate::line::Line;
use crate::{Signal, model};

#[test]
fn a_handler_bound_while_a_turn_ends_gets_what_was_kept() {
    model(|| {
        let (socket, line) = Line::open();
        let _ = socket.on_open(|_| {});
        line.turn(|_| {});
        let server = line.serve_after(|line| {
            line.turn(|turn| turn.message(Message::from("kept")));
        });
        let (called, times) = (Arc::new(Signal::default()), Arc::new(AtomicUsize::new(0)));
        let _ = socket.on_message({
            let (called, times) = (called.clone(), times.clone());
            move |_, _| {
                times.fetch_add(1, Ordering::Relaxed);
                called.set();
            }
        });
        called.wait();
        line.stop(server);
        assert_eq!(times.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_handler_for_the_end_bound_meanwhile_is_called_once() {
    model(|| {
        let (socket, line) = Line::open();
        let _ = socket.on_open(|_| {});
        line.turn(|_| {});
        let server = line.serve_after(|line| {
            line.turn(|turn| turn.report(Report::Closed(CloseEvent::new(1000, "", true))));
        });
        let (called, times) = (Arc::new(Signal::default()), Arc::new(AtomicUsize::new(0)));
        let _ = socket.on_close({
            let (called, times) = (called.clone(), times.clone());
            move |_, _| {
                times.fetch_add(1, Ordering::Relaxed);
                called.set();
            }
        });
        called.wait();
        line.stop(server);
        assert_eq!(times.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_handler_that_was_unbound_is_dropped_and_not_called_again() {
    model(|| {
        let (socket, line) = Line::open();
        let (times, unbound) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let binding = socket.on_message({
            let times = times.clone();
            move |_, _| {
                times.fetch_add(1, Ordering::Relaxed);
            }
        });
        line.turn(|_| {});
        let server = line.serve_after({
            let (times, unbound) = (times.clone(), unbound.clone());
            move |line| {
                let was_unbound = unbound.load(Ordering::SeqCst);
                line.turn(|turn| turn.message(Message::from("a message")));
                assert!(!was_unbound || times.load(Ordering::Relaxed) == 0);
            }
        });
        binding.unbind();
        unbound.store(true, Ordering::SeqCst);
        line.stop(server);
        assert_eq!(Arc::strong_count(&times), 1, "the handler was dropped");
    });
}
