//! One workload, many WebSocket clients, in a browser. The page in `static`
//! drives this; `cargo xtask bench web` drives the page.
//!
//! Invariant: every client is driven by the same code, through `pull` or `push`,
//! and by the same page; what differs is in `clients`.

mod clients;
mod payload;
mod pull;
mod push;

use js_sys::Promise;
use wasm_bindgen::prelude::*;

use clients::ALL;

/// Why a workload came to no end.
type Error = Box<dyn std::error::Error>;
type Outcome<T> = Result<T, Error>;

/// The clients: lines of an id, a space, and a name.
#[wasm_bindgen]
pub fn clients() -> String {
    let lines: Vec<String> = ALL
        .iter()
        .map(|client| format!("{} {}", client.id, client.name))
        .collect();
    lines.join("\n")
}

/// Opens a socket with a client: the promise of a [`Socket`].
#[wasm_bindgen]
pub fn open(client: &str, url: String) -> Promise {
    match ALL.iter().find(|known| known.id == client) {
        Some(client) => (client.open)(url),
        None => Promise::reject(&JsValue::from_str("there is no such client")),
    }
}

/// How large this program's memory is, in bytes.
#[wasm_bindgen]
pub fn memory_size() -> f64 {
    let memory: js_sys::WebAssembly::Memory = wasm_bindgen::memory().unchecked_into();
    let buffer: js_sys::ArrayBuffer = memory.buffer().unchecked_into();
    f64::from(buffer.byte_length())
}

/// What one client does with one socket.
trait Drive {
    /// Sends a message, waits for its echo, again: this often.
    fn ping(&self, count: u32, size: u32, text: bool) -> Promise;
    /// Has the server swallow this many messages, sends them one by one, and
    /// waits for the one answer.
    fn send(&self, count: u32, size: u32, text: bool) -> Promise;
    /// Has the server send this many messages, and waits for all of them.
    fn receive(&self, count: u32, size: u32) -> Promise;
}

/// An open socket of one client. Freed, it closes.
#[wasm_bindgen]
pub struct Socket(Box<dyn Drive>);

#[wasm_bindgen]
impl Socket {
    pub fn ping(&self, count: u32, size: u32, text: bool) -> Promise {
        self.0.ping(count, size, text)
    }

    pub fn send(&self, count: u32, size: u32, text: bool) -> Promise {
        self.0.send(count, size, text)
    }

    pub fn receive(&self, count: u32, size: u32) -> Promise {
        self.0.receive(count, size)
    }
}

fn to_js(error: Error) -> JsValue {
    JsValue::from_str(&error.to_string())
}
