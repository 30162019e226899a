//! For which of its two uses a program makes connections of a transport: for sockets of
//! its own, and inside another transport, such as one that connects again.
//!
//! A program that makes no connections for a use never writes that use's flag. So the
//! optimizer of a whole program removes the code behind it: a page with one socket that
//! connects again has no code that delivers events of its connections to handlers.

use std::sync::atomic::Ordering;

use crate::Transport;

/// Says that the program makes sockets of transport `T`.
pub(crate) fn use_plain<T: Transport>() {
    if let Some(flag) = T::plain() {
        flag.store(true, Ordering::Relaxed);
    }
}

/// Says that the program makes connections of `T` inside another transport.
pub(crate) fn use_inner<T: Transport>() {
    if let Some(flag) = T::inner() {
        flag.store(true, Ordering::Relaxed);
    }
}

/// Whether there may be sockets of transport `T`.
#[inline(always)]
pub(crate) fn is_plain<T: Transport>() -> bool {
    T::plain().is_none_or(|flag| flag.load(Ordering::Relaxed))
}

/// Whether there may be connections of `T` inside another transport.
#[inline(always)]
pub(crate) fn is_inner<T: Transport>() -> bool {
    T::inner().is_none_or(|flag| flag.load(Ordering::Relaxed))
}
