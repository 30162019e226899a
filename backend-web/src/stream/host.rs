//! The host's `WebSocketStream` and its streams, declared by hand. web-sys has
//! `WebSocketStream` only as an unstable interface, and its declarations do not catch what
//! the calls of the streams throw.

use wasm_bindgen::prelude::*;

use crate::js::{self, MembersExt, Object, Promise};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = globalThis)]
    type Global;

    #[wasm_bindgen(static_method_of = Global, js_class = globalThis, getter, js_name = WebSocketStream)]
    fn web_socket_stream() -> JsValue;

    #[wasm_bindgen(extends = Object)]
    pub(super) type WebSocketStream;

    #[wasm_bindgen(constructor, js_class = "WebSocketStream", catch)]
    fn new(url: &str, options: &Object) -> Result<WebSocketStream, JsValue>;
    #[wasm_bindgen(method, getter)]
    pub(super) fn opened(this: &WebSocketStream) -> Promise;
    #[wasm_bindgen(method, getter)]
    pub(super) fn closed(this: &WebSocketStream) -> Promise;
    #[wasm_bindgen(method, catch)]
    pub(super) fn close(this: &WebSocketStream, info: &Object) -> Result<(), JsValue>;

    type Readable;
    type Writable;

    /// Of messages that arrive.
    pub(super) type Reader;

    #[wasm_bindgen(method, catch, js_name = getReader)]
    fn reader(this: &Readable) -> Result<Reader, JsValue>;
    #[wasm_bindgen(method)]
    pub(super) fn read(this: &Reader) -> Promise;

    /// Of messages that are sent.
    pub(super) type Writer;

    #[wasm_bindgen(method, catch, js_name = getWriter)]
    fn writer(this: &Writable) -> Result<Writer, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub(super) fn write(this: &Writer, message: &JsValue) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch)]
    pub(super) fn abort(this: &Writer) -> Result<Promise, JsValue>;

    // That of js-sys lets through what it throws: here, where there is no memory.
    #[wasm_bindgen(js_name = Uint8Array)]
    type Bytes;

    // Copies: the stream may read it after `write` has returned.
    #[wasm_bindgen(constructor, js_class = "Uint8Array", catch)]
    fn copy_of(data: &[u8]) -> Result<Bytes, JsValue>;
}

/// Whether the global scope has a `WebSocketStream` now.
pub(crate) fn is_there() -> bool {
    Global::web_socket_stream().is_function()
}

/// Opens a stream. Called only where there is one.
pub(super) fn open(url: &str, subprotocols: &[String]) -> Result<WebSocketStream, JsValue> {
    let options = object();
    options.set("protocols", &js::list(subprotocols));
    WebSocketStream::new(url, &options)
}

/// The two halves of what `opened` resolves to.
pub(super) fn halves(opened: &Object) -> Option<(Reader, Writer)> {
    let readable: Readable = opened.member("readable").unchecked_into();
    let writable: Writable = opened.member("writable").unchecked_into();
    let (reader, writer) = (readable.reader().ok()?, writable.writer().ok()?);
    Some((reader, writer))
}

/// An object without members.
pub(super) fn object() -> Object {
    Object::new()
}

/// Bytes of the stream's own; `None` where there is no memory for them.
pub(super) fn bytes(data: &[u8]) -> Option<JsValue> {
    Bytes::copy_of(data).ok().map(JsValue::from)
}
