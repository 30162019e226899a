//! A timer of the host that is cleared when it is dropped.
//!
//! So no timer outlives its owner, and no timer keeps a finished program running in Node.

use std::time::Duration;

use wasm_bindgen::JsValue;

use crate::js::{self, Listener};

/// The longest delay that a host's timer can have, in milliseconds.
pub(crate) const LONGEST: f64 = 2_147_483_647.0;

pub(crate) struct Timer {
    id: JsValue,
    _closure: Listener,
}

impl Timer {
    /// Calls `f` once after `delay`, unless the timer is dropped before. It may
    /// be dropped by `f` itself.
    pub(crate) fn after(delay: f64, f: impl Fn() + 'static) -> Self {
        let closure = js::listener(move |_| f());
        Timer {
            // A host that has gone away has no timers. Nothing happens there.
            id: js::set_timeout(closure.as_ref(), delay).unwrap_or_default(),
            _closure: closure,
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        let _ = js::clear_timeout(&self.id);
    }
}

/// A timeout in milliseconds, rounded up; `None` if it is none, or longer than
/// a timer can be (25 days).
#[inline(always)]
pub(crate) fn milliseconds(timeout: Option<Duration>) -> Option<f64> {
    let timeout = timeout?;
    let milliseconds =
        timeout.as_secs() as f64 * 1e3 + f64::from(timeout.subsec_nanos().div_ceil(1_000_000));
    (milliseconds <= LONGEST).then_some(milliseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_that_no_timer_can_have_are_none() {
        assert_eq!(milliseconds(None), None);
        assert_eq!(milliseconds(Some(Duration::ZERO)), Some(0.0));
        assert_eq!(milliseconds(Some(Duration::from_micros(1))), Some(1.0));
        assert_eq!(
            milliseconds(Some(Duration::from_millis(1500))),
            Some(1500.0)
        );
        let longest = Duration::from_millis(i32::MAX as u64);
        assert_eq!(milliseconds(Some(longest)), Some(LONGEST));
        assert_eq!(milliseconds(Some(longest + Duration::from_nanos(1))), None);
        assert_eq!(milliseconds(Some(Duration::MAX)), None);
    }
}
