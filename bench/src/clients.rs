//! The clients: each in a file of its own, which says how the crate is used.
//!
//! Each is used as its documentation shows, with `TCP_NODELAY` where its
//! interface has it, and limits large enough for messages of 1 MiB.

mod ewebsock;
mod fastwebsockets;
mod isosocket;
mod raw;
mod reqwest_websocket;
mod sockudo_ws;
mod tokio_tungstenite;
mod tokio_tungstenite_wasm;
mod tokio_websockets;
mod tungstenite;
mod web_socket;
mod workflow_websocket;
mod yawc;

use crate::job::{Job, Measured, Outcome};
use crate::pull::{self, Park, Run, RunOnTokio, Tokio};
use crate::push;

/// A client that can be measured.
pub struct Client {
    /// What it is called on the command line and in results.
    pub id: &'static str,
    /// What it is called in tables.
    pub name: &'static str,
    /// Whether each socket has a thread of its own.
    pub has_thread_each: bool,
    /// Whether it is one for the workloads of compression, and for them alone.
    pub is_for_compression: bool,
    pub measure: fn(&Job) -> Outcome<Measured>,
}

const fn client(
    id: &'static str,
    name: &'static str,
    measure: fn(&Job) -> Outcome<Measured>,
) -> Client {
    Client {
        id,
        name,
        has_thread_each: false,
        is_for_compression: false,
        measure,
    }
}

const fn with_thread_each(client: Client) -> Client {
    Client {
        has_thread_each: true,
        ..client
    }
}

const fn for_compression(client: Client) -> Client {
    Client {
        is_for_compression: true,
        ..client
    }
}

/// All of them, in the order of tables.
pub const ALL: &[Client] = &[
    client("raw", "raw TCP", raw::measure),
    client(
        "isosocket",
        "isosocket, handler",
        push::measure::<isosocket::Handler>,
    ),
    client(
        "isosocket-run",
        "isosocket, stream in run",
        pull::measure::<isosocket::Stream, Run>,
    ),
    client(
        "isosocket-tokio",
        "isosocket, stream on tokio",
        pull::measure::<isosocket::Stream, RunOnTokio>,
    ),
    client(
        "isosocket-stream",
        "isosocket, stream, shared thread",
        pull::measure::<isosocket::Stream, Park>,
    ),
    client(
        "sockudo-ws",
        "sockudo-ws",
        pull::measure::<sockudo_ws::Client, Tokio>,
    ),
    client(
        "web-socket",
        "web-socket",
        pull::measure::<web_socket::Client, Tokio>,
    ),
    client(
        "fastwebsockets",
        "fastwebsockets",
        pull::measure::<fastwebsockets::Client, Tokio>,
    ),
    client("yawc", "yawc", pull::measure::<yawc::Client, Tokio>),
    client(
        "tokio-websockets",
        "tokio-websockets",
        pull::measure::<tokio_websockets::Client, Tokio>,
    ),
    client(
        "tokio-tungstenite",
        "tokio-tungstenite",
        pull::measure::<tokio_tungstenite::Client, Tokio>,
    ),
    client(
        "tokio-tungstenite-wasm",
        "tokio-tungstenite-wasm",
        pull::measure::<tokio_tungstenite_wasm::Client, Tokio>,
    ),
    client(
        "reqwest-websocket",
        "reqwest-websocket",
        pull::measure::<reqwest_websocket::Client, Tokio>,
    ),
    client(
        "workflow-websocket",
        "workflow-websocket",
        pull::measure::<workflow_websocket::Client, Tokio>,
    ),
    with_thread_each(client(
        "tungstenite",
        "tungstenite, blocking",
        pull::measure::<tungstenite::Client, Park>,
    )),
    with_thread_each(client(
        "ewebsock",
        "ewebsock",
        push::measure::<ewebsock::Client>,
    )),
    for_compression(client(
        "isosocket-plain",
        "isosocket, not compressing",
        push::measure::<isosocket::Handler<isosocket::Plain>>,
    )),
    for_compression(client(
        "isosocket-deflate",
        "isosocket, level 6",
        push::measure::<isosocket::Handler>,
    )),
    for_compression(client(
        "isosocket-deflate-1",
        "isosocket, level 1",
        push::measure::<isosocket::Handler<isosocket::Fast>>,
    )),
    for_compression(client(
        "isosocket-deflate-alone",
        "isosocket, each alone",
        push::measure::<isosocket::Handler<isosocket::Alone>>,
    )),
    for_compression(client(
        "yawc-plain",
        "yawc, not compressing",
        pull::measure::<yawc::Client, Tokio>,
    )),
    for_compression(client(
        "yawc-deflate",
        "yawc, level 6",
        pull::measure::<yawc::Deflating, Tokio>,
    )),
];
