//! The builder's methods for heartbeats, and what a socket reports about them.

use std::time::Duration;

use super::beat::Rule;
use super::listener::Watch;
use super::options::Heartbeat;
use crate::delivery::{Interest, Letter, Slot, use_first};
use crate::{Builder, Configure, Event, Transport, WebSocket};

impl<T: Transport> Builder<T> {
    /// Has the socket ask its peer at intervals whether it is alive. If nothing at all
    /// comes within the timeout, the connection is lost: `Error`, and `Close` with 1006.
    /// A socket that reconnects makes another one. `None` turns it off.
    ///
    /// Any byte that arrives and any byte that the network accepts is a sign of life.
    /// There is no heartbeat before the socket is open, and none when it is closing. If a timer is
    /// late, for example in a hidden page, the peer is asked again before it counts as dead.
    ///
    /// Off by default; a [`Reconnecting`](crate::Reconnect) socket has pings natively,
    /// with 30 s and 15 s.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").expect("ping").hang();
    /// use std::time::Duration;
    /// use isosocket::{Heartbeat, WebSocket};
    ///
    /// let heartbeat = Heartbeat::new(Duration::from_secs(30), Duration::from_secs(15));
    /// let socket = WebSocket::builder("ws://peer/")
    ///     .heartbeat(heartbeat.message("ping").answer("pong"))
    ///     .on_error(|_, error| println!("{error:#}")) // .. did not answer the heartbeat ..
    ///     .connect()?;
    /// # network.advance(Duration::from_secs(45));
    /// # assert_eq!(socket.ready_state(), isosocket::ReadyState::Closed);
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    ///
    /// # Errors
    /// `connect` returns [`NewError::OptionNotSupported`](crate::NewError::OptionNotSupported) for
    /// a heartbeat without a message on a target that has no pings, and
    /// [`NewError::Option`](crate::NewError::Option) for a time of zero.
    ///
    /// ## Platform-specific
    /// - **Native:** without a message it sends pings, and only after a silence of
    ///   `interval`.
    /// - **Web:** browsers send no pings, and show only whole messages. So it needs a
    ///   message, which the server answers.
    #[doc(alias = "keep_alive")]
    #[doc(alias = "ping")]
    pub fn heartbeat(mut self, heartbeat: impl Into<Option<Heartbeat>>) -> Self {
        self.remove(Interest::Heartbeat);
        let heartbeat = heartbeat.into();
        let Some(heartbeat) = heartbeat else {
            T::set_pings(self.native_mut(), None);
            return self;
        };
        let Heartbeat {
            interval,
            timeout,
            message,
            answer,
            delivers_answers,
        } = heartbeat;
        if interval.is_zero() || timeout.is_zero() {
            return self.refuse(Interest::ZeroTime);
        }
        let by_pings = message.is_none();
        let pings = by_pings.then_some((interval, timeout));
        let has_pings = T::set_pings(self.native_mut(), pings);
        if by_pings {
            return match has_pings {
                true => self,
                false => self.refuse(Interest::NoPings),
            };
        }
        let rule = Rule::Ask { interval, timeout };
        let watch = Watch::<T>::new(rule, message, answer, delivers_answers);
        self.add(Interest::Heartbeat, watch)
    }

    /// How long the peer may be silent. If no message comes for so long, the connection is
    /// lost: `Error`, and `Close` with 1006. A socket that reconnects makes another one.
    /// Nothing is sent. Default: `None`, no limit.
    ///
    /// This suits servers that send regularly. Natively, any byte that arrives and any
    /// byte that the network accepts counts.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").send("tick").hang();
    /// use std::time::Duration;
    /// use isosocket::WebSocket;
    ///
    /// // The server sends the time, once per second.
    /// let socket = WebSocket::builder("ws://peer/")
    ///     .idle_timeout(Duration::from_secs(5))
    ///     .on_error(|_, error| println!("{error:#}")) // .. silent for 5s
    ///     .connect()?;
    /// # network.advance(Duration::from_secs(5));
    /// # assert_eq!(socket.ready_state(), isosocket::ReadyState::Closed);
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    ///
    /// # Errors
    /// `connect` returns [`NewError::Option`](crate::NewError::Option) for a time of zero.
    pub fn idle_timeout(mut self, time: impl Into<Option<Duration>>) -> Self {
        self.remove(Interest::IdleTimeout);
        match time.into() {
            None => self,
            Some(Duration::ZERO) => self.refuse(Interest::ZeroTime),
            Some(time) => {
                let watch = Watch::<T>::new(Rule::Silence(time), None, None, false);
                self.add(Interest::IdleTimeout, watch)
            }
        }
    }

    fn add(mut self, interest: Interest, watch: Watch<T>) -> Self {
        use_first();
        let slot = Slot::new(interest, None, Box::new(watch));
        self.handlers.push(Letter::Handler(slot));
        self
    }

    /// Makes `connect` return an error.
    fn refuse(mut self, why: Interest) -> Self {
        use_first();
        let nobody = Box::new(|_: &WebSocket<T>, _: &Event| {});
        self.handlers
            .push(Letter::Handler(Slot::new(why, None, nobody)));
        self
    }

    /// Removes what an earlier call added.
    fn remove(&mut self, interest: Interest) {
        self.handlers.retain(|letter| match letter {
            Letter::Handler(slot) => slot.interest() != interest,
            Letter::Streams(_) => true,
        });
    }
}

impl<T: Transport> WebSocket<T> {
    /// The last round trip that the heartbeat measured: from its question to the answer.
    /// `None` before the first answer, and without a heartbeat.
    ///
    /// Natively a heartbeat by pings measures, too. With a message, only a recognised
    /// answer counts (see [`Heartbeat::answer`]).
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").expect("?").delay(std::time::Duration::from_millis(7)).send("!");
    /// use std::time::Duration;
    /// use isosocket::{Heartbeat, WebSocket};
    ///
    /// let heartbeat = Heartbeat::new(Duration::from_secs(30), Duration::from_secs(15));
    /// let heartbeat = heartbeat.message("?").answer("!");
    /// let socket = WebSocket::builder("ws://peer/").heartbeat(heartbeat).connect()?;
    /// assert_eq!(socket.latency(), None);
    /// # network.advance(Duration::from_secs(31));
    /// // .. half a minute later:
    /// assert_eq!(socket.latency(), Some(Duration::from_millis(7)));
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    #[doc(alias = "ping")]
    #[doc(alias = "rtt")]
    pub fn latency(&self) -> Option<Duration> {
        let shared = self.shared();
        shared.latency().or_else(|| shared.carrier.latency())
    }
}
