//! Handlers that throw, or panic where a panic aborts: S100 holds.

use std::cell::Cell;
use std::rc::Rc;

use crate::host::{Host, check, js, open_socket, settle};
use isosocket_core::ReadyState;
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test]
async fn a_handler_that_throws_hears_of_later_events() {
    let _host = Host::new();
    let (socket, log) = open_socket();
    let calls = Rc::new(Cell::new(0));
    let count = calls.clone();
    let _ = socket.on_message(move |_, _| {
        count.set(count.get() + 1);
        js("socket.thrower()");
    });
    js(
        "globalThis.shown = console.error; globalThis.reported = []; console.error = (e) => reported.push(e.message)",
    );
    js("socket.thrower = () => { throw new Error('on purpose') }; socket.open()");
    // So often that what a throw left behind on the stack would be seen.
    js("for (let i = 0; i < 4000; i++) socket.receive('a')");
    assert_eq!((calls.get(), log.borrow().len()), (4_000, 4_001));
    check("reported.length === 4000 && reported[0] === 'on purpose'");
    js("console.error = shown; socket.end(1000, '', true)");
    assert_eq!(log.borrow()[4_001], "close 1000 \"\" true");
    assert_eq!(socket.ready_state(), ReadyState::Closed);
    check("socket.listeners() === 0 && timers.size === 0");
}

#[wasm_bindgen_test]
fn a_handler_that_panics_hears_of_later_events() {
    let _host = Host::new();
    let (socket, log) = open_socket();
    let _ = socket.on_message(|_, message| {
        if message.as_text() == Some("panic") {
            panic!("on purpose");
        }
    });
    js(
        "globalThis.shown = console.error; globalThis.reported = []; console.error = (e) => reported.push(e)",
    );
    js("socket.open(); socket.receive('panic'); socket.receive('b')");
    js("console.error = shown; socket.end(1000, '', true)");
    assert_eq!(log.borrow().len(), 4);
    check("socket.listeners() === 0 && timers.size === 0");
}

#[wasm_bindgen_test]
async fn the_last_handle_closes_though_a_handler_threw() {
    let _host = Host::new();
    let (socket, _log) = open_socket();
    let _ = socket.on_open(|_| {
        js("throw new Error('on purpose')");
    });
    js(
        "globalThis.shown = console.error; console.error = () => {}; socket.open(); console.error = shown",
    );
    drop(socket);
    settle().await;
    check("socket.closes.length === 1");
    js("socket.end(1005, '', true)");
    check("socket.listeners() === 0 && timers.size === 0");
}

#[wasm_bindgen_test]
async fn a_future_that_throws_keeps_no_other_from_running() {
    let _host = Host::new();
    js("globalThis.shown = console.error; console.error = () => {}");
    let done = Rc::new(Cell::new(0));
    for number in 0..3 {
        let done = done.clone();
        isosocket_web::run(async move {
            if number == 1 {
                js("throw new Error('on purpose')");
            }
            done.set(done.get() + 1);
        });
    }
    settle().await;
    js("console.error = shown");
    assert_eq!(done.get(), 2);
}
