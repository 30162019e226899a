//! What a program can ask of a socket that connects again, and of no other.

use std::sync::Arc;
use std::time::Duration;

use super::attempt;
use super::state::Phase;
use super::status::course::StatusQueue;
use super::status::listeners::boxed;
use super::{Reconnect, Status, Statuses};
use crate::{Binding, Host, MaybeSend, Transport, WebSocket};

/// The methods that only reconnecting sockets have.
///
/// The ready state is `Connecting` while there is no connection and another one will be
/// made. There is one `Open` event for each connection, and one `Close` event at the end,
/// when no other connection will be made.
impl<T: Transport> WebSocket<Reconnect<T>> {
    /// What the socket is doing now.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").accept();
    /// use isosocket::{Reconnecting, Status};
    ///
    /// let socket = Reconnecting::new("ws://peer/")?;
    /// assert_eq!(socket.status(), Status::Connecting { attempt: 1 });
    /// # network.run();
    /// # assert_eq!(socket.status(), Status::Open);
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    pub fn status(&self) -> Status {
        self.reconnect().state().course.status().clone()
    }

    /// How long it takes until the next attempt starts, for a countdown: from the whole
    /// `delay` of [`Status::Waiting`] down to zero. `None` when the socket is not waiting.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").refuse("no");
    /// use isosocket::{Reconnecting, Retry};
    ///
    /// let socket = Reconnecting::builder("ws://peer/")
    ///     .retry(|_| Retry::After(Duration::from_secs(8)))
    ///     .connect()?;
    /// # network.run();
    /// # network.advance(Duration::from_millis(2500));
    /// // Once a frame, or once a second:
    /// if let Some(left) = socket.time_left() {
    ///     println!("again in {} s", left.as_secs_f64().ceil()); // again in 6 s
    /// }
    /// # assert_eq!(socket.time_left(), Some(Duration::from_millis(5500)));
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    ///
    /// ## Platform-specific
    /// - **Web:** counted by the page's date, which the user may change.
    /// - **Transports of your own:** `None` if their host does not implement
    ///   [`Host::time_left`].
    pub fn time_left(&self) -> Option<Duration> {
        let state = self.reconnect().state();
        match (&state.phase, state.course.status()) {
            (Phase::Waiting(wait), Status::Waiting { delay, .. }) => {
                // A date that was put back must not make it longer.
                wait.time_left().map(|left| left.min(*delay))
            }
            _ => None,
        }
    }

    /// The statuses as a stream, from the present one on.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").accept();
    /// # network.block_on(async {
    /// use isosocket::{Reconnecting, Status};
    ///
    /// let socket = Reconnecting::new("ws://peer/")?;
    /// let mut statuses = socket.statuses();
    /// assert_eq!(statuses.next().await, Some(Status::Connecting { attempt: 1 }));
    /// assert_eq!(statuses.next().await, Some(Status::Open));
    /// # Ok::<(), isosocket::NewError>(())
    /// # }).unwrap();
    /// ```
    pub fn statuses(&self) -> Statuses {
        let reconnect = self.reconnect();
        let host = reconnect.host.clone();
        let soon = Box::new(move |queue: Arc<StatusQueue>| host.soon(move || queue.announce()));
        let queue = reconnect.state().course.stream();
        reconnect.host.attend();
        Statuses::new(queue, self.downgrade(), soon)
    }

    /// Calls `handler` for each [`Status`] from the next one on. Handlers for
    /// statuses and for events run one at a time.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").accept();
    /// use isosocket::{Reconnecting, Status};
    ///
    /// let socket = Reconnecting::new("ws://peer/")?;
    /// let binding = socket.on_status(|socket, status| {
    ///     if let Status::Waiting { delay, .. } = status {
    ///         println!("{}: again in {delay:?}", socket.url());
    ///     }
    /// });
    /// # network.run();
    /// binding.unbind();
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    pub fn on_status<F>(&self, handler: F) -> Binding
    where
        F: FnMut(&Self, &Status) + MaybeSend + 'static,
    {
        let reconnect = self.reconnect();
        let listeners = &reconnect.hooks.listeners;
        let live = listeners.bind(boxed(handler));
        reconnect.host.attend();
        // Whoever reports the last status looks for handlers after that, so one of the two
        // drops this one.
        let has_ended = reconnect.state().course.has_ended();
        if let Some(listeners) = listeners.get().filter(|_| has_ended) {
            listeners.end();
        }
        let socket = self.owner();
        Binding { live, socket }
    }

    /// Ends the wait for the next attempt, and connects soon: for a button, or
    /// for a page that is online again. Does nothing unless it is
    /// [waiting](Status::Waiting). The attempt counts like any other.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").refuse("no");
    /// # network.peer("ws://peer/").accept();
    /// use isosocket::{Reconnecting, Status};
    ///
    /// let socket = Reconnecting::new("ws://peer/")?;
    /// # network.run();
    /// assert!(matches!(socket.status(), Status::Waiting { .. }));
    /// socket.retry_now();
    /// # network.run();
    /// # assert_eq!((socket.status(), network.now()), (Status::Open, Default::default()));
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    pub fn retry_now(&self) {
        let reconnect = self.reconnect();
        let (socket, serial) = match &*reconnect.state() {
            state if matches!(state.phase, Phase::Waiting(_)) => {
                (state.socket(), reconnect.serial())
            }
            _ => return,
        };
        if let Some(socket) = socket {
            let retry = move || attempt::retry(&socket, serial);
            reconnect.host.soon(retry);
        }
    }

    fn reconnect(&self) -> &Reconnect<T> {
        self.shared().carrier.transport()
    }
}
