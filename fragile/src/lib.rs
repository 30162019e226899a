//! A value that stays on its thread, inside a type that is `Send` and `Sync`.
//!
//! Where there are threads this is `Fragile` of the crate `fragile`, which checks the thread
//! at each use. A page without threads has nothing to check. There it is a type of our own,
//! because the check would be 0.5 kB of every page, and 0.8 kB of one that connects again
//! (brotli).
//!
//! It is a crate because it has unsafe code, which `isosocket-core` forbids, and because core
//! and `isosocket-web` need it both. Programs use the crate `isosocket`.

cfg_if::cfg_if! {
    if #[cfg(all(
        target_family = "wasm",
        target_os = "unknown",
        not(target_feature = "atomics")
    ))] {
        mod page;
        pub use page::{Fragile, InvalidThreadAccess};
    } else {
        pub use fragile::{Fragile, InvalidThreadAccess};
    }
}
