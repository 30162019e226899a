//! The transport of a target without a WebSocket: it cannot exist (S103).

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use crate::{Link, MessageRef, NewError, Refusal, Request, Transport};

/// No WebSocket: [`supported`](Transport::supported) is false and the
/// constructor fails with [`NewError::NotSupported`].
#[derive(Clone, Copy, Debug)]
pub enum Unsupported {}

impl Transport for Unsupported {
    type Options = ();
    type Host = ();

    fn host() {}

    fn supported() -> bool {
        false
    }

    fn new(_: Request<()>) -> Result<(Self, String), NewError> {
        Err(NewError::NotSupported)
    }

    fn start(&self, _: Link) {
        match *self {}
    }

    fn send(&self, _: MessageRef<'_>) -> Result<(), Refusal> {
        match *self {}
    }

    fn close(&self, _: Option<(u16, &str)>) {
        match *self {}
    }

    fn buffered_amount(&self) -> usize {
        match *self {}
    }

    fn schedule(&self, _: Link) {
        match *self {}
    }

    fn watch_drain(&self, _: Link, _: usize) {
        match *self {}
    }

    fn detach(&self) {
        match *self {}
    }
}

/// The `run` of a target without a backend: polls the future once. Nothing here
/// could wake it, and a program that wants a socket has its answer by then.
pub fn run_unsupported(future: impl Future<Output = ()>) {
    let polled = pin!(future).poll(&mut Context::from_waker(Waker::noop()));
    if polled.is_pending() {
        crate::logging(|| log::warn!("without a backend there is nothing to wait for"));
    }
}
