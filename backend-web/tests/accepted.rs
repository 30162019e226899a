//! A program that asks only after the end what the peer accepted. It is a program of its own,
//! because sockets behave differently once a program has asked.
#![cfg(target_family = "wasm")]

#[allow(dead_code, reason = "other tests use more of it")]
#[path = "mock/host.rs"]
mod host;

use host::{Host, Socket, js};
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test]
fn what_the_peer_accepted_is_known_after_the_end() {
    let _host = Host::new();
    let connect = || Socket::builder("ws://h/").subprotocol("b").connect();
    let refused = connect().expect("a good URL");
    js("socket.protocol = 'b'; socket.end(1006, '', false)");
    let socket = connect().expect("a good URL");
    js("socket.protocol = 'b'; socket.extensions = 'x'; socket.open()");
    js("socket.end(1000, '', true)");
    assert_eq!((socket.protocol(), socket.extensions()), ("b", "x"));
    assert_eq!((refused.protocol(), refused.extensions()), ("", ""));
    // It is read once, so that what was lent stays.
    js("socket.protocol = 'c'");
    assert_eq!(socket.protocol(), "b");

    // Now it is read when the connection is established.
    let socket = connect().expect("a good URL");
    js("socket.protocol = 'b'; socket.open(); socket.protocol = ''");
    assert_eq!(socket.protocol(), "b");
}
