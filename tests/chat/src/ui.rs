//! What the chat needs of its surroundings: a terminal, or a page.

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
mod desktop;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod page;

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub use desktop::{server, show, typed};
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
pub use page::{server, show, typed};

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU32, Ordering};

/// A fresh token, as a login server gives one for each attempt. This one is made up: the
/// peer of the tests takes each token once.
pub async fn token() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{count}-{:x}", RandomState::new().hash_one(salt()))
}

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
fn salt() -> u64 {
    0
}

/// There is no other randomness on this target.
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
fn salt() -> u64 {
    js_sys::Math::random().to_bits()
}
