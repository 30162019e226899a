//! Handlers that throw, or panic: S100 holds, where a panic aborts and where it unwinds.

use std::cell::{Cell, RefCell};
use std::mem;
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
    // The glue of an unwinding build has words of its own to say.
    check("reported.filter((it) => it === 'on purpose').length === 4000");
    js("console.error = shown; socket.end(1000, '', true)");
    assert_eq!(log.borrow()[4_001], "close 1000 \"\" true");
    assert_eq!(socket.ready_state(), ReadyState::Closed);
    check("socket.listeners() === 0 && timers.size === 0");
}

#[wasm_bindgen_test]
fn a_handler_may_throw_where_the_console_throws() {
    let _host = Host::new();
    let (socket, log) = open_socket();
    let _ = socket.on_message(|_, _| {
        js("throw new Error('on purpose')");
    });
    js("globalThis.shown = console.error; console.error = () => { throw new Error('no console') }");
    js("socket.open(); socket.receive('a'); socket.receive('b'); console.error = shown");
    assert_eq!(*log.borrow(), ["open", "message [97]", "message [98]"]);
}

#[wasm_bindgen_test]
fn a_handler_that_panics_hears_of_later_events() {
    let _host = Host::new();
    let logged = log_lines();
    let (socket, log) = open_socket();
    let dropped = Rc::new(Cell::new(false));
    let owned = dropped.clone();
    let _ = socket.on_message(move |_, message| {
        let owned = Dropped(owned.clone());
        if message.as_text() == Some("panic") {
            panic!("on purpose");
        }
        mem::forget(owned);
    });
    js(
        "globalThis.shown = console.error; globalThis.reported = []; console.error = (e) => reported.push(e)",
    );
    js("socket.open(); socket.receive('panic'); socket.receive('b')");
    js("console.error = shown; socket.end(1000, '', true)");
    assert_eq!(log.borrow().len(), 4);
    assert_eq!(logged(), ["a handler for message panicked"]);
    // A panic that aborts is a trap. It runs no destructors, and the host hears of it.
    let aborts = cfg!(not(panic = "unwind"));
    let is_trap = "(it) => it instanceof WebAssembly.RuntimeError";
    check(&format!("reported.some({is_trap}) === {aborts}"));
    assert_eq!(dropped.get(), !aborts);
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
async fn a_future_that_throws_or_panics_keeps_no_other_from_running() {
    let _host = Host::new();
    js("globalThis.shown = console.error; console.error = () => {}");
    let done = Rc::new(Cell::new(0));
    for number in 0..4 {
        let done = done.clone();
        isosocket_web::run(async move {
            if number == 1 {
                js("throw new Error('on purpose')");
            }
            assert!(number != 2, "on purpose");
            done.set(done.get() + 1);
        });
    }
    settle().await;
    js("console.error = shown");
    assert_eq!(done.get(), 2);
    // What stopped half way is dropped only if all of its frames were left in order.
    let kept = if cfg!(panic = "unwind") { 0 } else { 2 };
    assert_eq!(Rc::strong_count(&done), 1 + kept);
}

/// Notes that its destructor ran.
struct Dropped(Rc<Cell<bool>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Writes down what is logged from now on. The result gives it.
fn log_lines() -> impl Fn() -> Vec<String> {
    struct Lines;

    impl log::Log for Lines {
        fn enabled(&self, _: &log::Metadata<'_>) -> bool {
            true
        }

        fn log(&self, record: &log::Record<'_>) {
            LINES.with_borrow_mut(|lines| lines.push(record.args().to_string()));
        }

        fn flush(&self) {}
    }

    // Another test may have done so.
    let _ = log::set_logger(&Lines);
    log::set_max_level(log::LevelFilter::Trace);
    LINES.take();
    || LINES.take()
}
