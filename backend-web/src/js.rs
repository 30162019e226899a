//! The JavaScript that this crate uses. It is declared here, and not taken from
//! web-sys, because a page pays for each declaration on both sides: members that
//! are not looked at for every message share one accessor, and go by their names.
//!
//! What can throw is marked `catch`; nothing else here can.

use std::mem::MaybeUninit;

use wasm_bindgen::prelude::*;

/// What a listener is, and what a timer calls, which gives it no event. An event
/// is lent to it, which costs less than to give it a place of its own.
pub(crate) type Listener = Closure<dyn Fn(&Object)>;

/// A listener. What it calls of the program is guarded, so a panic leaves nothing
/// half done; the plain constructor does not compile with `-Cpanic=unwind`.
pub(crate) fn listener(f: impl Fn(&Object) + 'static) -> Listener {
    Closure::own_assert_unwind_safe(f)
}

#[wasm_bindgen]
extern "C" {
    /// Any object of the host: an event, an `Error` that was thrown.
    pub(crate) type Object;

    // `null` and `undefined` have no members, and stand-ins throw and pass them.
    #[wasm_bindgen(method, structural, indexing_getter, catch)]
    fn try_member(this: &Object, name: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, structural, indexing_getter, catch)]
    fn try_number(this: &Object, name: &str) -> Result<f64, JsValue>;
    #[wasm_bindgen(method, structural, indexing_setter, catch)]
    fn set_member(this: &Object, name: &str, value: &JsValue) -> Result<(), JsValue>;

    // Of a message's event.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn data(this: &Object) -> Payload;

    #[wasm_bindgen(js_name = globalThis)]
    type Global;

    // Read each time, not bound as a static: a polyfill may come later.
    #[wasm_bindgen(static_method_of = Global, js_class = globalThis, getter, js_name = WebSocket)]
    fn web_socket() -> JsValue;

    // Calls a function without an argument.
    #[wasm_bindgen(method, catch, js_name = call)]
    fn call_it(this: &Object) -> Result<(), Object>;

    #[wasm_bindgen(js_namespace = console, js_name = error, catch)]
    fn log_error(thrown: &JsValue) -> Result<(), JsValue>;
}

/// Calls a function without an argument; what it threw.
pub(crate) fn call(function: &JsValue) -> Result<(), Object> {
    function.unchecked_ref::<Object>().call_it()
}

/// Shows an exception that was caught on the host's console. `reportError` would
/// do so in browsers, but it ends the process in Deno and Bun.
pub(crate) fn report(thrown: &Object) {
    let _ = log_error(thrown);
}

impl Object {
    /// A member; undefined where there is none, or reading it throws.
    pub(crate) fn member(&self, name: &str) -> JsValue {
        self.try_member(name).unwrap_or_default()
    }

    /// A member as a number, as JavaScript converts it: true is 1. Not a number where
    /// there is none.
    pub(crate) fn number(&self, name: &str) -> f64 {
        self.try_number(name).unwrap_or(f64::NAN)
    }

    pub(crate) fn get(&self, name: &str) -> Option<String> {
        self.member(name).as_string()
    }

    pub(crate) fn set(&self, name: &str, value: &JsValue) {
        // A stand-in without this member goes on without it.
        let _ = self.set_member(name, value);
    }
}

/// Whether the global scope has a `WebSocket` now (S103).
pub(crate) fn has_web_socket() -> bool {
    Global::web_socket().is_function()
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(extends = Object)]
    pub(crate) type Socket;

    #[wasm_bindgen(constructor, js_class = "WebSocket", catch)]
    fn new(url: &str, subprotocols: &JsValue) -> Result<Socket, Object>;
    #[wasm_bindgen(method, getter, js_name = readyState)]
    pub(crate) fn ready_state(this: &Socket) -> u16;
    #[wasm_bindgen(method, getter, js_name = bufferedAmount)]
    pub(crate) fn buffered_amount(this: &Socket) -> u32;
    #[wasm_bindgen(method, catch, js_name = send)]
    pub(crate) fn send_text(this: &Socket, text: &str) -> Result<(), Object>;
    #[wasm_bindgen(method, catch, js_name = send)]
    fn send_array(this: &Socket, data: &Uint8Array) -> Result<(), Object>;
    #[wasm_bindgen(method, catch)]
    pub(crate) fn close(
        this: &Socket,
        code: Option<u16>,
        reason: Option<&str>,
    ) -> Result<(), Object>;

    #[wasm_bindgen(js_namespace = JSON)]
    pub(crate) fn parse(json: &str) -> Object;

    // Of an array.
    #[wasm_bindgen(method)]
    fn push(this: &Object, item: &str);
}

/// `WebSocket.OPEN`.
pub(crate) const OPEN: u16 = 1;

/// Sends bytes that are the host's own from then on. A view of wasm memory would
/// spare the copy, but some stand-ins keep what they were given, and would send
/// whatever is there later. Nothing that a host has tells it from such a stand-in,
/// and shared memory cannot be sent at all.
///
/// `new Uint8Array(view)` is as fast as any other copy. It takes 0.2 µs for 32 bytes,
/// 17 µs for 64 KiB, and 0.1 to 0.2 ms for 1 MiB (Node 22, on a busy machine).
#[inline]
pub(crate) fn send_binary(socket: &Socket, data: &[u8]) -> Result<(), Object> {
    socket.send_array(&Uint8Array::copy_of(data))
}

/// Opens a socket of the host. Called only where there is one.
pub(crate) fn open(url: &str, subprotocols: &[String]) -> Result<Socket, Object> {
    Socket::new(url, &list(subprotocols))
}

/// An array of these strings.
pub(crate) fn list(items: &[String]) -> Object {
    let list = parse("[]");
    for item in items {
        list.push(item);
    }
    list
}

#[wasm_bindgen]
extern "C" {
    /// A message's data: a string or an `ArrayBuffer`, and of stand-ins also a
    /// view of one, or a `Blob`.
    pub(crate) type Payload;

    /// The length in bytes; of a string not a number.
    #[wasm_bindgen(method, getter, js_name = byteLength)]
    pub(crate) fn byte_length(this: &Payload) -> f64;

    /// A string's length in UTF-16 units; of a `Blob` not a number.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn length(this: &Payload) -> f64;

    /// A string from this UTF-16 unit on.
    #[wasm_bindgen(method)]
    pub(crate) fn slice(this: &Payload, start: u32) -> Payload;

    /// The bytes of a `Blob`, later.
    #[wasm_bindgen(method, catch, js_name = arrayBuffer)]
    pub(crate) fn array_buffer(this: &Payload) -> Result<Promise, JsValue>;

    pub(crate) type Uint8Array;

    #[wasm_bindgen(constructor)]
    pub(crate) fn new(buffer: &Payload) -> Uint8Array;
    #[wasm_bindgen(constructor)]
    fn copy_of(view: &[u8]) -> Uint8Array;
    #[wasm_bindgen(constructor, catch)]
    pub(crate) fn part(buffer: &JsValue, from: f64, length: f64) -> Result<Uint8Array, JsValue>;

    #[wasm_bindgen(method, getter)]
    pub(crate) fn length(this: &Uint8Array) -> u32;
    #[wasm_bindgen(method)]
    pub(crate) fn set(this: &Uint8Array, source: &Uint8Array, offset: u32);

    pub(crate) type TextEncoder;

    #[wasm_bindgen(constructor)]
    pub(crate) fn new() -> TextEncoder;

    #[wasm_bindgen(method, js_name = encodeInto)]
    pub(crate) fn encode_into(
        this: &TextEncoder,
        text: &Payload,
        buffer: &mut [MaybeUninit<u8>],
    ) -> Progress;

    /// How far an encoder came: UTF-16 units read, bytes written.
    pub(crate) type Progress;

    #[wasm_bindgen(method, getter)]
    pub(crate) fn read(this: &Progress) -> u32;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn written(this: &Progress) -> u32;
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = URL, extends = Object)]
    pub(crate) type Url;

    #[wasm_bindgen(constructor, js_class = "URL", catch)]
    pub(crate) fn new(url: &str) -> Result<Url, Object>;
}

#[wasm_bindgen]
extern "C" {
    // A number in browsers, an object in Node.
    // Both throw in an iframe that was removed, in Firefox.
    #[wasm_bindgen(js_name = setTimeout, catch)]
    pub(crate) fn set_timeout(f: &JsValue, milliseconds: f64) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_name = clearTimeout, catch)]
    pub(crate) fn clear_timeout(timer: &JsValue) -> Result<(), JsValue>;

    pub(crate) type Promise;

    #[wasm_bindgen(static_method_of = Promise)]
    pub(crate) fn resolve() -> Promise;
    /// Calls one function with the result, the other with the error.
    #[wasm_bindgen(method)]
    pub(crate) fn then(this: &Promise, f: &JsValue, failed: &JsValue);

    /// Milliseconds since some moment, which never go back.
    #[wasm_bindgen(js_namespace = performance)]
    pub(crate) fn now() -> f64;

    #[wasm_bindgen(js_namespace = Math)]
    pub(crate) fn random() -> f64;
}
