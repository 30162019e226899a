//! Hosts whose `WebSocket` is not a browser's own: a package, a test's stand-in,
//! a routed socket. What they do differently, and what a program sees all the same.

use crate::host::{FAIL, Host, check, js, open_socket, settle};
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test]
fn sent_bytes_are_the_hosts_own() {
    let _host = Host::new();
    js("Mock.keeps = true");
    let (socket, _log) = open_socket();
    js("socket.open()");
    let mut bytes = [1; 64];
    for value in 1..4 {
        bytes.fill(value);
        socket.send(&bytes[..]).expect("open");
    }
    bytes.fill(9);
    let _grown = std::hint::black_box(vec![0_u8; 8 << 20]);
    check("socket.sent.map((it) => it[63]).join() === '1,2,3'");
    socket.send(&bytes[..]).expect("open");
    check("socket.sent.pop()[63] === 9");
    check("socket.sent.every((it) => it.length === 64 && it.buffer.byteLength === 64)");
}

#[wasm_bindgen_test]
async fn a_blob_is_read_and_keeps_its_place() {
    let _host = Host::new();
    let (_socket, log) = open_socket();
    js("socket.open(); socket.receive(new Blob([Uint8Array.of(1, 2)])); socket.receive('a')");
    js("socket.receive(new Blob([Uint8Array.of(3)])); socket.end(1000, '', true)");
    assert_eq!(*log.borrow(), ["open"]);
    for _ in 0..200 {
        settle().await;
        if log.borrow().len() == 5 {
            break;
        }
        crate::host::task().await;
    }
    let expected = [
        "open",
        "message [1, 2]",
        "message [97]",
        "message [3]",
        "close 1000 \"\" true",
    ];
    assert_eq!(*log.borrow(), expected);
    check("socket.listeners() === 0 && timers.size === 0");
}

#[wasm_bindgen_test]
async fn a_blob_that_cannot_be_read_fails_the_connection() {
    let _host = Host::new();
    let (_socket, log) = open_socket();
    js(
        "socket.open(); socket.receive({ arrayBuffer: () => Promise.reject(new Error('gone')) });
        socket.receive('a')",
    );
    settle().await;
    assert_eq!(log.borrow()[0], "open");
    assert_eq!(log.borrow()[1..], FAIL);
    check("socket.listeners() === 0 && timers.size === 0 && socket.closes.length === 1");
}

#[wasm_bindgen_test]
fn views_of_any_kind_are_read() {
    let _host = Host::new();
    let (_socket, log) = open_socket();
    js(
        "socket.open(); const bytes = Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7).buffer;
        for (const view of [new DataView(bytes, 1, 2), new Uint16Array(bytes, 2, 2),
            new Uint8Array(bytes, 3, 1), new Float32Array(bytes, 4, 1), new DataView(bytes, 8)])
            socket.receive(view)",
    );
    let expected = [
        "open",
        "message [1, 2]",
        "message [2, 3, 4, 5]",
        "message [3]",
        "message [4, 5, 6, 7]",
        "message []",
    ];
    assert_eq!(*log.borrow(), expected);
}

#[wasm_bindgen_test]
fn events_need_no_type_and_no_object() {
    let _host = Host::new();
    for open in ["{}", "", "null"] {
        let (_socket, log) = open_socket();
        js(&format!("socket.readyState = 1; socket.on.open({open})"));
        assert_eq!(*log.borrow(), ["open"]);
        js("socket.on.message({ data: 'a' })");
        js("socket.on.close({ code: 1000, reason: 'bye', wasClean: true })");
        assert_eq!(
            log.borrow()[1..],
            ["message [97]", "close 1000 \"bye\" true"]
        );
    }
    for error in ["new Error('x')", "", "null", "'text'"] {
        let (_socket, log) = open_socket();
        js(&format!("socket.on.error({error})"));
        assert_eq!(*log.borrow(), FAIL);
    }
    let (_socket, log) = open_socket();
    js("socket.readyState = 1; socket.on.open(); socket.on.close()");
    assert_eq!(*log.borrow(), ["open", "close 1006 \"\" false"]);
}

#[wasm_bindgen_test]
fn code_zero_is_no_code() {
    let _host = Host::new();
    let (_socket, log) = open_socket();
    js("socket.open(); socket.end(0, '', true)");
    assert_eq!(log.borrow()[1], "close 1005 \"\" true");
}

#[wasm_bindgen_test]
async fn an_answer_inside_send_is_delivered_after_it_and_in_order() {
    let _host = Host::new();
    let (socket, log) = open_socket();
    js("Mock.echo = true; socket.open()");
    socket.send("a").expect("open");
    assert_eq!(*log.borrow(), ["open"], "S98: not inside the call");
    // What comes after it stays after it, though no call is under way.
    js("socket.receive('b')");
    settle().await;
    assert_eq!(*log.borrow(), ["open", "message [97]", "message [98]"]);

    // Inside a handler, and the end likewise.
    let (socket, log) = open_socket();
    let _ = socket.on_open(|socket| {
        socket.send("a").expect("open");
        js("socket.end(1000, '', true)");
    });
    js("socket.open()");
    assert_eq!(*log.borrow(), ["open"]);
    settle().await;
    let expected = ["open", "message [97]", "close 1000 \"\" true"];
    assert_eq!(*log.borrow(), expected);
    check("socket.listeners() === 0 && timers.size === 0");
}

#[wasm_bindgen_test]
async fn a_constructor_may_throw_anything() {
    let _host = Host::new();
    for thrown in ["null", "undefined", "'text'", "{}"] {
        js(&format!("Mock.throwsValue = [{thrown}]"));
        let (_socket, log) = open_socket();
        settle().await;
        assert_eq!(*log.borrow(), FAIL);
    }
}

#[wasm_bindgen_test]
async fn a_host_without_timers_does_not_throw_out_of_ours() {
    // A removed iframe in Firefox.
    let _host = Host::new();
    let (socket, log) = open_socket();
    js("socket.open(); globalThis.setTimeout = () => { throw new Error('no window') }");
    js("globalThis.clearTimeout = globalThis.setTimeout");
    socket.close();
    js("socket.end(1005, '', true)");
    assert_eq!(*log.borrow(), ["open", "close 1005 \"\" true"]);
}

#[wasm_bindgen_test]
async fn what_a_stand_in_throws_goes_no_further() {
    let _host = Host::new();
    js("const throws = () => { throw new Error('not here') };
        Object.defineProperty(Mock.prototype, 'onerror', { set: throws });
        Mock.prototype.close = throws");
    let (socket, log) = open_socket();
    js("socket.open()");
    socket.close();
    js("advance(10000)");
    settle().await;
    assert_eq!(*log.borrow(), ["open", "close 1006 \"\" false"]);
    check("socket.listeners() === 0 && timers.size === 0");
}
