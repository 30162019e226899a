//! Where the session's facts go: to the socket's turn and to its handle. It also measures how
//! long the program's handlers take, so that a visit ends in time (S110).

use std::time::{Duration, Instant};

use isosocket_core::{Binary, DirectTurn, Message, Report, Turn, logging};

use crate::Native;
use crate::engine::session::{ControlFrame, Facts};
use crate::handle::Handle;
use crate::system;
use crate::wire::decoder::Flow;

/// How long one visit may deliver messages to the program. Then other sockets have their
/// turn.
const TIME_BUDGET: Duration = Duration::from_millis(1);
/// A handler that takes longer than this delays every other socket of its loop.
const SLOW: Duration = Duration::from_millis(50);

/// Passes the session's facts to the socket's turn and to its handle.
pub(super) struct TurnFacts<'a> {
    pub(super) handle: &'a Handle,
    turn: DirectTurn<'a, Native>,
    pub(super) pacer: Pacer,
    /// A control frame was queued.
    pub(super) queued: bool,
}

impl<'a> TurnFacts<'a> {
    pub(super) fn new(handle: &'a Handle, turn: Option<&'a mut Turn>) -> Self {
        TurnFacts {
            handle,
            turn: DirectTurn::new(turn),
            pacer: Pacer::new(),
            queued: false,
        }
    }

    /// Whether a stream of the program holds more than its limit.
    pub(super) fn is_backlogged(&mut self, limit: usize) -> bool {
        self.turn.is_backlogged(limit)
    }

    /// Logs a warning if a handler has delayed all other sockets.
    pub(super) fn report_slow(&self) {
        let took = self.pacer.took();
        if took <= SLOW {
            return;
        }
        let milliseconds = took.as_millis();
        // Without the query, which may hold a token.
        let url = self.turn.url();
        let url = url.split('?').next().unwrap_or_default();
        logging(|| {
            log::warn!(
                "a handler of a socket ran for about {milliseconds} ms; meanwhile its \
                 event loop served no other socket: {url}"
            );
        });
    }
}

impl Facts for TurnFacts<'_> {
    #[inline(always)]
    fn message(&mut self, message: Message) -> Flow {
        self.turn.message(message);
        self.pacer.after_message()
    }

    #[inline(always)]
    fn binary(&mut self, write: impl FnOnce(&mut Binary)) -> Flow {
        self.turn.binary(write);
        self.pacer.after_message()
    }

    fn report(&mut self, report: Report) {
        self.turn.report(report);
    }

    fn queue(&mut self, frame: ControlFrame<'_>) {
        self.handle.queue_control(frame);
        self.queued = true;
    }

    fn round_trip(&mut self, time: Duration) {
        self.handle.set_latency(time);
    }
}

/// Measures how long a visit takes. It reads the clock after each message if handlers are
/// slow, and only once in many messages if they are fast.
pub(super) struct Pacer {
    /// The first time that was read. That is after the first system call.
    began: Option<Instant>,
    last: Option<Instant>,
    /// `left`: messages until it reads the clock again. `interval`: messages between two
    /// readings.
    left: u32,
    interval: u32,
}

impl Pacer {
    /// It reads the clock at least once in so many messages.
    const MOST: u32 = 256;

    fn new() -> Self {
        Pacer {
            began: None,
            last: None,
            left: 1,
            interval: 1,
        }
    }

    /// Reads the clock.
    pub(super) fn now(&mut self) -> Instant {
        let now = system::now();
        self.began.get_or_insert(now);
        self.last = Some(now);
        now
    }

    /// How long the visit took, as far as it is known.
    fn took(&self) -> Duration {
        match (self.began, self.last) {
            (Some(began), Some(last)) => last.duration_since(began),
            _ => Duration::ZERO,
        }
    }

    pub(super) fn is_over(&mut self) -> bool {
        self.now();
        self.took() > TIME_BUDGET
    }

    #[inline(always)]
    fn after_message(&mut self) -> Flow {
        self.left -= 1;
        match self.left {
            0 => self.check(),
            _ => Flow::GoOn,
        }
    }

    #[inline(never)]
    fn check(&mut self) -> Flow {
        if self.is_over() {
            self.left = 1;
            self.interval = 1;
            return Flow::Stop;
        }
        self.interval = (self.interval * 2).min(Pacer::MOST);
        self.left = self.interval;
        Flow::GoOn
    }
}
