//! The browser backend of isosocket, on web-sys.

pub use isosocket_core::Unsupported as Web;
