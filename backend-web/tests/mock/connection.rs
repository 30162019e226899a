//! The life of a connection: what is called, what is reported, and when.

use std::time::Duration;

use crate::host::{FAIL, Host, Socket, check, js, open_socket, settle, watch};
use isosocket_core::{
    ErrorKind, EventKind, NewError, ReadyState, SendError, SyntaxError, Transport,
};
use isosocket_web::Web;
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test]
fn without_a_web_socket_nothing_is_supported() {
    let _host = Host::new();
    assert!(Web::supported());
    for none in ["undefined", "null", "{}"] {
        js(&format!("globalThis.WebSocket = {none}"));
        assert!(!Web::supported());
        let error = Socket::new("ws://h/").expect_err("there is none");
        assert_eq!(error, NewError::NotSupported);
    }
}

#[wasm_bindgen_test]
async fn a_connection_from_open_to_close() {
    let _host = Host::new();
    let socket = Socket::builder("HTTP://Example.org:80")
        .subprotocols(["a", "b"])
        .connect()
        .expect("a good URL");
    let (socket, log) = watch(socket);
    assert_eq!(socket.url(), "ws://example.org/");
    check("socket.kinds.join() === 'arraybuffer'");
    check("socket.subprotocols.join() === 'a,b'");
    check("socket.added === 4 && socket.removed === 0 && timers.size === 1");

    js("socket.protocol = 'b'; socket.extensions = 'x'; socket.open()");
    assert_eq!((socket.protocol(), socket.extensions()), ("b", "x"));
    check("timers.size === 0");

    socket.send("grüße").expect("open");
    socket.send([1, 2, 3]).expect("open");
    socket.send("").expect("open");
    assert_eq!(socket.buffered_amount(), 10);
    check(
        "socket.sent[0] === 'grüße' && socket.sent[1].join() === '1,2,3' && socket.sent[2] === ''",
    );

    js("socket.receive('ab'); socket.receive(new Uint8Array([7, 8]).buffer)");
    js("socket.receive(''); socket.receive(new ArrayBuffer(0))");
    socket.close_with(4000, "bye").expect("a good code");
    check(
        "socket.closes.length === 1 && socket.closes[0].join() === '4000,bye' && timers.size === 1",
    );
    js("socket.receive('late'); socket.end(4000, 'bye', true)");
    check("socket.listeners() === 0 && socket.removed === 4 && timers.size === 0");
    check("socket.kinds.length === 1");
    let expected = [
        "open",
        "message [97, 98]",
        "message [7, 8]",
        "message []",
        "message []",
        "close 4000 \"bye\" true",
    ];
    assert_eq!(*log.borrow(), expected);
    settle().await;
    assert_eq!(log.borrow().len(), expected.len());
}

#[wasm_bindgen_test]
fn texts_of_every_length_are_exact() {
    let _host = Host::new();
    let (socket, _log) = open_socket();
    let seen = std::rc::Rc::new(std::cell::RefCell::new(String::new()));
    let got = seen.clone();
    let _binding = socket.on_message(move |_, message| {
        *got.borrow_mut() = message.as_text().expect("text").to_owned();
    });
    js("socket.open()");
    for piece in [
        "a", "é", "€", "𐍈", "\0", "\u{feff}", "a€", "€a𐍈", "a𐍈", "\u{fffd}",
    ] {
        for count in [1, 2, 31, 32, 33, 127, 128, 129, 1000, 70000] {
            js(&format!("socket.receive({piece:?}.repeat({count}))")
                .replace("\\u{feff}", "\\ufeff"));
            assert_eq!(*seen.borrow(), piece.repeat(count));
        }
    }
}

#[wasm_bindgen_test]
fn binary_of_every_length_is_exact_also_after_memory_has_grown() {
    let _host = Host::new();
    let (socket, _log) = open_socket();
    let seen = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let got = seen.clone();
    let _binding = socket.on_message(move |_, message| {
        *got.borrow_mut() = message.as_bytes().to_vec();
    });
    js("socket.open(); globalThis.filled = (n) => Uint8Array.from({ length: n }, (_, i) => i * 7)");
    // The longest is more than memory has room for at first, and short ones follow.
    for count in [3, 4 << 20, 0, 1, 31, 32, 33, 1000, 70000, 32 << 20, 5] {
        js(&format!("socket.receive(filled({count}).buffer)"));
        let expected: Vec<u8> = (0..count).map(|at| (at * 7) as u8).collect();
        assert!(*seen.borrow() == expected, "{count} bytes");
    }
}

#[wasm_bindgen_test]
fn an_error_ends_the_connection_at_once() {
    let _host = Host::new();
    let (socket, log) = open_socket();
    js("socket.fire('error'); socket.fire('error'); socket.end(1006, '', false)");
    assert_eq!(*log.borrow(), FAIL);
    assert_eq!(socket.ready_state(), ReadyState::Closed);
    check("socket.listeners() === 0 && timers.size === 0 && socket.closes.length === 0");
}

#[wasm_bindgen_test]
fn a_close_before_open_is_a_failure() {
    let _host = Host::new();
    let (_socket, log) = open_socket();
    js("socket.end(1006, '', false)");
    assert_eq!(*log.borrow(), FAIL);

    let (socket, log) = open_socket();
    socket.close();
    assert_eq!(socket.ready_state(), ReadyState::Closing);
    check("socket.closes.length === 1 && socket.closes[0].every((given) => given === undefined)");
    js("socket.open(); socket.end(1000, '', true)");
    assert_eq!(*log.borrow(), FAIL);
    check("timers.size === 0 && socket.listeners() === 0");
}

#[wasm_bindgen_test]
fn the_end_of_an_open_connection_is_what_the_peer_sent() {
    let _host = Host::new();
    for (end, expected) in [
        ("1001, 'x', true", "close 1001 \"x\" true"),
        // S87.
        ("1001, '', false", "close 1001 \"\" true"),
        ("1006, '', false", "close 1006 \"\" false"),
        ("1015, '', false", "close 1015 \"\" false"),
    ] {
        let (_socket, log) = open_socket();
        js(&format!("socket.open(); socket.end({end})"));
        assert_eq!(*log.borrow(), ["open", expected]);
    }
}

/// S68: the program's own `close` is known as such.
#[wasm_bindgen_test]
fn a_failure_says_whether_the_program_closed() {
    let _host = Host::new();
    for (closes, kind) in [(true, ErrorKind::Aborted), (false, ErrorKind::Unknown)] {
        let (socket, _log) = open_socket();
        let seen = std::rc::Rc::new(std::cell::RefCell::new(None));
        let place = seen.clone();
        let _binding = socket.on_error(move |_, error| *place.borrow_mut() = Some(error.kind()));
        if closes {
            socket.close();
        }
        js("socket.end(1006, '', false)");
        assert_eq!(seen.take(), Some(kind));
    }
}

#[wasm_bindgen_test]
fn the_host_is_asked_for_its_amount_only_near_the_limit() {
    let _host = Host::new();
    let socket = Socket::builder("ws://h/").send_limit(10);
    let socket = socket.connect().expect("a good URL");
    js("socket.open(); globalThis.asked = 0");
    js("Object.defineProperty(socket, 'bufferedAmount', { get: () => (asked++, 0), set() {} })");
    for (size, asked) in [(6, 0), (4, 0), (1, 1), (9, 1), (1, 2)] {
        socket.send(vec![0; size]).expect("nothing is buffered");
        // The stand-in's own sum asks as well.
        js("globalThis.sent = (globalThis.sent ?? 0) + 1");
        check(&format!("asked - sent === {asked}"));
    }
    js("delete globalThis.asked; delete globalThis.sent");
}

#[wasm_bindgen_test]
async fn an_error_inside_close_is_reported_after_it() {
    let _host = Host::new();
    js("Mock.errorInClose = true");
    let (socket, log) = open_socket();
    socket.close();
    assert_eq!(socket.ready_state(), ReadyState::Closing);
    assert!(log.borrow().is_empty());
    settle().await;
    assert_eq!(*log.borrow(), FAIL);
    check("socket.listeners() === 0 && timers.size === 0");
}

#[wasm_bindgen_test]
async fn an_error_inside_close_inside_a_handler_is_reported_after_it() {
    let _host = Host::new();
    let (socket, log) = open_socket();
    let _binding = socket.on_message(|socket, _| socket.close());
    js("socket.open(); Mock.errorInClose = true; socket.receive('x')");
    assert_eq!(log.borrow().len(), 2);
    settle().await;
    assert_eq!(log.borrow()[2..], FAIL);
}

#[wasm_bindgen_test]
async fn connecting_fails_after_its_timeout() {
    let _host = Host::new();
    let socket = Socket::builder("ws://h/").connect_timeout(Duration::from_millis(1500));
    let (_socket, log) = watch(socket.connect().expect("a good URL"));
    js("advance(1499)");
    assert!(log.borrow().is_empty());
    js("advance(1)");
    check("socket.listeners() === 0 && timers.size === 0 && socket.closes.length === 1");
    // A call of the program may be on the stack, as far as the backend knows (S98).
    assert!(log.borrow().is_empty());
    settle().await;
    assert_eq!(*log.borrow(), FAIL);

    let mut endless = Vec::new();
    for timeout in [None, Some(Duration::MAX)] {
        let socket = Socket::builder("ws://h/").connect_timeout(timeout);
        endless.push(socket.connect().expect("a good URL"));
        check("timers.size === 0");
    }
}

#[wasm_bindgen_test]
fn what_arrived_before_a_late_deadline_is_served_first() {
    // The page was busy, and the timer runs before the events that came meanwhile.
    let _host = Host::new();
    let (_socket, log) = open_socket();
    js("advance(10000 - 1); const [due] = [...timers.values()]; timers.clear(); due.f()");
    assert!(log.borrow().is_empty());
    js("socket.open(); advance(100000)");
    assert_eq!(*log.borrow(), ["open"]);

    let (socket, log) = open_socket();
    js("socket.open()");
    socket.close();
    js("const [due] = [...timers.values()]; timers.clear(); due.f(); socket.end(1000, '', true)");
    assert_eq!(*log.borrow(), ["open", "close 1000 \"\" true"]);
    check("timers.size === 0");
}

#[wasm_bindgen_test]
async fn closing_ends_after_its_timeout() {
    let _host = Host::new();
    let socket = Socket::builder("ws://h/").close_timeout(Duration::from_secs(3));
    let (socket, log) = watch(socket.connect().expect("a good URL"));
    js("socket.open(); advance(100000)");
    socket.close();
    js("advance(2999)");
    assert_eq!(*log.borrow(), ["open"]);
    js("advance(1)");
    settle().await;
    assert_eq!(*log.borrow(), ["open", "close 1006 \"\" false"]);
    check("socket.listeners() === 0 && timers.size === 0 && socket.closes.length === 1");
}

#[wasm_bindgen_test]
async fn a_host_that_never_ends_an_aborted_handshake_is_not_waited_for() {
    let _host = Host::new();
    let (socket, log) = open_socket();
    socket.close();
    check("timers.size === 1");
    js("advance(10000)");
    settle().await;
    assert_eq!(*log.borrow(), FAIL);
    check("socket.listeners() === 0 && timers.size === 0");
}

#[wasm_bindgen_test]
async fn the_last_handle_leaves_nothing_behind() {
    let _host = Host::new();
    for open in ["", "socket.open()"] {
        let socket = Socket::new("ws://h/").expect("a good URL");
        js(open);
        drop(socket);
        settle().await;
        check("socket.closes.length === 1 && socket.listeners() === 0 && timers.size === 0");
    }
    // Who waits for the end still gets it.
    let (socket, log) = open_socket();
    js("socket.open()");
    drop(socket);
    settle().await;
    js("socket.end(1005, '', true)");
    assert_eq!(*log.borrow(), ["open", "close 1005 \"\" true"]);
    check("socket.listeners() === 0 && timers.size === 0");
}

#[wasm_bindgen_test]
async fn what_the_host_forbids_fails_after_the_constructor() {
    let _host = Host::new();
    js("Mock.throws = 'SecurityError'");
    let (socket, log) = open_socket();
    assert_eq!(socket.ready_state(), ReadyState::Connecting);
    assert_eq!(socket.url(), "ws://example.org/");
    assert!(log.borrow().is_empty());
    settle().await;
    assert_eq!(*log.borrow(), FAIL);
    socket.close();
    assert_eq!(socket.buffered_amount(), 0);

    let (socket, log) = open_socket();
    socket.close();
    settle().await;
    assert_eq!(*log.borrow(), FAIL);
    drop(Socket::new("ws://h/").expect("a good URL"));
    settle().await;
    check("timers.size === 0");
}

#[wasm_bindgen_test]
async fn blocked_ports_fail_after_the_constructor() {
    let _host = Host::new();
    for url in ["ws://h:0/", "ws://h:25/", "wss://h:06000/"] {
        let (_socket, log) = watch(Socket::new(url).expect("a good URL"));
        settle().await;
        assert_eq!(*log.borrow(), FAIL);
    }
    check("Mock.count === 0");
}

#[wasm_bindgen_test]
fn syntax_errors_are_reported_at_once() {
    let _host = Host::new();
    for url in ["ws://", "ws://h:65536/", "ws://["] {
        let error = Socket::new(url).expect_err("a bad URL");
        assert!(
            matches!(error, NewError::Syntax(SyntaxError::Url(_))),
            "{error}"
        );
    }
    js("Mock.throws = 'SyntaxError'");
    let error = Socket::new("ws://h/").expect_err("the host says so");
    // Not in the host's words, which may have the URL in them.
    assert_eq!(
        error,
        NewError::Syntax(SyntaxError::Url("it does not parse".into()))
    );
    // S18: Node refuses it, and browsers do not.
    let subprotocols = ["chat", "v2", "CHAT"];
    let again = || Socket::builder("ws://h/").subprotocols(subprotocols);
    let error = again().connect().expect_err("the host says so");
    let twice = SyntaxError::DuplicateSubprotocol("CHAT".into());
    assert_eq!(error, NewError::Syntax(twice));
    js("Mock.throws = undefined");
    assert!(again().connect().is_ok());
}

#[wasm_bindgen_test]
async fn a_message_over_the_limit_fails_the_connection() {
    let _host = Host::new();
    for (fits, large) in [
        ("'aaaa'", "'aaaaa'"),
        ("'éé'", "'ééé'"),
        ("new ArrayBuffer(4)", "new ArrayBuffer(5)"),
    ] {
        let socket = Socket::builder("ws://h/").max_message_size(4);
        let (_socket, log) = watch(socket.connect().expect("a good URL"));
        js(&format!(
            "socket.open(); socket.receive({fits}); socket.receive({large})"
        ));
        js("socket.receive('x'); socket.end(1005, '', true)");
        settle().await;
        assert_eq!(log.borrow().len(), 4, "{:?}", log.borrow());
        assert_eq!(log.borrow()[2..], FAIL);
        check("socket.listeners() === 0 && socket.closes.length === 1 && timers.size === 0");
    }
}

#[wasm_bindgen_test]
fn a_full_buffer_refuses() {
    let _host = Host::new();
    let socket = Socket::builder("ws://h/").send_limit(10);
    let socket = socket.connect().expect("a good URL");
    js("socket.open()");
    socket.send([0; 20]).expect("nothing was buffered");
    let error = socket.send("x").expect_err("full");
    assert!(matches!(error, SendError::Full(message) if message.as_text() == Some("x")));
    js("socket.bufferedAmount = 0");
    socket.send([0; 6]).expect("drained");
    socket.send([0; 4]).expect("up to the limit");
    assert!(matches!(socket.send([0]), Err(SendError::Full(_))));
    js("socket.bufferedAmount = 5");
    socket.send([0; 5]).expect("half drained");
    check("socket.sent.length === 4");

    js("socket.bufferedAmount = 0; Mock.full = true");
    assert!(matches!(socket.send([0]), Err(SendError::Full(_))));
    js("socket.readyState = 2");
    assert!(matches!(socket.send([0]), Err(SendError::Closing(_))));
}

#[wasm_bindgen_test]
fn an_error_is_believed_whatever_its_text() {
    let _host = Host::new();
    for open in ["socket.open();", ""] {
        let (_socket, log) = open_socket();
        // Deno's, where the peer drops TCP. It has no other for a violation.
        js(&format!(
            "{open} socket.fire('error', {{ message: 'Unexpected EOF' }}); socket.end(0, '', false)"
        ));
        assert_eq!(log.borrow()[log.borrow().len() - 2..], FAIL);
    }
}

#[wasm_bindgen_test]
async fn what_is_bound_after_the_end_hears_of_it() {
    let _host = Host::new();
    let socket = Socket::new("ws://h/").expect("a good URL");
    js("socket.fire('error')");
    let (socket, log) = watch(socket);
    assert!(log.borrow().is_empty());
    settle().await;
    assert_eq!(*log.borrow(), FAIL);
    // A listener that comes too late is not called, and nothing breaks.
    let _binding = socket.bind(EventKind::Close, |_, _| unreachable!());
    settle().await;
}
