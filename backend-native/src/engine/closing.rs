//! The closing machine: how an established connection ends.
//!
//! It is a pure function of a state and an input, and a test has its whole table. Only this
//! machine decides what follows from a Close frame, a failure, the end of the stream or a
//! deadline, and which deadline comes next.

use std::time::{Duration, Instant};

use isosocket_core::CloseEvent;

/// How long the peer may keep TCP open after the closing handshake (S77), and how long a
/// connection that cannot write still reads (S109).
pub(crate) const LINGER: Duration = Duration::from_secs(2);
/// How long a socket without handles waits for its peer if the program set no
/// close timeout (S102).
pub(crate) const ABANDONED: Duration = Duration::from_secs(10);

/// The state of the closing handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// No Close frame was queued or received.
    Open,
    /// Our Close frame is queued or sent.
    ClosedByUs,
    /// The peer's Close frame arrived, and its echo is queued.
    ClosedByPeer,
    /// Both sides have sent a Close frame of their own.
    ClosedByBoth,
    /// Nothing can be written any more. What has arrived is still read (S109).
    Unwritable,
    /// The failure was reported to the program. A Close frame with the reason is on its way to
    /// the peer (S95).
    Failing,
}

/// What happens to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// The program called `close`: the Close frame is queued.
    Close,
    /// A valid Close frame arrived.
    PeerClose,
    /// The peer broke the protocol.
    Violation,
    /// A write failed.
    WriteFailed,
    /// A read failed.
    ReadFailed,
    /// The peer ended TCP.
    EndOfStream,
    /// The deadline passed, and meanwhile the network accepted some bytes.
    ExpiredWithProgress,
    /// The deadline passed, and no byte moved.
    Expired,
}

/// What is to be done about an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Nothing.
    Ignore,
    /// Wait for the peer's answer, for at most the close timeout (S76).
    AwaitAnswer,
    /// Queue the echo of the peer's Close frame (S80, S81), report that the peer
    /// is closing, and wait for the end of TCP (RFC 6455, 7.1.1).
    Echo,
    /// Wait for the end of TCP.
    AwaitEnd,
    /// Report the failure, queue a Close frame that says why, and wait for the
    /// end of TCP.
    Refuse,
    /// Read what has arrived. A full stream does not pause that.
    ReadOut,
    /// End: report how the peer closed, or 1006 if it did not (S71 to S77, S96).
    End,
    /// End: report the failure.
    Fail,
    /// End: everything was reported before.
    Stop,
}

/// The whole machine.
pub(crate) const fn step(state: State, input: Input) -> (State, Decision) {
    use Decision as D;
    use Input as I;
    use State as S;

    match (state, input) {
        // S73: a further `close` does nothing.
        (S::ClosedByUs | S::ClosedByBoth | S::Unwritable | S::Failing, I::Close) => {
            (state, D::Ignore)
        }
        (S::Open, I::Close) => (S::ClosedByUs, D::AwaitAnswer),
        // The echo is queued, and the deadline for the end of TCP is set.
        (S::ClosedByPeer, I::Close) => (S::ClosedByBoth, D::Ignore),

        (S::Open, I::PeerClose) => (S::ClosedByPeer, D::Echo),
        // S78: a socket that has sent its own Close frame does not answer.
        (S::ClosedByUs, I::PeerClose) => (S::ClosedByBoth, D::AwaitEnd),
        // S109: the peer's close counts, although it cannot be answered.
        (S::Unwritable, I::PeerClose) => (S::ClosedByPeer, D::End),
        // S88: what follows the peer's Close frame is not decoded.
        (S::ClosedByPeer | S::ClosedByBoth | S::Failing, I::PeerClose | I::Violation) => {
            (state, D::Ignore)
        }

        (S::Open | S::ClosedByUs, I::Violation) => (S::Failing, D::Refuse),
        (S::Unwritable, I::Violation) => (S::Failing, D::Fail),

        (S::Open | S::ClosedByUs, I::WriteFailed) => (S::Unwritable, D::ReadOut),
        (S::Unwritable, I::WriteFailed) => (S::Unwritable, D::Ignore),

        (S::Open | S::ClosedByUs, I::ReadFailed) => (state, D::Fail),
        // S96: the end of the stream is no error.
        (S::Open | S::ClosedByUs, I::EndOfStream) => (state, D::End),
        (S::Unwritable, I::ReadFailed | I::EndOfStream | I::Expired | I::ExpiredWithProgress) => {
            (state, D::Fail)
        }

        // S87: the closing handshake counts, and not how TCP ends.
        (
            S::ClosedByPeer | S::ClosedByBoth,
            I::WriteFailed | I::ReadFailed | I::EndOfStream | I::Expired | I::ExpiredWithProgress,
        ) => (state, D::End),
        (
            S::Failing,
            I::WriteFailed | I::ReadFailed | I::EndOfStream | I::Expired | I::ExpiredWithProgress,
        ) => (state, D::Stop),

        // An open connection has no closing deadline.
        (S::Open, I::Expired | I::ExpiredWithProgress) => (state, D::Ignore),
        // A slow peer still receives data that was sent before, so it gets more time.
        (S::ClosedByUs, I::ExpiredWithProgress) => (state, D::AwaitAnswer),
        (S::ClosedByUs, I::Expired) => (state, D::End),
    }
}

/// The machine of one connection, with its deadline.
#[derive(Debug)]
pub(crate) struct Closing {
    state: State,
    /// How long the peer may take to answer a Close frame.
    timeout: Option<Duration>,
    deadline: Option<Instant>,
    /// How the peer closed. Boxed, because most connections are open.
    peer_close: Option<Box<CloseEvent>>,
}

impl Closing {
    pub(crate) fn new(timeout: Option<Duration>) -> Self {
        Closing {
            state: State::Open,
            timeout,
            deadline: None,
            peer_close: None,
        }
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether what arrives is still decoded.
    pub(crate) fn decodes(&self) -> bool {
        matches!(
            self.state,
            State::Open | State::ClosedByUs | State::Unwritable
        )
    }

    /// Applies an input, and sets the deadline that follows from it.
    pub(crate) fn step(&mut self, input: Input, now: Instant) -> Decision {
        let (state, decision) = step(self.state, input);
        self.state = state;
        let wait = match decision {
            Decision::AwaitAnswer => self.timeout,
            Decision::Echo | Decision::AwaitEnd | Decision::Refuse | Decision::ReadOut => {
                Some(LINGER)
            }
            _ => return decision,
        };
        // A deadline beyond the clock's range never comes.
        self.deadline = wait.and_then(|wait| now.checked_add(wait));
        decision
    }

    /// The last handle was dropped. The socket must end, even if the program set no close
    /// timeout (S102).
    pub(crate) fn abandon(&mut self, now: Instant) {
        self.timeout.get_or_insert(ABANDONED);
        if self.state == State::ClosedByUs && self.deadline.is_none() {
            self.step(Input::ExpiredWithProgress, now);
        }
    }

    /// Stores how the peer closed.
    pub(crate) fn set_peer_close(&mut self, frame: Option<(u16, String)>) {
        let (code, reason) = frame.unwrap_or((1005, String::new()));
        self.peer_close = Some(Box::new(CloseEvent::new(code, reason, true)));
    }

    /// How the connection ended: as the peer closed it, or with 1006 if it did not.
    pub(crate) fn end(&mut self) -> CloseEvent {
        let peer_close = self.peer_close.take();
        peer_close.map_or_else(CloseEvent::abnormal, |close| *close)
    }
}

#[cfg(test)]
mod tests {
    use super::Decision as D;
    use super::Input as I;
    use super::State as S;
    use super::*;

    const STATES: [State; 6] = [
        S::Open,
        S::ClosedByUs,
        S::ClosedByPeer,
        S::ClosedByBoth,
        S::Unwritable,
        S::Failing,
    ];
    const INPUTS: [Input; 8] = [
        I::Close,
        I::PeerClose,
        I::Violation,
        I::WriteFailed,
        I::ReadFailed,
        I::EndOfStream,
        I::ExpiredWithProgress,
        I::Expired,
    ];

    /// Every state × every input, in the order of `STATES` and `INPUTS`.
    #[test]
    fn the_whole_table() {
        let table = [
            (S::ClosedByUs, D::AwaitAnswer),
            (S::ClosedByPeer, D::Echo),
            (S::Failing, D::Refuse),
            (S::Unwritable, D::ReadOut),
            (S::Open, D::Fail),
            (S::Open, D::End),
            (S::Open, D::Ignore),
            (S::Open, D::Ignore),
            //
            (S::ClosedByUs, D::Ignore),
            (S::ClosedByBoth, D::AwaitEnd),
            (S::Failing, D::Refuse),
            (S::Unwritable, D::ReadOut),
            (S::ClosedByUs, D::Fail),
            (S::ClosedByUs, D::End),
            (S::ClosedByUs, D::AwaitAnswer),
            (S::ClosedByUs, D::End),
            //
            (S::ClosedByBoth, D::Ignore),
            (S::ClosedByPeer, D::Ignore),
            (S::ClosedByPeer, D::Ignore),
            (S::ClosedByPeer, D::End),
            (S::ClosedByPeer, D::End),
            (S::ClosedByPeer, D::End),
            (S::ClosedByPeer, D::End),
            (S::ClosedByPeer, D::End),
            //
            (S::ClosedByBoth, D::Ignore),
            (S::ClosedByBoth, D::Ignore),
            (S::ClosedByBoth, D::Ignore),
            (S::ClosedByBoth, D::End),
            (S::ClosedByBoth, D::End),
            (S::ClosedByBoth, D::End),
            (S::ClosedByBoth, D::End),
            (S::ClosedByBoth, D::End),
            //
            (S::Unwritable, D::Ignore),
            (S::ClosedByPeer, D::End),
            (S::Failing, D::Fail),
            (S::Unwritable, D::Ignore),
            (S::Unwritable, D::Fail),
            (S::Unwritable, D::Fail),
            (S::Unwritable, D::Fail),
            (S::Unwritable, D::Fail),
            //
            (S::Failing, D::Ignore),
            (S::Failing, D::Ignore),
            (S::Failing, D::Ignore),
            (S::Failing, D::Stop),
            (S::Failing, D::Stop),
            (S::Failing, D::Stop),
            (S::Failing, D::Stop),
            (S::Failing, D::Stop),
        ];
        let pairs = STATES
            .into_iter()
            .flat_map(|state| INPUTS.map(|input| (state, input)));
        assert_eq!(table.len(), STATES.len() * INPUTS.len());
        for ((state, input), expected) in pairs.zip(table) {
            assert_eq!(step(state, input), expected, "{state:?} {input:?}");
        }
    }

    #[test]
    fn every_state_but_open_ends_when_time_passes() {
        for state in STATES {
            let (_, decision) = step(state, I::Expired);
            let ends = matches!(decision, D::End | D::Fail | D::Stop);
            assert_eq!(ends, state != S::Open, "{state:?}");
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_slow_peer_gets_the_close_timeout_again_while_bytes_move() {
        let now = Instant::now();
        let mut closing = Closing::new(Some(10 * SECOND));
        assert_eq!(closing.deadline(), None);
        closing.step(I::Close, now);
        assert_eq!(closing.deadline(), Some(now + 10 * SECOND));
        closing.step(I::ExpiredWithProgress, now + 10 * SECOND);
        assert_eq!(closing.deadline(), Some(now + 20 * SECOND));
        assert_eq!(closing.step(I::Expired, now + 20 * SECOND), D::End);
        assert_eq!(closing.end(), CloseEvent::abnormal());
    }

    #[test]
    fn close_after_the_peers_close_does_not_move_the_deadline() {
        let now = Instant::now();
        let mut closing = Closing::new(Some(10 * SECOND));
        closing.step(I::PeerClose, now);
        closing.step(I::Close, now + SECOND);
        assert_eq!(closing.deadline(), Some(now + LINGER));
    }

    #[test]
    fn an_abandoned_socket_has_a_deadline_without_a_close_timeout() {
        let now = Instant::now();
        // Closed before it was abandoned, and the other way round.
        for closed_first in [true, false] {
            let mut closing = Closing::new(None);
            if closed_first {
                closing.step(I::Close, now);
                assert_eq!(closing.deadline(), None);
                closing.abandon(now);
            } else {
                closing.abandon(now);
                closing.step(I::Close, now);
            }
            assert_eq!(closing.deadline(), Some(now + ABANDONED));
            // The deadline stays when the peer takes some of the data.
            let later = now + ABANDONED;
            closing.step(I::ExpiredWithProgress, later);
            assert_eq!(closing.deadline(), Some(later + ABANDONED));
        }
    }

    #[test]
    fn who_is_abandoned_while_closing_gets_no_more_time() {
        let now = Instant::now();
        let mut closing = Closing::new(Some(10 * SECOND));
        closing.step(I::Close, now);
        closing.abandon(now + 5 * SECOND);
        assert_eq!(closing.deadline(), Some(now + 10 * SECOND));
    }

    /// S88, S60, S109.
    #[test]
    fn nothing_is_decoded_after_a_close_frame_or_a_violation() {
        let decodes = |inputs: &[Input]| {
            let mut closing = Closing::new(None);
            for input in inputs {
                closing.step(*input, Instant::now());
            }
            closing.decodes()
        };
        assert!(decodes(&[]) && decodes(&[I::Close]) && decodes(&[I::WriteFailed]));
        assert!(!decodes(&[I::PeerClose]) && !decodes(&[I::Violation]));
        assert!(!decodes(&[I::Close, I::PeerClose]));
    }

    #[test]
    fn a_deadline_beyond_the_clock_never_comes() {
        let mut closing = Closing::new(Some(Duration::MAX));
        closing.step(I::Close, Instant::now());
        assert_eq!(closing.deadline(), None);
    }
}
