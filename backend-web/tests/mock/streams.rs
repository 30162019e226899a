//! A connection over the host's `WebSocketStream`, which a test controls.

use std::time::Duration;

use crate::host::{FAIL, Host, Log, Socket, check, js, settle, watch};
use isosocket_core::{Builder, EventKind, NewError, ReadyState, SendError};
use isosocket_web::{BuilderExt, Web, supports_receive_limit};
use wasm_bindgen_test::wasm_bindgen_test;

const INSTALL: &str = r#"
    const promise = () => {
        let made;
        const it = new Promise((yes, no) => { made = { yes, no }; });
        return Object.assign(made, { it });
    };
    globalThis.WebSocketStream = class {
        reads = []; writes = []; closes = []; aborts = 0;
        opening = promise(); closing = promise();
        constructor(url, options) {
            Object.assign(this, { url, options });
            globalThis.stream = this;
        }
        get opened() { return this.opening.it; }
        get closed() { return this.closing.it; }
        open(protocol = "", extensions = "") {
            const kept = (list, value) => {
                if (this.full) throw new RangeError("no memory");
                const made = promise();
                list.push(Object.assign(made, { value }));
                return made.it;
            };
            // Remembers what is called back.
            const seen = (it) => {
                const then = it.then.bind(it);
                it.then = (...both) => { this.callback = both[0]; return then(...both); };
                return it;
            };
            const reader = { read: () => seen(kept(this.reads)) };
            const writer = {
                write: (value) => kept(this.writes, value),
                abort: () => { this.aborts++; return Promise.resolve(); },
            };
            const readable = { getReader: () => reader };
            const writable = { getWriter: () => writer };
            this.opening.yes({ protocol, extensions, readable, writable });
        }
        close(info) { this.closes.push(info); }
        receive(value) { this.reads.shift().yes({ value, done: false }); }
        finish() { this.reads.shift().yes({ done: true }); }
        accept() { this.writes.shift().yes(); }
    };
"#;

struct Streams(#[allow(dead_code, reason = "it puts the real globals back")] Host);

impl Streams {
    fn new() -> Self {
        let host = Host::new();
        js(INSTALL);
        Streams(host)
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        js("delete globalThis.WebSocketStream; delete globalThis.stream");
    }
}

fn builder() -> Builder<Web> {
    Socket::builder("ws://example.org/").receive_limit(1000)
}

async fn open_stream() -> (Socket, Log) {
    let (socket, log) = watch(builder().connect().expect("a good URL"));
    run("stream.open()").await;
    assert_eq!(*log.borrow(), ["open"]);
    (socket, log)
}

/// Runs JavaScript, and then what its promises call.
async fn run(body: &str) {
    js(body);
    settle().await;
}

#[wasm_bindgen_test]
async fn a_connection_over_a_stream_from_open_to_close() {
    let _streams = Streams::new();
    assert!(supports_receive_limit());
    let (socket, log) = watch(builder().subprotocols(["a", "b"]).connect().expect("good"));
    check("stream.url === 'ws://example.org/' && stream.options.protocols.join() === 'a,b'");
    check("Mock.count === 0");
    assert_eq!(socket.ready_state(), ReadyState::Connecting);
    run("stream.open('b', 'x')").await;
    assert_eq!((socket.protocol(), socket.extensions()), ("b", "x"));

    socket.send("grüße").expect("open");
    socket.send([1, 2, 3]).expect("open");
    assert_eq!(socket.buffered_amount(), 10);
    check("stream.writes[0].value === 'grüße' && stream.writes[1].value.join() === '1,2,3'");
    run("stream.accept()").await;
    assert_eq!(socket.buffered_amount(), 3);
    run("stream.accept()").await;
    assert_eq!(socket.buffered_amount(), 0);

    run("stream.receive('ab')").await;
    run("stream.receive(new Uint8Array([7, 8]))").await;
    socket.close_with(4000, "bye").expect("a good code");
    check("stream.closes.length === 1 && stream.closes[0].closeCode === 4000");
    check("stream.closes[0].reason === 'bye'");
    run("stream.receive('late')").await;
    run("stream.closing.yes({ closeCode: 4000, reason: 'bye' })").await;
    assert_eq!(log.borrow().len(), 3, "the end comes after all messages");
    run("stream.finish()").await;
    let expected = [
        "open",
        "message [97, 98]",
        "message [7, 8]",
        "close 4000 \"bye\" true",
    ];
    assert_eq!(*log.borrow(), expected);
    assert_eq!(socket.ready_state(), ReadyState::Closed);
    check("timers.size === 0 && stream.reads.length === 0");
}

#[wasm_bindgen_test]
async fn callbacks_are_freed_when_no_promise_will_call_them() {
    let _streams = Streams::new();
    let (_socket, _log) = open_stream().await;
    let is_freed = "(() => {
        try { stream.callback({ done: true }); } catch (e) { return /dropped/.test(e.message); }
    })()";
    run("stream.closing.yes({ closeCode: 1000, reason: '' })").await;
    check("stream.reads.length === 1");
    run("stream.finish()").await;
    check(is_freed);
}

#[wasm_bindgen_test]
async fn a_handler_that_closes_does_not_stop_reading() {
    let _streams = Streams::new();
    let socket = builder().connect().expect("a good URL");
    let _unread = socket.events();
    let _binding = socket.on_message(|socket, _| socket.close());
    run("stream.open()").await;
    run("stream.receive(new Uint8Array(2000))").await;
    for _ in 0..3 {
        check("stream.reads.length === 1 && stream.closes.length === 1");
        run("stream.receive('late')").await;
    }
}

#[wasm_bindgen_test]
async fn the_end_of_a_stream_is_the_peers_close_or_a_failure() {
    let _streams = Streams::new();
    for (end, expected) in [
        (
            "yes({ closeCode: 1001, reason: 'x' })",
            "close 1001 \"x\" true",
        ),
        // S87.
        (
            "no({ closeCode: 1001, reason: '' })",
            "close 1001 \"\" true",
        ),
        (
            "no({ closeCode: 1006, reason: '' })",
            "close 1006 \"\" false",
        ),
        ("no({ closeCode: 1015 })", "close 1015 \"\" false"),
        ("no({})", "close 1006 \"\" false"),
    ] {
        let (socket, log) = open_stream().await;
        run("stream.reads.shift().no()").await;
        assert!(matches!(socket.send("x"), Err(SendError::Closing(_))));
        assert_eq!(log.borrow().len(), 1);
        run(&format!("stream.closing.{end}")).await;
        assert_eq!(log.borrow()[1..], [expected]);
        assert_eq!(socket.ready_state(), ReadyState::Closed);
    }
    let (_socket, log) = watch(builder().connect().expect("a good URL"));
    run("stream.opening.no(); stream.closing.no({})").await;
    assert_eq!(*log.borrow(), FAIL);
    check("timers.size === 0");
}

#[wasm_bindgen_test]
async fn a_full_stream_reads_one_message_ahead() {
    let _streams = Streams::new();
    let socket = builder().connect().expect("a good URL");
    let mut events = socket.events();
    run("stream.open()").await;
    assert!(events.try_next().is_some(), "open");
    run("stream.receive(new Uint8Array(900))").await;
    run("stream.receive(new Uint8Array(200))").await;
    run("stream.receive('ahead')").await;
    check("stream.reads.length === 0");
    assert!(events.try_next().is_some() && events.try_next().is_some());
    assert!(events.try_next().is_none(), "it waits");
    settle().await;
    check("stream.reads.length === 1");
    assert!(
        events
            .try_next()
            .is_some_and(|event| event.kind() == EventKind::Message)
    );
    run("stream.receive('next')").await;
    assert!(
        events
            .try_next()
            .is_some_and(|event| event.kind() == EventKind::Message)
    );
    check("stream.reads.length === 1");
}

#[wasm_bindgen_test]
async fn what_the_browser_dropped_is_not_lost_in_silence() {
    let _streams = Streams::new();
    for (ahead, end) in [("", "Close"), ("stream.receive('ahead')", "Error")] {
        let socket = builder().connect().expect("a good URL");
        let mut events = socket.events();
        run("stream.open()").await;
        run("stream.receive(new Uint8Array(2000))").await;
        run(ahead).await;
        run("stream.closing.yes({ closeCode: 1000, reason: '' })").await;
        let mut kinds = Vec::new();
        for _ in 0..4 {
            while let Some(event) = events.try_next() {
                kinds.push(format!("{:?}", event.kind()));
            }
            run("if (stream.reads.length) stream.finish()").await;
        }
        let last = kinds
            .iter()
            .rfind(|kind| *kind != "Close" || end == "Close");
        assert_eq!(last.map(String::as_str), Some(end), "{kinds:?}");
    }
}

#[wasm_bindgen_test]
async fn close_while_a_stream_is_full_reads_on_and_delivers_nothing() {
    let _streams = Streams::new();
    let socket = builder().connect().expect("a good URL");
    let mut events = socket.events();
    run("stream.open()").await;
    run("stream.receive(new Uint8Array(2000))").await;
    run("stream.receive('ahead')").await;
    check("stream.reads.length === 0");
    socket.close();
    check("stream.reads.length === 1 && stream.closes.length === 1");
    check("stream.closes[0].closeCode === undefined");
    run("stream.receive('late'); stream.closing.yes({ closeCode: 1000 })").await;
    run("stream.finish()").await;
    let kinds = std::iter::from_fn(|| events.try_next()).map(|event| format!("{:?}", event.kind()));
    assert_eq!(Vec::from_iter(kinds), ["Open", "Message", "Close"]);
}

#[wasm_bindgen_test]
async fn close_waits_until_all_is_written() {
    let _streams = Streams::new();
    let (socket, _log) = open_stream().await;
    socket.send("1").expect("open");
    socket.send("2").expect("open");
    socket.close();
    check("stream.closes.length === 0");
    run("stream.accept()").await;
    check("stream.closes.length === 0");
    run("stream.accept()").await;
    check("stream.closes.length === 1 && stream.aborts === 0");
}

/// S76.
#[wasm_bindgen_test]
async fn a_peer_that_takes_nothing_is_given_up() {
    let _streams = Streams::new();
    let timeout = Duration::from_secs(3);
    let socket = builder().close_timeout(timeout).connect();
    let (socket, log) = watch(socket.expect("a good URL"));
    run("stream.open()").await;
    socket.send("1").expect("open");
    socket.close();
    run("advance(2999)").await;
    check("stream.aborts === 0");
    run("advance(1)").await;
    check("stream.aborts === 1");
    run("stream.writes[0].no()").await;
    assert_eq!(*log.borrow(), ["open", "close 1006 \"\" false"]);
    assert_eq!(socket.ready_state(), ReadyState::Closed);
    check("timers.size === 0");

    let socket = builder().close_timeout(None).connect();
    let (socket, _log) = watch(socket.expect("a good URL"));
    run("stream.open()").await;
    socket.send("1").expect("open");
    socket.close();
    check("timers.size === 0");
}

#[wasm_bindgen_test]
async fn what_the_host_does_not_take_is_refused() {
    let _streams = Streams::new();
    let (socket, _log) = open_stream().await;
    js("stream.full = true");
    for message in ["x", "yy"] {
        let sent = socket.send(message);
        assert!(matches!(sent, Err(SendError::Full(it)) if it.as_text() == Some(message)));
    }
    assert_eq!(socket.buffered_amount(), 0);
    js("stream.full = false");
    socket.send("x").expect("there is room again");
    run("stream.writes.shift().no()").await;
    assert_eq!(socket.buffered_amount(), 1, "nothing more is known of it");
}

#[wasm_bindgen_test]
async fn a_wait_for_a_drain_needs_no_timer() {
    let _streams = Streams::new();
    let (socket, _log) = open_stream().await;
    socket.send(vec![0; 2 << 20]).expect("open");
    let waiter = socket.clone();
    let is_ready = std::rc::Rc::new(std::cell::Cell::new(false));
    let ready = is_ready.clone();
    isosocket_web::run(async move {
        let _ = waiter.send_ready().await;
        ready.set(true);
    });
    settle().await;
    check("timers.size === 0");
    assert!(!is_ready.get());
    run("stream.accept()").await;
    settle().await;
    assert!(is_ready.get());
}

#[wasm_bindgen_test]
fn without_a_stream_the_limit_is_refused_or_given_up() {
    let _host = Host::new();
    assert!(!supports_receive_limit());
    let refused = builder().connect().expect_err("it cannot stop reading");
    assert_eq!(refused, NewError::OptionNotSupported("receive_limit"));
    let (_socket, log) = watch(builder().allow_unlimited_memory().connect().expect("good"));
    js("socket.open(); socket.receive('x')");
    assert_eq!(*log.borrow(), ["open", "message [120]"]);
}
