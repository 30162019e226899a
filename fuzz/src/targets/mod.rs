//! The targets by name.

pub mod client;
pub mod close;
pub mod decoder;
pub mod deflate;
pub mod options;
pub mod proxy;
pub mod reply;
pub mod tungstenite;
pub mod url;

/// A target: any bytes are its input, and it panics if something does not hold.
pub type Target = fn(&[u8]);

/// All targets.
pub const TARGETS: &[(&str, Target)] = &[
    ("client", client::run),
    ("close", close::run),
    ("decoder", decoder::run),
    ("deflate", deflate::run),
    ("options", options::run),
    ("proxy", proxy::run),
    ("reply", reply::run),
    ("tungstenite", tungstenite::run),
    ("url", url::run),
];
