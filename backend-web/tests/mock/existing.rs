//! The host's object behind a handle, and a handle for an object of the host.

use crate::host::{Host, Socket, check, js, open_socket, settle, watch};
use isosocket_core::{NewError, Reconnect, WebSocket};
use isosocket_web::{BuilderExt, Web, WebSocketExt, from_web_sys};
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
fn an_object_serves_one_socket_and_cannot_stop_reading() {
    let _host = Host::new();
    let given = object(1);
    let _socket = from_web_sys(given.clone()).connect().expect("open");
    let error = from_web_sys(given).connect().expect_err("it is used");
    assert!(matches!(error, NewError::Option(_)), "{error}");

    let limited = || from_web_sys(object(1)).receive_limit(1000);
    let error = limited().connect().expect_err("it reads on");
    assert_eq!(error, NewError::OptionNotSupported("receive_limit"));
    assert!(limited().allow_unlimited_memory().connect().is_ok());
}

#[wasm_bindgen_test]
async fn a_socket_that_connects_again_gives_the_object_of_its_connection() {
    let _host = Host::new();
    let builder = WebSocket::<Reconnect<Web>>::builder("ws://h/");
    let socket = builder.connect().expect("a good URL");
    settle().await;
    let object = socket.web_sys().expect("an attempt is under way");
    assert!(js_sys::Object::is(&object, &js("return socket")));
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
