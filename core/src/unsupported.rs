//! The transport of a target without a WebSocket: it cannot exist (S103).

use crate::{Link, MessageRef, NewError, Refusal, Request, Transport};

/// No WebSocket: [`supported`](Transport::supported) is false and the
/// constructor fails with [`NewError::NotSupported`].
#[derive(Clone, Copy, Debug)]
pub enum Unsupported {}

impl Transport for Unsupported {
    type Options = ();

    fn supported() -> bool {
        false
    }

    fn new(_: Request<()>) -> Result<(Self, String), NewError> {
        Err(NewError::NotSupported)
    }

    fn start(&self, _: Link<Self>) {
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

    fn schedule(&self, _: Link<Self>) {
        match *self {}
    }

    fn watch_drain(&self, _: Link<Self>, _: usize) {
        match *self {}
    }

    fn detach(&self) {
        match *self {}
    }
}
