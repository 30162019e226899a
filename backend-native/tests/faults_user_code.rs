//! A panic in the program's code, also in a destructor, stops no other socket (S105).

mod support;

use std::panic::panic_any;

use isosocket::Event;

use support::*;

/// Its destructor panics, unless a panic is on its way already.
struct PanicsOnDrop;

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("on purpose: in a destructor");
        }
    }
}

#[test]
fn what_a_handler_owns_may_panic_when_it_is_dropped() {
    let other = echo();
    let owned = PanicsOnDrop;
    let builder = isosocket::WebSocket::builder(peer().url("/close"));
    let (_socket, events) = connect(builder.on_message(move |_, _| {
        let _ = &owned;
    }));
    while !matches!(next(&events), Event::Close(_)) {}
    echoes(&other, 10);
    echoes(&echo(), 10);
}

#[test]
fn what_a_handler_panics_with_may_panic_when_it_is_dropped() {
    let other = echo();
    let builder = isosocket::WebSocket::builder(peer().url("/text/hello"));
    let (_socket, events) = connect(builder.on_message(|_, _| panic_any(PanicsOnDrop)));
    while !matches!(next(&events), Event::Message(_)) {}
    echoes(&other, 10);
    echoes(&echo(), 10);
}
