//! The JavaScript that this crate uses: types and calls of js-sys and web-sys, and a few
//! declarations of our own. Those are here because js-sys and web-sys lack them, or because a
//! page is smaller with them. Each has a comment with the reason. If the reason is size, it
//! has the figure (brotli, of a page with handlers).

use std::mem::MaybeUninit;

use isosocket_core::asks_for_subprotocols;
pub(crate) use js_sys::{Array, Object, Promise, Uint8Array};
use wasm_bindgen::prelude::*;
pub(crate) use web_sys::{TextEncoder, Url, WebSocket as Socket};

/// What the host calls: for an event, or when a timer fires, which gives no event. The event is
/// owned. After a call with a borrowed one, wasm-bindgen clears its place by `table.fill`, for
/// which V8 leaves wasm: of receiving 32 bytes, that takes a tenth (Node 20).
pub(crate) type Listener = Closure<dyn Fn(Object)>;

/// A listener. The program's code that it calls is guarded, so a panic leaves nothing half
/// done. The plain constructor does not compile with `-Cpanic=unwind`.
pub(crate) fn listener(f: impl Fn(&Object) + 'static) -> Listener {
    Closure::own_assert_unwind_safe(move |event| f(&event))
}

#[wasm_bindgen]
extern "C" {
    // Not by the getters of web-sys, which let what they throw through: `null` and
    // `undefined` have no members, and stand-ins throw and pass them.
    type Members;

    #[wasm_bindgen(method, structural, indexing_getter, catch)]
    fn try_member(this: &Members, name: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(method, structural, indexing_getter, catch)]
    fn try_number(this: &Members, name: &str) -> Result<f64, JsValue>;
    #[wasm_bindgen(method, structural, indexing_setter, catch)]
    fn set_member(this: &Members, name: &str, value: &JsValue) -> Result<(), JsValue>;

    #[wasm_bindgen(js_name = globalThis)]
    type Global;

    // Read each time, not bound as a static: a polyfill may come later.
    #[wasm_bindgen(static_method_of = Global, js_class = globalThis, getter, js_name = WebSocket)]
    fn web_socket() -> JsValue;

    // js-sys looks for the global scope by more names, where there is no such member.
    #[wasm_bindgen(static_method_of = Global, js_class = globalThis, getter, js_name = globalThis)]
    fn itself() -> JsValue;

    // Without an argument and a result, which those of js-sys have: 37 bytes.
    #[wasm_bindgen(js_name = Function)]
    type Callable;

    #[wasm_bindgen(method, catch, js_name = call)]
    fn call_it(this: &Callable) -> Result<(), JsValue>;

    // One function where web-sys has two, of which a page needs both.
    #[wasm_bindgen(js_name = WebSocket)]
    type Closing;

    #[wasm_bindgen(method, catch)]
    fn close(this: &Closing, code: Option<u16>, reason: Option<&str>) -> Result<(), JsValue>;

    // web-sys lets through what it throws, as where there is no console.
    #[wasm_bindgen(js_namespace = console, js_name = error, catch)]
    fn log_error(thrown: &JsValue) -> Result<(), JsValue>;
}

/// Calls a function without an argument. `Err` is what it threw.
pub(crate) fn call(function: &JsValue) -> Result<(), JsValue> {
    function.unchecked_ref::<Callable>().call_it()
}

/// Shows an exception that was caught on the host's console. `reportError` would
/// do so in browsers, but it ends the process in Deno and Bun.
pub(crate) fn report(thrown: &JsValue) {
    let _ = log_error(thrown);
}

/// Members of any value of the host, by their names.
pub(crate) trait MembersExt: AsRef<JsValue> {
    /// A member; undefined where there is none, or reading it throws.
    #[inline(always)]
    fn member(&self, name: &str) -> JsValue {
        members(self.as_ref()).member(name)
    }

    /// A member as a number, as JavaScript converts it: true is 1. Not a number where
    /// there is none.
    #[inline(always)]
    fn number(&self, name: &str) -> f64 {
        members(self.as_ref()).number(name)
    }

    #[inline(always)]
    fn get(&self, name: &str) -> Option<String> {
        members(self.as_ref()).get(name)
    }

    #[inline(always)]
    fn set(&self, name: &str, value: &JsValue) {
        // A stand-in without this member goes on without it.
        let _ = members(self.as_ref()).set_member(name, value);
    }
}

impl<T: AsRef<JsValue>> MembersExt for T {}

#[inline(always)]
fn members(value: &JsValue) -> &Members {
    value.unchecked_ref()
}

// Not in the trait, so that a page has each of them once.
impl Members {
    fn member(&self, name: &str) -> JsValue {
        self.try_member(name).unwrap_or_default()
    }

    fn number(&self, name: &str) -> f64 {
        self.try_number(name).unwrap_or(f64::NAN)
    }

    fn get(&self, name: &str) -> Option<String> {
        self.member(name).as_string()
    }
}

/// The global scope.
pub(crate) fn global() -> JsValue {
    Global::itself()
}

/// Whether the global scope has a `WebSocket` now (S103).
pub(crate) fn has_web_socket() -> bool {
    Global::web_socket().is_function()
}

/// Closes with a Close frame that has this code and reason, or an empty one. Core has
/// checked what it throws for.
pub(crate) fn close(socket: &Socket, frame: Option<(u16, &str)>) {
    let socket: &Closing = socket.unchecked_ref();
    let _ = socket.close(frame.map(|(code, _)| code), frame.map(|(_, reason)| reason));
}

/// Opens a socket of the host. Called only where there is one.
pub(crate) fn open(url: &str, subprotocols: &[String]) -> Result<Socket, JsValue> {
    match asks_for_subprotocols() {
        true => Socket::new_with_str_sequence(url, &list(subprotocols)),
        false => Socket::new(url),
    }
}

/// An array of these subprotocols.
pub(crate) fn list(items: &[String]) -> Array {
    let list = Array::new();
    if asks_for_subprotocols() {
        for item in items {
            list.push(&item.into());
        }
    }
    list
}

#[wasm_bindgen]
extern "C" {
    /// A message's data: a string or an `ArrayBuffer`, and of stand-ins also a
    /// view of one, or a `Blob`. No type of web-sys is all of them.
    pub(crate) type Payload;

    /// The length in bytes; of a string not a number. So one call distinguishes text from bytes.
    #[wasm_bindgen(method, getter, js_name = byteLength)]
    pub(crate) fn byte_length(this: &Payload) -> f64;

    /// A string's length in UTF-16 units; of a `Blob` not a number.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn length(this: &Payload) -> f64;

    /// A part of a string, in UTF-16 units, or of an array, in bytes.
    #[wasm_bindgen(method)]
    pub(crate) fn slice(this: &Payload, start: u32, end: u32) -> Payload;

    /// The bytes of a `Blob`, later. It throws where it is none.
    #[wasm_bindgen(method, catch, js_name = arrayBuffer)]
    pub(crate) fn array_buffer(this: &Payload) -> Result<Promise, JsValue>;

    // web-sys encodes strings of Rust only.
    #[wasm_bindgen(js_name = TextEncoder)]
    type Encoder;

    #[wasm_bindgen(method, js_name = encodeInto)]
    fn encode_into(this: &Encoder, text: &Payload, buffer: &mut [MaybeUninit<u8>]) -> Progress;

    /// How far an encoder came: UTF-16 units read, bytes written. web-sys has them as
    /// numbers that may be missing.
    pub(crate) type Progress;

    #[wasm_bindgen(method, getter)]
    pub(crate) fn read(this: &Progress) -> u32;

    // web-sys has timers and `performance` only of windows and workers: other hosts have
    // neither. A timer is a number in browsers, and an object in Node. In Firefox
    // `setTimeout` throws in an iframe that was removed. A test's timers may throw, too.
    #[wasm_bindgen(js_name = setTimeout, catch)]
    pub(crate) fn set_timeout(f: &JsValue, milliseconds: f64) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_name = clearTimeout, catch)]
    pub(crate) fn clear_timeout(timer: &JsValue) -> Result<(), JsValue>;

    /// Milliseconds since some moment, which never go back.
    #[wasm_bindgen(js_namespace = performance)]
    pub(crate) fn now() -> f64;

    // js-sys wants closures that own their argument: another type of closure in each page.
    #[wasm_bindgen(js_name = Promise)]
    type Settling;

    #[wasm_bindgen(method, js_name = then)]
    fn then_call(this: &Settling, f: &JsValue, failed: &JsValue);
}

/// The length of an array in bytes. By the function for strings, so that a page has one.
#[inline]
pub(crate) fn length(array: &Uint8Array) -> f64 {
    array.unchecked_ref::<Payload>().length()
}

/// Encodes a text of the host's into memory that need not be cleared.
pub(crate) fn encode_into(
    encoder: &TextEncoder,
    text: &Payload,
    buffer: &mut [MaybeUninit<u8>],
) -> Progress {
    let encoder: &Encoder = encoder.unchecked_ref();
    encoder.encode_into(text, buffer)
}

/// Calls one function with the result of a promise, the other with its error.
pub(crate) fn then(promise: &Promise, f: &JsValue, failed: &JsValue) {
    let promise: &Settling = promise.unchecked_ref();
    promise.then_call(f, failed);
}
