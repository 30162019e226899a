//! A function of the program that is called when there is something to read.
//!
//! Invariant: it is called on the delivering thread only, outside every lock, and
//! is taken out of its place meanwhile.

use std::fmt;

use crate::base::guard::{drop_guarded, guard};
use crate::{MaybeSend, SharedCell};

/// What a log says panicked.
const NAME: &str = "a wake hook";

/// The hook of one stream, if it has one.
pub(crate) struct WakeHook(SharedCell<Place>);

#[derive(Default)]
struct Place {
    hook: Option<Box<dyn Hook>>,
    /// There will be nothing more to read, so a hook is called at most once.
    over: bool,
}

trait Hook: MaybeSend {
    fn call(&mut self);
}

impl<F: FnMut() + MaybeSend> Hook for F {
    fn call(&mut self) {
        self();
    }
}

impl WakeHook {
    /// Sets the hook, in place of the one before.
    pub(crate) fn set(&self, hook: impl FnMut() + MaybeSend + 'static) {
        let hook: Box<dyn Hook> = Box::new(hook);
        let before = self.0.with(|place| place.hook.replace(hook));
        drop_guarded(NAME, before);
    }

    /// Calls the hook, if there is one.
    pub(crate) fn call(&self) {
        let Some(mut hook) = self.0.with(|place| place.hook.take()) else {
            return;
        };
        guard(NAME, || hook.call());
        let mut hook = Some(hook);
        self.0.with(|place| {
            // Unless it was replaced meanwhile, or is needed no more.
            if place.hook.is_none() && !place.over {
                place.hook = hook.take();
            }
        });
        drop_guarded(NAME, hook);
    }

    /// Drops the hook. One that is set after this is called for what waits, and
    /// dropped then.
    pub(crate) fn end(&self) {
        let hook = self.0.with(|place| {
            place.over = true;
            place.hook.take()
        });
        drop_guarded(NAME, hook);
    }
}

impl Default for WakeHook {
    fn default() -> Self {
        WakeHook(SharedCell::new(Place::default()))
    }
}

impl fmt::Debug for WakeHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WakeHook")
    }
}
