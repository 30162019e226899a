//! The clients: each in a file of its own, which says how the crate is used.
//!
//! Each is used as its documentation shows.

mod ewebsock;
mod gloo_net;
mod isosocket;
mod tokio_tungstenite_wasm;
mod web_sys;
mod ws_stream_wasm;
mod yawc;

use js_sys::Promise;

use crate::pull::{self, Run, WasmBindgen};
use crate::push;

/// What a client says that cannot do this, or not on this host.
const DOES_NOT_APPLY: &str = "n/a";

/// A client that can be measured.
pub struct Client {
    /// What it is called on the command line and in results.
    pub id: &'static str,
    /// What it is called in tables.
    pub name: &'static str,
    /// Opens a socket to a URL: a promise of [`Socket`](crate::Socket).
    pub open: fn(String) -> Promise,
}

const fn client(id: &'static str, name: &'static str, open: fn(String) -> Promise) -> Client {
    Client { id, name, open }
}

/// All of them, in the order of tables, after the floor, which is JavaScript.
pub const ALL: &[Client] = &[
    client(
        "isosocket",
        "isosocket, handler",
        push::open::<isosocket::Handler>,
    ),
    client(
        "isosocket-stream",
        "isosocket, stream, own run",
        pull::open::<isosocket::Stream, Run>,
    ),
    client(
        "isosocket-futures",
        "isosocket, stream, wasm-bindgen-futures",
        pull::open::<isosocket::Stream, WasmBindgen>,
    ),
    client(
        "isosocket-limit",
        "isosocket, stream, own run, receive limit",
        pull::open::<isosocket::Limited, Run>,
    ),
    client(
        "web-sys",
        "web-sys by hand, handler",
        push::open::<web_sys::Client>,
    ),
    client("ewebsock", "ewebsock", push::open::<ewebsock::Client>),
    client(
        "gloo-net",
        "gloo-net",
        pull::open::<gloo_net::Client, WasmBindgen>,
    ),
    client(
        "ws_stream_wasm",
        "ws_stream_wasm",
        pull::open::<ws_stream_wasm::Client, WasmBindgen>,
    ),
    client(
        "tokio-tungstenite-wasm",
        "tokio-tungstenite-wasm",
        pull::open::<tokio_tungstenite_wasm::Client, WasmBindgen>,
    ),
    client("yawc", "yawc", pull::open::<yawc::Client, WasmBindgen>),
];
