//! The workloads, natively and in browsers, and the words for them.
//!
//! Invariant: an entry says all that is asked of every client.

use crate::plan::{Kind, Workload};

const PACKED: &str = "Messages a second, time in ratio to raw TCP without compression, and bytes \
    of a message on the wire, header included. The server does not inflate: the time is the \
    client's, and loopback costs nothing for a byte that a network would cost.";

const UNUSED: &str = "Messages below the size from which on they are compressed, with the \
    extension agreed and without: what its presence costs.";

/// What is measured natively.
pub static NATIVE: &[Workload] = &[
    Workload {
        name: "ping",
        title: "Ping-pong",
        about: "Time from sending a message to having its echo, and its ratio to raw TCP. \
                Less is better.",
        kind: Kind::Latency,
        numbers: &[32, 1 << 10, 64 << 10],
        rounds: 5,
        milliseconds: 300,
    },
    Workload {
        name: "paced",
        title: "Paced ping, one message every 3 ms",
        about: "Time from sending a message to having its echo, and its ratio to raw TCP. \
                Less is better.",
        kind: Kind::Latency,
        numbers: &[32],
        rounds: 3,
        milliseconds: 500,
    },
    Workload {
        name: "pair",
        title: "Two messages back to back",
        about: "Time from sending the first of two small messages to having the one answer that \
                the second calls for. Less is better.",
        kind: Kind::Latency,
        numbers: &[32],
        rounds: 3,
        milliseconds: 300,
    },
    Workload {
        name: "send",
        title: "Sending",
        about: "Messages sent one by one by plain `send`, until the server has acknowledged all: \
                messages a second, and time in ratio to raw TCP with one write for each. \
                More messages and lower ratios are better.",
        kind: Kind::Rate,
        numbers: &[32, 1 << 10, 1 << 20],
        rounds: 5,
        milliseconds: 300,
    },
    Workload {
        name: "receive",
        title: "Receiving",
        about: "Messages received that the server writes in large blocks: messages a second, and \
                time in ratio to reading the bytes from raw TCP. More messages and lower ratios \
                are better.",
        kind: Kind::Rate,
        numbers: &[32, 1 << 10, 1 << 20],
        rounds: 5,
        milliseconds: 300,
    },
    Workload {
        name: "construct",
        title: "The constructor's call",
        about: "How long the call takes that makes a socket, on a thread of the program's, client \
                not pinned, and its ratio to waking a thread that waits for events, which is in \
                the floor's row. Less is better.",
        kind: Kind::Latency,
        numbers: &[400],
        rounds: 3,
        milliseconds: 0,
    },
    Workload {
        name: "crowd",
        title: "Many sockets",
        about: "Sockets that are open and idle, after one message each way: resident memory for \
                each beyond the first, threads, voluntary context switches of all threads in a \
                second of idling, and sockets opened in a second.",
        kind: Kind::Crowd,
        numbers: &[100, 1_000, 10_000],
        rounds: 1,
        milliseconds: 1_500,
    },
    Workload {
        name: "feed-ping",
        title: "Compression: ping-pong, a JSON feed",
        about: "Time from sending a trade to having its echo. The server sends back the very \
                bytes, so that only the client compresses and inflates.",
        kind: Kind::Latency,
        numbers: &[151],
        rounds: 3,
        milliseconds: 200,
    },
    Workload {
        name: "feed-send",
        title: "Compression: sending a JSON feed",
        about: PACKED,
        kind: Kind::Rate,
        numbers: &[151, 64 << 10],
        rounds: 3,
        milliseconds: 200,
    },
    Workload {
        name: "feed-receive",
        title: "Compression: receiving a JSON feed",
        about: "The same of messages that the server had compressed before, at level 6.",
        kind: Kind::Rate,
        numbers: &[151, 64 << 10],
        rounds: 3,
        milliseconds: 200,
    },
    Workload {
        name: "noise-send",
        title: "Compression: sending noise",
        about: PACKED,
        kind: Kind::Rate,
        numbers: &[64 << 10],
        rounds: 3,
        milliseconds: 200,
    },
    Workload {
        name: "small-ping",
        title: "Compression agreed, not used: ping-pong",
        about: UNUSED,
        kind: Kind::Latency,
        numbers: &[32],
        rounds: 5,
        milliseconds: 200,
    },
    Workload {
        name: "small-send",
        title: "Compression agreed, not used: sending",
        about: UNUSED,
        kind: Kind::Rate,
        numbers: &[32],
        rounds: 5,
        milliseconds: 200,
    },
    Workload {
        name: "small-receive",
        title: "Compression agreed, not used: receiving",
        about: UNUSED,
        kind: Kind::Rate,
        numbers: &[32],
        rounds: 5,
        milliseconds: 200,
    },
    Workload {
        name: "feed-crowd",
        title: "Compression: many sockets",
        about: "As above, after one compressed message of 320 bytes each way: what compression \
                keeps for an idle socket.",
        kind: Kind::Crowd,
        numbers: &[1_000],
        rounds: 1,
        milliseconds: 500,
    },
];

/// What is measured in browsers.
pub static WEB: &[Workload] = &[
    Workload {
        name: "ping",
        title: "Ping-pong",
        about: "Time from sending a binary message to having its echo, and its ratio to raw \
                JavaScript. Less is better.",
        kind: Kind::Latency,
        numbers: &[32, 1 << 10],
        rounds: 5,
        milliseconds: 120,
    },
    Workload {
        name: "receive",
        title: "Receiving binary",
        about: "Messages received that the server writes in large blocks: messages a second, and \
                time in ratio to raw JavaScript. More messages and lower ratios are better.",
        kind: Kind::Rate,
        numbers: &[32, 1 << 10, 1 << 20],
        rounds: 5,
        milliseconds: 120,
    },
    Workload {
        name: "receive-text",
        title: "Receiving text",
        about: "The same with text, which is ASCII.",
        kind: Kind::Rate,
        numbers: &[64 << 10, 1 << 20],
        rounds: 5,
        milliseconds: 120,
    },
    Workload {
        name: "send",
        title: "Sending binary",
        about: "Messages sent one by one, until the server has acknowledged all: messages a \
                second, and time in ratio to raw JavaScript. More messages and lower ratios are \
                better.",
        kind: Kind::Rate,
        numbers: &[32, 1 << 10, 1 << 20],
        rounds: 5,
        milliseconds: 120,
    },
    Workload {
        name: "send-text",
        title: "Sending text",
        about: "The same with text, which is ASCII.",
        kind: Kind::Rate,
        numbers: &[64 << 10, 1 << 20],
        rounds: 5,
        milliseconds: 120,
    },
    Workload {
        name: "mock-receive",
        title: "Receiving binary, own cost",
        about: "Time that the client adds to raw JavaScript's for each message, with a WebSocket \
                that has no network, one microtask from message to message. Less is better.",
        kind: Kind::Added,
        numbers: &[32, 1 << 10, 1 << 20],
        rounds: 5,
        milliseconds: 70,
    },
    Workload {
        name: "mock-receive-text",
        title: "Receiving text, own cost",
        about: "The same with text, which is ASCII.",
        kind: Kind::Added,
        numbers: &[32, 64 << 10, 1 << 20],
        rounds: 5,
        milliseconds: 70,
    },
    Workload {
        name: "mock-send",
        title: "Sending binary, own cost",
        about: "Time that the client adds to raw JavaScript's for each message, with a WebSocket \
                that swallows what it is given. Less is better.",
        kind: Kind::Added,
        numbers: &[32, 64 << 10, 1 << 20],
        rounds: 5,
        milliseconds: 70,
    },
    Workload {
        name: "mock-send-text",
        title: "Sending text, own cost",
        about: "The same with text, which is ASCII. Raw JavaScript has its string already; from \
                wasm one has to be made.",
        kind: Kind::Added,
        numbers: &[32, 64 << 10, 1 << 20],
        rounds: 5,
        milliseconds: 70,
    },
];
