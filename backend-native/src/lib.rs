//! The native backend of isosocket, on mio, tungstenite and rustls.
//!
//! Sockets are served by an event loop: that of the thread that made them, if it
//! has entered one, and otherwise a thread that all of them share. The
//! constructor never blocks. Programs use the crate `isosocket`, which
//! re-exports what they need as `isosocket::native`.

mod base64;
mod driver;
mod engine;
mod failure;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod handle;
mod net;
mod options;
mod per_process;
mod random;
mod response;
mod socket;
mod sync;
mod system;
#[cfg(isosocket_simulation)]
#[doc(hidden)]
pub mod simulation {
    //! What takes the place of the system in a simulation.

    #[cfg(isosocket_loom)]
    pub use crate::driver::shared::modelled::begin_run;
    pub use crate::system::simulated::{News, System, elapsed, install, uninstall};
}
mod transport;
mod url;
mod wire;

pub use driver::blocking::{EventsExt, RecvError, SendReadyError};
pub use driver::event_loop::{EnterGuard, EventLoop, LoopHandle, block_on};
pub use driver::host::{NativeHost, NativeTimer};
#[cfg(feature = "native-tls")]
pub use native_tls;
pub use options::proxy::Proxy;
pub use options::steps::ConnectStep;
pub use options::{BuilderExt, NativeOptions};
pub use response::{ErrorEventExt, Response};
pub use socket::SocketExt;
pub use transport::Native;
#[cfg(feature = "deflate")]
pub use wire::deflate::Deflate;
#[cfg(any(feature = "tls", feature = "webpki-roots"))]
pub use {options::tls_config::TlsConfig, rustls as rustls_0_23};
