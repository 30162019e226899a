//! Which backend serves this target: the only file of the facade that knows.
//!
//! WASI has TCP since 0.2. Emscripten's sockets are WebSockets of the host's own kind, and
//! have no backend.

cfg_if::cfg_if! {
    if #[cfg(all(feature = "web", target_family = "wasm", target_os = "unknown"))] {
        pub(crate) use isosocket_web::{Web as Backend, run};
    } else if #[cfg(all(
        feature = "native",
        any(not(target_family = "wasm"), all(target_os = "wasi", not(target_env = "p1")))
    ))] {
        pub(crate) use isosocket_native::{Native as Backend, block_on as run};
    } else {
        pub(crate) use isosocket_core::{Unsupported as Backend, run_unsupported as run};
    }
}

/// What only native sockets have: [`BuilderExt`](native::BuilderExt) for
/// their options, [`SocketExt`](native::SocketExt) and
/// [`ErrorEventExt`](native::ErrorEventExt) for the server's answer,
/// [`EventsExt`](native::EventsExt) and [`SocketExt`](native::SocketExt) for threads that
/// wait, [`block_on`](native::block_on) for a future's output, and
/// [`EventLoop`](native::EventLoop) for programs with a loop of their own. Guide:
/// [`guide::native`](crate::guide::native).
#[cfg(all(
    feature = "native",
    any(
        not(target_family = "wasm"),
        all(target_os = "wasi", not(target_env = "p1"))
    )
))]
pub mod native {
    #[cfg(feature = "deflate")]
    #[doc(inline)]
    pub use isosocket_native::Deflate;
    #[cfg(feature = "native-tls")]
    pub use isosocket_native::native_tls;
    #[doc(inline)]
    pub use isosocket_native::{
        BuilderExt, ConnectStep, EnterGuard, ErrorEventExt, EventLoop, EventsExt, LoopHandle,
        Proxy, RecvError, Response, SendReadyError, SocketExt, block_on,
    };
    #[cfg(any(feature = "tls", feature = "webpki-roots"))]
    pub use isosocket_native::{TlsConfig, rustls_0_23};
}

/// What only sockets of the web have: [`BuilderExt`](web::BuilderExt) for their options.
/// With the feature `web-sys` also the host's own objects: `WebSocketExt` and
/// `from_web_sys`.
#[cfg(all(feature = "web", target_family = "wasm", target_os = "unknown"))]
pub mod web {
    #[doc(inline)]
    pub use isosocket_web::{BuilderExt, supports_receive_limit};
    #[cfg(feature = "web-sys")]
    #[doc(inline)]
    pub use isosocket_web::{WebSocketExt, from_web_sys};
}

// The other target's module is empty, and has a name that the compiler's message
// about what is missing in it shows.

#[cfg(all(
    target_family = "wasm",
    any(not(target_os = "wasi"), target_env = "p1")
))]
#[doc(hidden)]
pub mod this_module_is_for_native_targets_only {}
#[cfg(all(
    target_family = "wasm",
    any(not(target_os = "wasi"), target_env = "p1")
))]
#[doc(hidden)]
pub use this_module_is_for_native_targets_only as native;

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
#[doc(hidden)]
pub mod this_module_is_for_the_web_only {}
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
#[doc(hidden)]
pub use this_module_is_for_the_web_only as web;
