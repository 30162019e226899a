//! The shared thread: it serves all sockets that belong to no other loop.
//!
//! The first such socket starts it. It ends after the last one, and sleeps while there is
//! nothing to do.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
#[cfg(not(isosocket_loom))]
use std::sync::OnceLock;

use crate::system::{Poll, Waker};
use isosocket_core::{drop_guarded, logging};

use super::current::Driving;
use super::fork;
use super::mailbox::Mailbox;
use super::reactor::{self, Reactor};
use crate::handle::free_spares;
use crate::sync::thread;

/// The thread's name.
pub(super) const NAME: &str = "isosocket";

/// The shared thread's mailbox, which exists whether or not the thread runs.
#[cfg(not(isosocket_loom))]
pub(crate) fn mailbox() -> &'static Arc<Mailbox> {
    static MAILBOX: OnceLock<Arc<Mailbox>> = OnceLock::new();
    MAILBOX.get_or_init(|| Arc::new(Mailbox::shared()))
}

#[cfg(isosocket_loom)]
pub(crate) use modelled::mailbox;

/// A model has one for each run. All of its threads are one thread of the system.
#[cfg(isosocket_loom)]
pub(crate) mod modelled {
    use super::{Arc, Mailbox};

    std::thread_local! {
        static MAILBOX: std::cell::Cell<Option<&'static Arc<Mailbox>>> =
            const { std::cell::Cell::new(None) };
    }

    pub(crate) fn mailbox() -> &'static Arc<Mailbox> {
        MAILBOX.get().expect("the run has begun")
    }

    /// Begins a run of a model.
    pub fn begin_run() {
        MAILBOX.set(Some(Box::leak(Box::new(Arc::new(Mailbox::shared())))));
    }
}

/// Starts the thread. Called with the mailbox locked, so it waits for the caller.
pub(super) fn start() -> io::Result<Arc<Waker>> {
    fork::watch();
    let (poll, waker) = reactor::poll()?;
    let started = thread::Builder::new()
        .name(NAME.to_owned())
        .spawn(move || serve(poll));
    match started {
        Ok(_) => Ok(waker),
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {
            let message = "there are no threads here; make the socket inside `isosocket::run`, or \
                           while an `EventLoop` is entered";
            Err(io::Error::new(error.kind(), message))
        }
        Err(error) => Err(error),
    }
}

fn serve(poll: Poll) {
    let mailbox = mailbox();
    let _driving = Driving::new(mailbox);
    let mut reactor = Reactor::new(poll, mailbox.clone());
    let served = catch_unwind(AssertUnwindSafe(|| {
        while !(reactor.is_empty() && mailbox.try_end()) {
            reactor.turn(None);
        }
        free_spares();
    }));
    if let Err(payload) = served {
        // A second line of defence: all code of the program is guarded already.
        drop_guarded("the event loop", payload);
        logging(|| log::error!("the event loop panicked; its sockets fail"));
        let undone = reactor.undone();
        drop_guarded("the event loop", reactor);
        mailbox.thread_is_gone(undone);
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    use isosocket_core::{EventKind, WebSocket};

    use super::super::mailbox::Command;
    use super::*;
    use crate::Native;

    const LIMIT: Duration = Duration::from_secs(60);

    /// A socket that stays connecting, and how it fails.
    fn connecting(listener: &TcpListener) -> (WebSocket<Native>, Receiver<String>) {
        let url = format!("ws://{}/", listener.local_addr().unwrap());
        let socket = WebSocket::<Native>::new(&*url).unwrap();
        let (sender, failures) = channel();
        socket.bind(EventKind::Error, move |_, event| {
            sender.send(format!("{event:?}")).unwrap();
        });
        (socket, failures)
    }

    #[test]
    fn when_the_thread_ends_its_sockets_fail_and_new_ones_work() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (_socket, failures) = connecting(&listener);
        let _accepted = listener.accept().unwrap();
        let pending = mailbox().call_at(
            std::time::Instant::now(),
            super::super::mailbox::Call::new(|| {}),
        );
        mailbox().submit(Command::Panic);
        let failure = failures.recv_timeout(LIMIT).unwrap();
        assert!(
            failure.contains("event loop that served this socket has ended"),
            "{failure}"
        );
        drop(pending);
        // Another thread serves the next one.
        let (_next, failures) = connecting(&listener);
        drop(listener.accept().unwrap());
        // By a FIN or, if the request had arrived, by a reset.
        let failure = failures.recv_timeout(LIMIT).unwrap();
        assert!(!failure.contains("has ended"), "{failure}");
    }
}
