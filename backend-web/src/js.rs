//! The JavaScript that this crate uses: web-sys's WebSocket, and, declared here,
//! the few items that web-sys does not have, has for some hosts only, or has
//! with one more crossing for each message.
//!
//! What can throw is marked `catch`; nothing else here can.

use js_sys::Array;
use wasm_bindgen::prelude::*;
pub(crate) use web_sys::WebSocket as Socket;

/// What a listener for any event is.
pub(crate) type Listener = Closure<dyn Fn(Event)>;

#[wasm_bindgen]
extern "C" {
    pub(crate) type Global;

    #[wasm_bindgen(thread_local_v2, js_name = globalThis)]
    static GLOBAL: Global;

    // Read each time, not bound as a static: a polyfill may come later.
    #[wasm_bindgen(method, getter, js_name = WebSocket)]
    fn web_socket(this: &Global) -> JsValue;
}

/// Opens a socket of the host. Called only where there is one.
pub(crate) fn open(url: &str, subprotocols: Vec<String>) -> Result<Socket, JsValue> {
    let subprotocols: Array = subprotocols.into_iter().map(JsValue::from).collect();
    Socket::new_with_str_sequence(url, &subprotocols)
}

#[wasm_bindgen]
extern "C" {
    /// An event of any kind; what its kind does not have is undefined.
    pub(crate) type Event;

    #[wasm_bindgen(method, getter, js_name = type)]
    pub(crate) fn kind(this: &Event) -> String;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn data(this: &Event) -> Payload;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn code(this: &Event) -> u16;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn reason(this: &Event) -> String;
    #[wasm_bindgen(method, getter, js_name = wasClean)]
    pub(crate) fn was_clean(this: &Event) -> bool;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn message(this: &Event) -> Option<String>;
}

#[wasm_bindgen]
extern "C" {
    /// A message's data: a string or an `ArrayBuffer`.
    pub(crate) type Payload;

    /// The length in bytes; `None` tells that it is a string.
    #[wasm_bindgen(method, getter, js_name = byteLength)]
    pub(crate) fn byte_length(this: &Payload) -> Option<u32>;

    /// A string's length in UTF-16 units.
    #[wasm_bindgen(method, getter)]
    pub(crate) fn length(this: &Payload) -> u32;

    /// A string from this UTF-16 unit on.
    #[wasm_bindgen(method)]
    pub(crate) fn slice(this: &Payload, start: u32) -> Payload;

    pub(crate) type Uint8Array;

    #[wasm_bindgen(constructor)]
    pub(crate) fn new(buffer: &Payload) -> Uint8Array;

    // `valueOf` gives the array itself, which the glue then copies into a new
    // allocation of exactly its size: one crossing, no buffer to clear before.
    #[wasm_bindgen(method, js_name = valueOf)]
    pub(crate) fn to_vec(this: &Uint8Array) -> Vec<u8>;

    pub(crate) type TextEncoder;

    #[wasm_bindgen(constructor)]
    pub(crate) fn new() -> TextEncoder;

    #[wasm_bindgen(method, js_name = encodeInto)]
    pub(crate) fn encode_into(this: &TextEncoder, text: &Payload, buffer: &mut [u8]) -> Progress;

    /// How far an encoder came: UTF-16 units read, bytes written.
    pub(crate) type Progress;

    #[wasm_bindgen(method, getter)]
    pub(crate) fn read(this: &Progress) -> u32;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn written(this: &Progress) -> u32;
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = URL)]
    pub(crate) type Url;

    #[wasm_bindgen(constructor, js_class = "URL", catch)]
    pub(crate) fn new(url: &str) -> Result<Url, Thrown>;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn href(this: &Url) -> String;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn port(this: &Url) -> String;

    /// What was thrown: an `Error` or a `DOMException`.
    pub(crate) type Thrown;

    #[wasm_bindgen(method, getter)]
    pub(crate) fn name(this: &Thrown) -> Option<String>;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn message(this: &Thrown) -> Option<String>;
}

#[wasm_bindgen]
extern "C" {
    // A number in browsers, an object in Node.
    #[wasm_bindgen(js_name = setTimeout)]
    pub(crate) fn set_timeout(f: &JsValue, milliseconds: f64) -> JsValue;
    #[wasm_bindgen(js_name = clearTimeout)]
    pub(crate) fn clear_timeout(timer: &JsValue);

    pub(crate) type Promise;

    #[wasm_bindgen(static_method_of = Promise)]
    pub(crate) fn resolve() -> Promise;
    #[wasm_bindgen(method)]
    pub(crate) fn then(this: &Promise, f: &JsValue);
}

/// Whether the global scope has a `WebSocket` now (S103).
pub(crate) fn has_web_socket() -> bool {
    GLOBAL.with(|global| global.web_socket().is_function())
}
