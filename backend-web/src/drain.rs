//! Waits until the buffered amount falls. JavaScript has no event for that. So, only while
//! somebody waits, a timer reads the amount, and so does every event of the socket.
//!
//! The timers of a worker of our own would not be slowed down in a hidden tab. But it would
//! need a script that a page's policy may forbid, and a thread on each page, and it would
//! undo what browsers do on purpose.
//!
//! Invariant: when nobody waits any more, no new timer starts. The current one still fires,
//! within 16 ms.

use std::rc::Rc;

use isosocket_core::Rare;

use crate::connection::Connection;
use crate::timer::Timer;

/// Milliseconds between looks: the first, and the longest.
const FIRST: f64 = 1.0;
const LONGEST: f64 = 16.0;

/// One wait, shared by all who wait at the same time.
pub(crate) struct Drain {
    /// The highest mark that was asked for. Who asked for a lower one is woken
    /// too, and asks again.
    mark: usize,
    delay: f64,
    /// `None` where the connection itself says when less is buffered.
    _timer: Option<Timer>,
}

isosocket_core::feature!(Drain);

impl Drain {
    pub(crate) fn begin(connection: &Rc<Connection>, mark: usize) -> Self {
        Drain::wait(connection, mark, FIRST)
    }

    pub(crate) fn join(&mut self, mark: usize) {
        self.mark = self.mark.max(mark);
    }

    fn wait(connection: &Rc<Connection>, mark: usize, delay: f64) -> Self {
        // Weak: the connection owns the timer.
        let weak = Rc::downgrade(connection);
        connection.draining.set(true);
        let look = move || {
            if let Some(connection) = weak.upgrade() {
                look(&connection);
            }
        };
        Drain {
            mark,
            delay,
            _timer: connection.polls().then(|| Timer::after(delay, look)),
        }
    }
}

/// Reads the amount because an event came. Hosts delay the timers of a hidden tab, but not
/// its events.
#[cold]
pub(crate) fn glance(connection: &Rc<Connection>) {
    let mark = connection.with(|live| live.drain.as_ref().map(|drain| drain.mark));
    let amount = connection.buffered_amount();
    if mark.flatten().is_some_and(|mark| amount <= mark) {
        take(connection);
        if let Some(link) = connection.link() {
            link.drained();
        }
    }
}

fn take(connection: &Rc<Connection>) -> Option<Drain> {
    connection.draining.set(false);
    connection.with(|live| live.drain.take()).flatten()
}

fn look(connection: &Rc<Connection>) {
    let Some(drain) = take(connection) else {
        return;
    };
    // Whoever comes after this look begins another wait.
    if !connection.link().is_some_and(|link| link.is_awaited()) {
        return;
    }
    if connection.buffered_amount() > drain.mark {
        let delay = LONGEST.min(drain.delay * 2.0);
        let next = Drain::wait(connection, drain.mark, delay);
        connection.with(|live| live.drain = Rare::new(next));
    } else if let Some(link) = connection.link() {
        link.drained();
    }
}
