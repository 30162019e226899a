//! The JavaScript that this crate uses, declared item by item: web-sys would
//! bring more code and a check of the type at every turn.
//!
//! What can throw is marked `catch`; nothing else here can.

use wasm_bindgen::prelude::*;

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

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = WebSocket)]
    pub(crate) type Socket;

    #[wasm_bindgen(constructor, js_class = "WebSocket", catch)]
    pub(crate) fn new(url: &str, subprotocols: Vec<String>) -> Result<Socket, JsValue>;

    #[wasm_bindgen(method, setter, js_name = binaryType)]
    pub(crate) fn set_binary_type(this: &Socket, kind: &str);

    #[wasm_bindgen(method, setter, js_name = onopen)]
    pub(crate) fn set_onopen(this: &Socket, listener: &JsValue);
    #[wasm_bindgen(method, setter, js_name = onmessage)]
    pub(crate) fn set_onmessage(this: &Socket, listener: &JsValue);
    #[wasm_bindgen(method, setter, js_name = onerror)]
    pub(crate) fn set_onerror(this: &Socket, listener: &JsValue);
    #[wasm_bindgen(method, setter, js_name = onclose)]
    pub(crate) fn set_onclose(this: &Socket, listener: &JsValue);

    #[wasm_bindgen(method, getter)]
    pub(crate) fn protocol(this: &Socket) -> String;
    #[wasm_bindgen(method, getter)]
    pub(crate) fn extensions(this: &Socket) -> String;
    #[wasm_bindgen(method, getter, js_name = readyState)]
    pub(crate) fn ready_state(this: &Socket) -> u32;
    #[wasm_bindgen(method, getter, js_name = bufferedAmount)]
    pub(crate) fn buffered_amount(this: &Socket) -> f64;

    #[wasm_bindgen(method, js_name = send, catch)]
    pub(crate) fn send_text(this: &Socket, text: &str) -> Result<(), JsValue>;
    #[cfg(not(target_feature = "atomics"))]
    #[wasm_bindgen(method, js_name = send, catch)]
    pub(crate) fn send_binary(this: &Socket, data: &[u8]) -> Result<(), JsValue>;
    #[cfg(target_feature = "atomics")]
    #[wasm_bindgen(method, js_name = send, catch)]
    pub(crate) fn send_array(this: &Socket, data: &Uint8Array) -> Result<(), JsValue>;

    #[wasm_bindgen(method, js_name = close, catch)]
    pub(crate) fn close(this: &Socket) -> Result<(), JsValue>;
    #[wasm_bindgen(method, js_name = close, catch)]
    pub(crate) fn close_with(this: &Socket, code: u16, reason: &str) -> Result<(), JsValue>;
}

#[cfg(target_feature = "atomics")]
impl Socket {
    /// A view of shared memory cannot be sent, so the bytes are copied first.
    pub(crate) fn send_binary(&self, data: &[u8]) -> Result<(), JsValue> {
        self.send_array(&Uint8Array::of(data))
    }
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

    #[cfg(target_feature = "atomics")]
    #[wasm_bindgen(constructor)]
    pub(crate) fn of(data: &[u8]) -> Uint8Array;

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
