//! The program's functions: what they decide, and what they provide.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::status::listeners::Listeners;
use super::{Loss, NextAttempt, Outer, Reconnect, Retry};
use crate::base::guard::Owned;
use crate::{MaybeSend, SharedCell, Transport, WebSocket};

/// An error of the program's function.
pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// The program's functions. While one of them runs, it is taken out of here.
pub(crate) struct Hooks<T: Transport> {
    pub(crate) decide: SharedCell<Option<Owned<Box<dyn Decide>>>>,
    /// Asks `provide`. A pointer, so that only programs that provide something have the code.
    pub(crate) ask: SharedCell<Option<Ask<T>>>,
    pub(crate) provide: SharedCell<Option<Owned<Box<dyn Provide<T>>>>>,
    pub(crate) listeners: Listeners<WebSocket<Reconnect<T>>>,
}

impl<T: Transport> Default for Hooks<T> {
    fn default() -> Self {
        Hooks {
            decide: SharedCell::new(None),
            ask: SharedCell::new(None),
            provide: SharedCell::new(None),
            listeners: Listeners::default(),
        }
    }
}

impl<T: Transport> fmt::Debug for Hooks<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hooks")
    }
}

/// The function that asks for the attempt with this number.
pub(crate) type Ask<T> = fn(&Outer<T>, u64);

/// The decision hook.
pub(crate) trait Decide: MaybeSend {
    fn call(&mut self, loss: &Loss) -> Retry;
}

impl<F: FnMut(&Loss) -> Retry + MaybeSend> Decide for F {
    fn call(&mut self, loss: &Loss) -> Retry {
        self(loss)
    }
}

/// The function that says what an attempt uses.
pub(crate) trait Provide<T: Transport>: MaybeSend {
    fn call(&mut self, next: NextAttempt<T>) -> Pin<Box<dyn NextFuture<T>>>;
}

/// What it returns. An error ends the socket.
pub(crate) trait NextFuture<T: Transport>: MaybeSend {
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Provided<T>>;
}

pub(crate) type Provided<T> = Result<NextAttempt<T>, BoxError>;

impl<T, F, E> NextFuture<T> for F
where
    T: Transport,
    F: Future<Output = Result<NextAttempt<T>, E>> + MaybeSend,
    E: Into<BoxError>,
{
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Provided<T>> {
        Future::poll(self, context).map_err(Into::into)
    }
}

/// A function of the program, whatever future it returns.
pub(super) struct Provider<F>(pub(super) F);

impl<T, F, R> Provide<T> for Provider<F>
where
    T: Transport,
    F: FnMut(NextAttempt<T>) -> R + MaybeSend,
    R: NextFuture<T> + 'static,
{
    fn call(&mut self, next: NextAttempt<T>) -> Pin<Box<dyn NextFuture<T>>> {
        Box::pin((self.0)(next))
    }
}
