//! The transport: the calls that core makes on a native connection, on the program's threads.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use isosocket_core::{Link, MessageRef, NewError, Refusal, Request, Traffic, Transport};

use crate::driver::Dialling;
use crate::driver::current;
use crate::driver::host::NativeHost;
use crate::driver::local;
use crate::driver::mailbox::{Action, Command, Reservation};
use crate::engine::opening::Setup;
use crate::engine::session::SessionOptions;
use crate::handle::{Follow, Handle};
use crate::options::NativeOptions;
use crate::options::target::Target;
use crate::response::Response;
use crate::sync::thread;
use crate::system;

/// A native connection: the transport behind `isosocket::WebSocket`.
#[derive(Debug)]
pub struct Native {
    handle: Arc<Handle>,
    /// `None` once the connection has started. Boxed, because that is soon.
    unstarted: Mutex<Option<Box<Unstarted>>>,
}

struct Unstarted {
    setup: Setup,
    connect_timeout: Option<Duration>,
    reservation: Reservation,
}

impl fmt::Debug for Unstarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unstarted")
            .field("setup", &self.setup)
            .finish_non_exhaustive()
    }
}

impl Native {
    /// The server's answer to the opening handshake, once it is established.
    pub(crate) fn response(&self) -> Option<Arc<Response>> {
        self.handle.response()
    }

    fn follow(&self, follow: Follow) {
        match follow {
            Follow::Nothing => {}
            Follow::Flush => self.handle.act(Action::Flush),
            // This does not wait. It gives other threads that can run this core: the shared
            // thread or the peer, if there is only one core.
            Follow::Yield if !current::is_turn() => {
                thread::yield_now();
                if current::serves(self.handle.mailbox()) {
                    self.follow(self.handle.write_here());
                }
            }
            Follow::Yield => {}
            Follow::Write => self.follow(self.handle.write_here()),
            Follow::Failed(error) => self.handle.act(Action::WriteFailed(error)),
        }
    }
}

impl Transport for Native {
    type Options = NativeOptions;
    type Host = NativeHost;

    // They are counted under the lock of the send queue, which is held anyway.
    const COUNTS_SENT: bool = true;

    fn host() -> NativeHost {
        NativeHost::default()
    }

    fn supported() -> bool {
        true
    }

    fn new(mut request: Request<NativeOptions>) -> Result<(Self, String), NewError> {
        let target = Target::parse(&request.url)?;
        request.native.validate(&target)?;
        let mailbox = local::mailbox();
        let reservation = Reservation::new(mailbox.clone())
            .map_err(|error| NewError::Resources(error.to_string()))?;
        let url = target.serialized().to_owned();
        let options = &request.options;
        let handle = Handle::new(mailbox, options.send_limit);
        let session = SessionOptions {
            max_message_size: options.max_message_size,
            close_timeout: options.close_timeout,
            keep_alive: request.native.keep_alive,
            receive_limit: request.native.receive_limit,
        };
        let unstarted = Unstarted {
            connect_timeout: options.connect_timeout,
            setup: Setup {
                target,
                subprotocols: request.subprotocols.take(),
                native: request.native,
                session,
            },
            reservation,
        };
        let native = Native {
            handle: Arc::new(handle),
            unstarted: Mutex::new(Some(Box::new(unstarted))),
        };
        Ok((native, url))
    }

    fn start(&self, link: Link) {
        let unstarted = {
            let mut unstarted = self
                .unstarted
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            unstarted.take()
        };
        if let Some(unstarted) = unstarted {
            let Unstarted {
                setup,
                connect_timeout,
                reservation,
            } = *unstarted;
            let dialling = Dialling::new(self.handle.clone(), link, setup, connect_timeout);
            let command = Command::Start(Box::new(dialling));
            self.handle.mailbox().submit(command);
            drop(reservation);
        }
    }

    fn send(&self, message: MessageRef<'_>) -> Result<(), Refusal> {
        let follow = self.handle.send(message)?;
        self.follow(follow);
        Ok(())
    }

    fn abort(&self) {
        self.handle.act(Action::Abort);
    }

    fn close(&self, frame: Option<(u16, &str)>) {
        self.handle.close(frame);
        self.handle.act(Action::Close);
    }

    fn queued(&self) -> usize {
        self.handle.queued()
    }

    fn buffered_amount(&self) -> usize {
        self.handle.buffered_amount()
    }

    fn schedule(&self, link: Link) {
        self.handle
            .mailbox()
            .submit(Command::Turn(self.handle.generation(), link));
    }

    fn watch_drain(&self, link: Link, mark: usize) {
        if self.handle.watch_drain(mark) {
            link.drained();
        }
    }

    fn resume(&self) {
        self.handle.act(Action::Resume);
    }

    fn detach(&self) {
        self.handle.act(Action::Detach);
    }

    fn set_pings(options: &mut NativeOptions, times: Option<(Duration, Duration)>) -> bool {
        options.set_pings(times);
        true
    }

    fn latency(&self) -> Option<Duration> {
        self.handle.latency()
    }

    fn last_life(&self, is_test: bool) -> Option<Duration> {
        self.handle.last_life(is_test)
    }

    fn sent(&self) -> Traffic {
        self.handle.sent()
    }

    fn now(&self) -> Duration {
        system::now().duration_since(system::clock_base())
    }
}
