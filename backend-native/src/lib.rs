//! The native backend of isosocket, on mio, tungstenite and rustls.
