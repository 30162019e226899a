//! How a call of the program's code ends if it does not return: natively by a panic,
//! on the web also by a JavaScript exception or by a panic that aborts.
//!
//! Invariant: only [`guard`](crate::base::guard) calls what is here.

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub(crate) use native::attempt;
#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub use native::catch_with;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
pub(crate) use web::attempt;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
pub use web::catch_with;

/// Calls a function, and returns also where a JavaScript exception ended the call.
#[doc(hidden)]
pub type Catch = fn(&mut dyn FnMut());

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
mod native {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::Catch;
    use crate::base::guard::discard;

    /// There is no JavaScript.
    #[doc(hidden)]
    pub fn catch_with(_: &'static Catch) {}

    /// Calls `f`; `None` if it did not return.
    #[inline(always)]
    pub(crate) fn attempt<R>(f: impl FnOnce() -> R) -> Option<R> {
        catch_unwind(AssertUnwindSafe(f)).map_err(discard).ok()
    }
}

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod web {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use once_cell::race::OnceRef;

    use super::Catch;
    use crate::base::guard::discard;

    static CATCH: OnceRef<'static, Catch> = OnceRef::new();

    /// Has every guarded call go through this function. The web's backend calls it
    /// before there is a socket; only the first call counts.
    #[doc(hidden)]
    pub fn catch_with(catch: &'static Catch) {
        let _ = CATCH.set(catch);
    }

    /// Calls `f`; `None` if it did not return.
    ///
    /// A JavaScript exception unwinds nothing: it leaves the frames of Rust behind
    /// as they are, with all that they own. So the call goes through a frame of
    /// JavaScript that catches it, and everything outside the call goes on as after
    /// a panic.
    #[inline(always)]
    pub(crate) fn attempt<R>(f: impl FnOnce() -> R) -> Option<R> {
        let mut f = Some(f);
        let mut result = None;
        through(&mut || {
            if let Some(f) = f.take() {
                result = catch_unwind(AssertUnwindSafe(f)).map_err(discard).ok();
            }
        });
        result
    }

    fn through(f: &mut dyn FnMut()) {
        match CATCH.get() {
            Some(catch) => catch(f),
            None => f(),
        }
    }
}
