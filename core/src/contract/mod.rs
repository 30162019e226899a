//! The contract between core and a backend: what core asks of a connection, and where the
//! connection reports.
//!
//! Nothing here knows sockets, handlers or streams.

pub(crate) mod host;
pub(crate) mod link;
pub(crate) mod request;
pub(crate) mod traffic;
pub(crate) mod transport;
pub(crate) mod unsupported;
