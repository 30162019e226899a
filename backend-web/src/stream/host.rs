//! The host's `WebSocketStream` and its streams, declared by hand: web-sys has no
//! `WebSocketStream`, and its streams go through a promise type of js-sys.

use wasm_bindgen::prelude::*;

use crate::js::{self, Object, Promise, Uint8Array};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = globalThis)]
    type Global;

    #[wasm_bindgen(static_method_of = Global, js_class = globalThis, getter, js_name = WebSocketStream)]
    fn web_socket_stream() -> JsValue;

    #[wasm_bindgen(extends = Object)]
    pub(super) type WebSocketStream;

    #[wasm_bindgen(constructor, js_class = "WebSocketStream", catch)]
    fn new(url: &str, options: &Object) -> Result<WebSocketStream, Object>;
    #[wasm_bindgen(method, getter)]
    pub(super) fn opened(this: &WebSocketStream) -> Promise;
    #[wasm_bindgen(method, getter)]
    pub(super) fn closed(this: &WebSocketStream) -> Promise;
    #[wasm_bindgen(method, catch)]
    pub(super) fn close(this: &WebSocketStream, info: &Object) -> Result<(), JsValue>;

    /// Of messages that arrive.
    pub(super) type Reader;

    #[wasm_bindgen(method, catch, js_name = getReader)]
    fn reader(this: &Object) -> Result<Reader, JsValue>;
    #[wasm_bindgen(method)]
    pub(super) fn read(this: &Reader) -> Promise;

    /// Of messages that are sent.
    pub(super) type Writer;

    #[wasm_bindgen(method, catch, js_name = getWriter)]
    fn writer(this: &Object) -> Result<Writer, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub(super) fn write(this: &Writer, message: &JsValue) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub(super) fn abort(this: &Writer) -> Result<Promise, JsValue>;

    // Copies: the stream may read it after `write` has returned. It throws where there
    // is no memory.
    #[wasm_bindgen(constructor, js_class = "Uint8Array", catch)]
    fn try_copy_of(data: &[u8]) -> Result<Uint8Array, JsValue>;

    /// Calls one of the two functions once, with the result or with the error.
    #[wasm_bindgen(method, js_name = then)]
    pub(super) fn settled(this: &Promise, fulfilled: &JsValue, rejected: &JsValue);
}

/// Whether the global scope has a `WebSocketStream` now.
pub(crate) fn is_there() -> bool {
    Global::web_socket_stream().is_function()
}

/// Opens a stream. Called only where there is one.
pub(super) fn open(url: &str, subprotocols: &[String]) -> Result<WebSocketStream, Object> {
    let options = object();
    options.set("protocols", &js::list(subprotocols));
    WebSocketStream::new(url, &options)
}

/// The two halves of what `opened` resolves to.
pub(super) fn halves(opened: &Object) -> Option<(Reader, Writer)> {
    let half = |name| opened.member(name).unchecked_into::<Object>();
    let reader = half("readable").reader().ok()?;
    let writer = half("writable").writer().ok()?;
    Some((reader, writer))
}

/// An object without members.
pub(super) fn object() -> Object {
    js::parse("{}")
}

/// Bytes of the stream's own; `None` where there is no memory for them.
pub(super) fn bytes(data: &[u8]) -> Option<JsValue> {
    Uint8Array::try_copy_of(data).ok().map(JsValue::from)
}
