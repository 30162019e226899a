//! The state of a socket that connects again: its phase, and the number of its attempt.
//!
//! Invariant: the program's functions run outside its lock.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use super::queue::Queue;
use super::status::course::Course;
use super::{Connection, Loss, NextAttempt, Outer, Reconnect};
use crate::base::sync::MutexGuard;
use crate::base::sync::atomic::Ordering;
use crate::socket::carrier::{Carrier, HostOf, supported};
use crate::{Host, NewError, Request, Subscription, Transport};

type Timer<T> = <HostOf<T> as Host>::Timer;

/// What the lock of a [`Reconnect`](super::Reconnect) protects.
pub(crate) struct State<T: Transport> {
    pub(crate) phase: Phase<T>,
    /// Dropped at the end, so that nothing leaks.
    pub(super) socket: Option<Outer<T>>,
    /// Which attempt in a row this is. 0 if the connection was open for the minimum uptime.
    pub(crate) attempt: u32,
    /// How many of them were not the first.
    pub(crate) retries: u32,
    pub(crate) queue: Queue,
    pub(crate) course: Course,
    /// How the last connection ended, for the program's function.
    pub(crate) loss: Option<Loss>,
    /// Until there was a first connection, the time that it may take.
    pub(crate) opening: Option<Wait<T>>,
    /// Dropped at the end.
    pub(super) waking: Subscription,
}

pub(crate) enum Phase<T: Transport> {
    /// There is a connection, which is not established. After waking up there is a timer, when
    /// the attempt starts again.
    Connecting(Connection<T>, Option<Wait<T>>),
    /// There is an established connection. Until the minimum uptime has passed there is a timer.
    Open(Connection<T>, Option<Wait<T>>),
    /// There is no connection. The program is asked for the URL. The timer ends that.
    Asking(Option<Wait<T>>),
    /// There is no connection. The hook is asked what to do. `closed` is whether the program has
    /// closed the socket meanwhile.
    Deciding { closed: bool },
    /// There is no connection. The timer begins the next attempt.
    Waiting(Wait<T>),
    /// The program has closed the socket, and the connection ends.
    Closing(Connection<T>),
    /// There will be no connection any more. The last one still knows its buffered amount.
    Ended(Option<Connection<T>>),
}

impl<T: Transport> State<T> {
    /// The socket, until its end.
    pub(crate) fn socket(&self) -> Option<Outer<T>> {
        self.socket.clone()
    }
}

/// A timer. Dropping it cancels what was to happen.
pub(crate) struct Wait<T: Transport>(Timer<T>);

impl<T: Transport> fmt::Debug for Wait<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wait")
    }
}

impl<T: Transport> Wait<T> {
    pub(crate) fn new(timer: Timer<T>) -> Self {
        Wait(timer)
    }

    pub(crate) fn time_left(&self) -> Option<Duration> {
        HostOf::<T>::time_left(&self.0)
    }
}

impl<T: Transport> Phase<T> {
    pub(crate) fn connection(&self) -> Option<&Connection<T>> {
        match self {
            Phase::Connecting(connection, _)
            | Phase::Open(connection, _)
            | Phase::Closing(connection) => Some(connection),
            Phase::Ended(connection) => connection.as_ref(),
            Phase::Asking(_) | Phase::Deciding { .. } | Phase::Waiting(_) => None,
        }
    }
}

impl<T: Transport> Reconnect<T> {
    pub(crate) fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock()
    }

    /// Whether the attempt or wait with this number is still the current one.
    pub(crate) fn is_current(&self, serial: u64) -> bool {
        self.serial.load(Ordering::Acquire) == serial
    }

    pub(crate) fn serial(&self) -> u64 {
        self.serial.load(Ordering::Acquire)
    }

    /// Begins another attempt or wait: returns its number. Called with the state locked.
    pub(crate) fn next_serial(&self) -> u64 {
        self.serial.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Calls `f` with the present connection, if there is one. Only backends call this,
    /// for what only their sockets have.
    #[doc(hidden)]
    pub fn with_connection<R>(&self, f: impl FnOnce(&T) -> R) -> Option<R> {
        let connection = self.state().phase.connection().cloned()?;
        connection.real().map(f)
    }

    /// Makes a connection to this URL, without starting it.
    pub(crate) fn connection_to(&self, url: &str) -> Result<Connection<T>, NewError> {
        self.connection_for(self.next_attempt(url.to_owned()))
    }

    /// The same for an attempt that the program has prepared.
    pub(crate) fn connection_for(&self, next: NextAttempt<T>) -> Result<Connection<T>, NewError> {
        let NextAttempt {
            url, asked, native, ..
        } = next;
        let request = Request::new(&url, asked, self.options.clone(), native)?;
        Ok(new_connection(request)?.0)
    }

    /// An attempt as the builder describes it.
    pub(crate) fn next_attempt(&self, url: String) -> NextAttempt<T> {
        NextAttempt {
            number: 0,
            loss: None,
            url,
            asked: self.subprotocols.asked(),
            native: self.native.lock().clone(),
            failure: None,
        }
    }

    /// Drops the future that was asked, outside the lock of the state.
    pub(super) fn stop_asking(&self) {
        drop(self.asking.with(Option::take));
    }

    /// The same, if it was asked for the attempt with this number.
    pub(super) fn stop_asking_for(&self, serial: u64) {
        let asking = self
            .asking
            .with(|slot| slot.take_if(|asking| asking.0 == serial));
        drop(asking);
    }

    /// Drops the socket and the program's functions, at the end.
    pub(crate) fn release(&self) {
        let parts = {
            let mut state = self.state();
            let waking = mem::take(&mut state.waking);
            (state.socket.take(), state.opening.take(), waking)
        };
        drop(parts);
        drop(self.hooks.decide.with(Option::take));
        drop(self.hooks.provide.with(Option::take));
    }
}

/// A connection that is not started, and the serialized URL.
pub(super) fn new_connection<T: Transport>(
    request: Request<T::Options>,
) -> Result<(Connection<T>, String), NewError> {
    if !supported::<T>() {
        return Err(NewError::NotSupported);
    }
    let (carrier, url) = Carrier::new(request)?;
    Ok((Arc::new(carrier), url))
}
