//! The native backend of isosocket, on mio, tungstenite and rustls.

pub use isosocket_core::Unsupported as Native;
