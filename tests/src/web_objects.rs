//! The host's own objects behind a socket. Only pages have them, so these are no cases
//! of the suite, which are the same on every target.

use isosocket::web::{WebSocketExt, from_web_sys};
use isosocket::{Event, NewError, WebSocket};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::probe::{Probe, Via, fresh_id, url, with_id};
use crate::record::record;

#[wasm_bindgen_test]
async fn a_handle_gives_the_hosts_object() {
    if !isosocket::supported() {
        return;
    }
    let id = fresh_id();
    let socket = WebSocket::open(url(&with_id("/echo", &id))).await.unwrap();
    let object = socket.web_sys().expect("it is there");
    assert_eq!(object.ready_state(), web_sys::WebSocket::OPEN);
    let mut events = socket.events();
    assert_eq!(events.next().await, Some(Event::Open));
    socket.send("a").unwrap();
    object.send_with_str("b").unwrap();
    for text in ["a", "b"] {
        assert_eq!(events.next().await, Some(Event::Message(text.into())));
    }
    object.close_with_code(4001).unwrap();
    assert_eq!(socket.closed().await.code, 4001);
}

#[wasm_bindgen_test]
async fn an_object_that_is_connecting_becomes_a_socket() {
    if !isosocket::supported() {
        return;
    }
    let id = fresh_id();
    let object = web_sys::WebSocket::new(&url(&with_id("/echo", &id))).unwrap();
    talk(object, &id).await;
}

#[wasm_bindgen_test]
async fn an_object_that_is_open_becomes_a_socket() {
    if !isosocket::supported() {
        return;
    }
    let id = fresh_id();
    let before = WebSocket::open(url(&with_id("/echo", &id))).await.unwrap();
    let object = before.web_sys().expect("it is there");
    talk(object, &id).await;
}

#[wasm_bindgen_test]
async fn an_object_that_is_closing_is_refused() {
    if !isosocket::supported() {
        return;
    }
    let socket = WebSocket::open(url("/echo")).await.unwrap();
    let object = socket.web_sys().expect("it is there");
    socket.close();
    let refused = from_web_sys(object.clone()).connect();
    assert!(matches!(refused, Err(NewError::Option(_))), "{refused:?}");
    socket.closed().await;
    let refused = from_web_sys(object).connect();
    assert!(matches!(refused, Err(NewError::Option(_))), "{refused:?}");
}

async fn talk(object: web_sys::WebSocket, id: &str) {
    let mut probe = Probe::from_builder(Via::Stream, from_web_sys(object)).unwrap();
    probe.opened().await.unwrap();
    probe.socket.send(vec![1, 2, 3]).unwrap();
    assert_eq!(probe.message().await.unwrap(), [1, 2, 3]);
    drop(probe);
    // S102: dropped, it closes.
    assert_eq!(record(id).await.unwrap().closes(), "empty");
}
