//! The native backend of isosocket, on mio, tungstenite and rustls.
//!
//! One event-loop thread serves all sockets; the constructor never blocks.
//! Programs use the crate `isosocket`, which re-exports what they need as
//! `isosocket::native`.

mod blocking;
mod codec;
mod connection;
#[cfg_attr(not(feature = "deflate"), path = "no_deflate.rs")]
mod deflate;
mod engine;
mod event_loop;
mod host;
mod net;
mod options;
mod outbox;
mod packer;
mod pending;
mod per_process;
mod stream;
mod timers;
mod utf8;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use isosocket_core::{Link, MessageRef, NewError, Refusal, Request, Transport};

use crate::connection::{Connection, Setup};
use crate::event_loop::{Action, Command, Reservation, submit};
use crate::options::target::Target;
use crate::outbox::{Follow, Outbox};
use crate::packer::Packer;

pub use blocking::{EventsExt, RecvError};
#[cfg(feature = "deflate")]
pub use deflate::Deflate;
pub use host::{NativeHost, NativeTimer};
#[cfg(feature = "native-tls")]
pub use native_tls;
pub use options::proxy::Proxy;
pub use options::{BuilderExt, NativeOptions};
#[cfg(any(feature = "tls", feature = "webpki-roots"))]
pub use rustls;

/// Runs a future on this thread until it is done.
///
/// ```
/// use isosocket::WebSocket;
///
/// isosocket::run(async {
///     let opened = WebSocket::open("ws://127.0.0.1:9/").await; // a port that is blocked (S13)
///     assert!(opened.is_err());
/// });
/// ```
pub fn run(future: impl Future<Output = ()>) {
    pollster::block_on(future);
}

/// A native connection: the transport behind `isosocket::WebSocket`.
#[derive(Debug)]
pub struct Native {
    inner: Arc<Inner>,
    /// There until it starts; boxed, for it lives much shorter than this.
    setup: Mutex<Option<Box<(Setup, Reservation)>>>,
}

/// In place of a slot: the connection has ended, or the loop has not begun it.
const ENDED: usize = usize::MAX - 1;
const NOT_BEGUN: usize = usize::MAX;

/// What the program's side and the event loop share of a connection.
#[derive(Debug)]
struct Inner {
    /// The connection's slot in the event loop, while it has one.
    key: AtomicUsize,
    outbox: Mutex<Outbox>,
    /// There once compression was agreed on.
    packer: OnceLock<Box<Packer>>,
}

impl Inner {
    fn key(&self) -> Option<usize> {
        Some(self.key.load(Ordering::Acquire)).filter(|&key| key < ENDED)
    }

    fn set_key(&self, key: usize) {
        self.key.store(key, Ordering::Release);
    }

    /// Has the event loop do something, unless the connection has ended.
    fn act(self: &Arc<Self>, action: Action) {
        if self.key.load(Ordering::Acquire) != ENDED {
            submit(Command::Do(self.clone(), action));
        }
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Native {
    fn act(&self, action: Action) {
        self.inner.act(action);
    }

    fn follow(&self, follow: Follow) {
        match follow {
            Follow::Nothing => {}
            Follow::Flush => self.act(Action::Flush),
            // No waiting: what is runnable and wants this core has its turn, which
            // is the event loop, or the peer, if there is but this core. On others
            // the loop runs anyway, and this returns at once. It is once in a MiB,
            // by a sender that is so far ahead of the network.
            Follow::GiveWay if !event_loop::is_current() => std::thread::yield_now(),
            Follow::GiveWay => {}
            Follow::Broken => self.act(Action::Broken),
        }
    }
}

impl Transport for Native {
    type Options = NativeOptions;
    type Host = NativeHost;

    fn host() -> NativeHost {
        NativeHost::default()
    }

    fn supported() -> bool {
        true
    }

    fn new(mut request: Request<NativeOptions>) -> Result<(Self, String), NewError> {
        let target = Target::parse(&request.url)?;
        request.native.settle(&target)?;
        let reservation =
            Reservation::new().map_err(|error| NewError::Resources(error.to_string()))?;
        let url = target.serialized().to_owned();
        let native = Native {
            inner: Arc::new(Inner {
                key: AtomicUsize::new(NOT_BEGUN),
                outbox: Mutex::new(Outbox::new(request.options.send_limit)),
                packer: OnceLock::new(),
            }),
            setup: Mutex::new(Some(Box::new((
                Setup {
                    target,
                    subprotocols: request.subprotocols,
                    options: request.options,
                    native: request.native,
                },
                reservation,
            )))),
        };
        Ok((native, url))
    }

    fn start(&self, link: Link<Self>) {
        let setup = self
            .setup
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .take();
        if let Some(setup) = setup {
            let (setup, reservation) = *setup;
            let connection = Connection::new(self.inner.clone(), link, setup);
            submit(Command::Start(Box::new(connection), reservation));
        }
    }

    fn send(&self, message: MessageRef<'_>) -> Result<(), Refusal> {
        let follow = match self.inner.packer.get() {
            None => self.inner.outbox().send(message)?,
            Some(packer) => packer.send(|| self.inner.outbox(), message)?,
        };
        self.follow(follow);
        Ok(())
    }

    fn abort(&self) {
        self.act(Action::Abort);
    }

    fn close(&self, frame: Option<(u16, &str)>) {
        self.inner.outbox().close(frame);
        self.act(Action::Close);
    }

    fn buffered_amount(&self) -> usize {
        self.inner.outbox().buffered_amount()
    }

    fn schedule(&self, link: Link<Self>) {
        submit(Command::Turn(link));
    }

    fn watch_drain(&self, link: Link<Self>, mark: usize) {
        if self.inner.outbox().watch_drain(mark) {
            link.drained();
        }
    }

    fn resume(&self) {
        self.act(Action::Resume);
    }

    fn detach(&self) {
        self.act(Action::Detach);
    }
}
