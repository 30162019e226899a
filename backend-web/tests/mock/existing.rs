//! The host's object behind a handle, and a handle for an object of the host.

use crate::host::{Host, Socket, check, js, open_socket, settle, watch};
use isosocket_core::NewError;
use isosocket_web::{WebSocketExt, from_web_sys};
use wasm_bindgen::JsCast;
use wasm_bindgen_test::wasm_bindgen_test;

/// An object in this ready state.
fn object(state: u16) -> web_sys::WebSocket {
    let script = format!("const it = new Mock('ws://h/'); it.readyState = {state}; return it");
    js(&script).unchecked_into()
}

#[wasm_bindgen_test]
async fn a_connecting_or_open_object_is_taken_over() {
    let _host = Host::new();
    let (socket, log) = watch(from_web_sys(object(0)).connect().expect("connecting"));
    settle().await;
    assert!(log.borrow().is_empty());
    js("socket.open(); socket.receive('x')");
    assert_eq!(*log.borrow(), ["open", "message [120]"]);
    drop(socket);

    let (socket, log) = watch(from_web_sys(object(1)).connect().expect("open"));
    assert!(log.borrow().is_empty());
    settle().await;
    assert_eq!(*log.borrow(), ["open"]);
    socket.send("y").expect("open");
    check("socket.sent.join() === 'y' && Mock.count === 2");
}

#[wasm_bindgen_test]
fn an_object_that_is_closing_or_closed_is_refused() {
    let _host = Host::new();
    for state in [2, 3] {
        let error = from_web_sys(object(state)).connect().expect_err("too late");
        assert!(matches!(error, NewError::Option(_)), "{error}");
    }
}

#[wasm_bindgen_test]
fn a_handle_gives_the_hosts_object() {
    let _host = Host::new();
    let (socket, _log) = open_socket();
    let object = socket.web_sys().expect("it goes over one");
    assert_eq!(object.url(), "ws://example.org/");
    assert!(js_sys::Object::is(&object, &js("return socket")));
    js("Mock.throws = 'SecurityError'");
    let forbidden = Socket::new("ws://h/").expect("a good URL");
    assert!(forbidden.web_sys().is_none());
}
