//! Which backend serves this target: the only file of the facade that knows.

cfg_if::cfg_if! {
    if #[cfg(all(feature = "web", target_family = "wasm", target_os = "unknown"))] {
        pub use isosocket_web::Web as Backend;
    } else if #[cfg(all(
        feature = "native",
        not(all(target_family = "wasm", target_os = "unknown"))
    ))] {
        pub use isosocket_native::Native as Backend;
        pub use isosocket_native as native;
    } else {
        pub use isosocket_core::Unsupported as Backend;
    }
}
