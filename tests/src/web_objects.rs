//! The host's own objects behind a socket. Only pages have them, so these are no cases
//! of the suite, which are the same on every target.

use std::time::Duration;

use isosocket::web::{BuilderExt, WebSocketExt, from_web_sys, supports_receive_limit};
use isosocket::{Event, NewError, Reconnecting, Retry, Status, WebSocket};
use js_sys::{Function, Promise};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
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
    let object = open_object(&with_id("/echo", &id)).await;
    talk(object, &id).await;
}

#[wasm_bindgen_test]
async fn an_object_serves_one_socket() {
    if !isosocket::supported() {
        return;
    }
    let id = fresh_id();
    let object = open_object(&with_id("/echo", &id)).await;
    let first = from_web_sys(object.clone()).open().await.unwrap();
    let second = from_web_sys(object).connect();
    assert!(matches!(second, Err(NewError::Option(_))), "{second:?}");
    let its_own = from_web_sys(first.web_sys().expect("it is there")).connect();
    assert!(matches!(its_own, Err(NewError::Option(_))), "{its_own:?}");
    let mut events = first.events();
    first.send("a").unwrap();
    assert_eq!(events.next().await, Some(Event::Open));
    assert_eq!(events.next().await, Some(Event::Message("a".into())));
    drop((first, events));
    assert_eq!(record(&id).await.unwrap().closes(), "empty");

    // The same for one that a socket has made.
    let socket = WebSocket::open(url("/echo")).await.unwrap();
    let taken = from_web_sys(socket.web_sys().expect("it is there")).connect();
    assert!(matches!(taken, Err(NewError::Option(_))), "{taken:?}");
    socket.close();
    assert!(socket.closed().await.was_clean);
}

#[wasm_bindgen_test]
async fn an_object_that_was_made_to_give_blobs_gives_bytes_in_order() {
    if !isosocket::supported() {
        return;
    }
    let object = open_object("/echo").await;
    let socket = from_web_sys(object.clone()).open().await.unwrap();
    // Nobody should. Not every host has blobs.
    js("try { it.binaryType = 'blob' } catch {}", &object);
    let mut events = socket.events();
    assert_eq!(events.next().await, Some(Event::Open));
    socket.send(vec![1, 2]).unwrap();
    socket.send("a").unwrap();
    socket.send(vec![3; 1000]).unwrap();
    for expected in [vec![1, 2].into(), "a".into(), vec![3; 1000].into()] {
        assert_eq!(events.next().await, Some(Event::Message(expected)));
    }
    socket.close();
    assert!(matches!(events.next().await, Some(Event::Close(_))));
}

#[wasm_bindgen_test]
async fn an_object_of_another_realm_becomes_a_socket() {
    if !isosocket::supported() {
        return;
    }
    // Only pages have frames.
    let frame = js(
        "if (!globalThis.document) return null;
         const frame = document.createElement('iframe');
         document.body.append(frame);
         return frame;",
        &JsValue::NULL,
    );
    if frame.is_null() {
        return;
    }
    let id = fresh_id();
    let address = url(&with_id("/echo", &id));
    let code = format!("return new it.contentWindow.WebSocket('{address}')");
    let object = js(&code, &frame);
    assert!(!object.is_instance_of::<web_sys::WebSocket>());
    talk(object.unchecked_into(), &id).await;
    js("it.remove()", &frame);
}

#[wasm_bindgen_test]
async fn an_object_cannot_stop_reading() {
    if !isosocket::supported() {
        return;
    }
    let id = fresh_id();
    let object = open_object(&with_id("/echo", &id)).await;
    let limited = from_web_sys(object.clone())
        .receive_limit(1 << 20)
        .connect();
    let refused = NewError::OptionNotSupported("receive_limit");
    assert_eq!(limited.err(), Some(refused), "{}", supports_receive_limit());
    let allowed = from_web_sys(object)
        .receive_limit(1 << 20)
        .allow_unlimited_memory();
    let socket = allowed.open().await.unwrap();
    socket.close();
    assert!(socket.closed().await.was_clean);
    // It was this object's connection, and no other.
    assert_eq!(record(&id).await.unwrap().closes(), "empty");
}

#[wasm_bindgen_test]
async fn a_reconnecting_handle_gives_the_present_object() {
    if !isosocket::supported() {
        return;
    }
    let short = Duration::from_millis(1);
    let builder = Reconnecting::builder(url("/echo")).backoff(short, short);
    let socket = builder.connect().unwrap();
    let mut statuses = socket.statuses();
    let mut objects = Vec::new();
    while objects.len() < 2 {
        while statuses.next().await != Some(Status::Open) {}
        let object = socket.web_sys().expect("there is a connection");
        assert_eq!(object.ready_state(), web_sys::WebSocket::OPEN);
        object.close_with_code(4001).unwrap();
        objects.push(object);
    }
    assert_ne!(objects[0], objects[1]);

    let builder = Reconnecting::builder(url("/refuse/500"));
    let builder = builder.retry(|_| Retry::After(Duration::from_secs(3600)));
    let socket = builder.connect().unwrap();
    let mut statuses = socket.statuses();
    while !matches!(statuses.next().await, Some(Status::Waiting { .. })) {}
    assert_eq!(socket.web_sys(), None);
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

/// An object that is open, as JavaScript makes it.
async fn open_object(path: &str) -> web_sys::WebSocket {
    let object = web_sys::WebSocket::new(&url(path)).unwrap();
    let open = "return new Promise((done) => it.addEventListener('open', done))";
    let open: Promise = js(open, &object).unchecked_into();
    JsFuture::from(open).await.unwrap();
    object
}

/// Runs JavaScript, with `it` for a value.
fn js(code: &str, it: &JsValue) -> JsValue {
    let function = Function::new_with_args("it", code);
    function.call1(&JsValue::NULL, it).unwrap()
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
