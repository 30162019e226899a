//! The state machine: which report or call leads to which state and events.
//!
//! It is a pure function of the ready state, and the only place where the
//! order of events is decided. [`socket`](crate::socket) carries its decisions
//! out.

/// The four states of a WebSocket, numbered as in the WHATWG standard.
///
/// ```
/// use isosocket_core::ReadyState;
///
/// assert_eq!(ReadyState::Connecting as u8, 0);
/// assert_eq!(ReadyState::Closed as u8, 3);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ReadyState {
    /// The connection is not yet established.
    Connecting = 0,
    /// The connection is established and messages can be sent.
    Open = 1,
    /// The closing handshake is under way, or `close` was called while connecting.
    Closing = 2,
    /// The connection is closed or could not be established.
    Closed = 3,
}

impl ReadyState {
    pub(crate) const fn from_u8(number: u8) -> Self {
        match number {
            0 => ReadyState::Connecting,
            1 => ReadyState::Open,
            2 => ReadyState::Closing,
            _ => ReadyState::Closed,
        }
    }
}

/// What moves the machine: a backend's report or a program's call, without
/// their data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// The opening handshake is complete.
    Established,
    /// A complete message arrived.
    Message,
    /// The peer began the closing handshake.
    PeerClosing,
    /// The connection failed.
    Failed,
    /// The connection is closed.
    Closed,
    /// The connection is lost, or was not established, and another will be made.
    Lost,
    /// The program called `close`.
    Close,
}

impl Input {
    const ALL: [Input; Input::COUNT] = [
        Input::Established,
        Input::Message,
        Input::PeerClosing,
        Input::Failed,
        Input::Closed,
        Input::Lost,
        Input::Close,
    ];
    const COUNT: usize = 7;
}

/// What is to be done about an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Nothing: the program must not see it.
    Ignore,
    /// Deliver `Open`.
    DeliverOpen,
    /// Deliver the `Message`.
    DeliverMessage,
    /// Deliver the `Close`.
    DeliverClose,
    /// FAIL: deliver `Error`, then `Close(1006, "", not clean)`.
    Fail,
    /// Have the transport give up the opening handshake.
    AbortHandshake,
    /// Have the transport start the closing handshake.
    StartClosing,
}

/// The machine as a table, which is smaller than its code wherever the input varies.
static STEPS: [[(ReadyState, Decision); Input::COUNT]; 4] = {
    let mut steps = [[(ReadyState::Closed, Decision::Ignore); Input::COUNT]; 4];
    let mut state = 0;
    while state < 4 {
        let mut input = 0;
        while input < Input::COUNT {
            let from = ReadyState::from_u8(state as u8);
            steps[state][input] = step(from, Input::ALL[input]);
            input += 1;
        }
        state += 1;
    }
    steps
};

/// The same as [`step`].
pub(crate) fn look_up(state: ReadyState, input: Input) -> (ReadyState, Decision) {
    STEPS[state as usize][input as usize]
}

/// The whole machine.
pub(crate) const fn step(state: ReadyState, input: Input) -> (ReadyState, Decision) {
    use Decision as D;
    use Input as I;
    use ReadyState::{Closed, Closing, Connecting, Open};

    match (state, input) {
        // S23. If the program closed while connecting, the handshake no longer counts (S68).
        (Connecting, I::Established) => (Open, D::DeliverOpen),
        (state, I::Established) => (state, D::Ignore),

        // S55, S60: only while open.
        (Open, I::Message) => (Open, D::DeliverMessage),
        (state, I::Message) => (state, D::Ignore),

        (Open, I::PeerClosing) => (Closing, D::Ignore),
        (state, I::PeerClosing) => (state, D::Ignore),

        // For a socket that reconnects: no event reports that a connection is lost.
        (Connecting | Open, I::Lost) => (Connecting, D::Ignore),
        (state, I::Lost) => (state, D::Ignore),

        // S97: exactly one `Close`, and nothing after it.
        (Closed, _) => (Closed, D::Ignore),

        // S34: the state is Closed before the `Error` is seen.
        (_, I::Failed) => (Closed, D::Fail),

        // A connection that ends before it was established has failed.
        (Connecting, I::Closed) => (Closed, D::Fail),
        (_, I::Closed) => (Closed, D::DeliverClose),

        // WHATWG close(), step 3.
        (Connecting, I::Close) => (Closing, D::AbortHandshake),
        (Open, I::Close) => (Closing, D::StartClosing),
        (Closing, I::Close) => (Closing, D::Ignore), // S73
    }
}

#[cfg(test)]
mod tests {
    use super::Decision as D;
    use super::Input as I;
    use super::ReadyState::*;
    use super::*;

    /// Every state × every input.
    #[test]
    fn the_whole_table() {
        let table = [
            (Connecting, I::Established, Open, D::DeliverOpen),
            (Connecting, I::Message, Connecting, D::Ignore),
            (Connecting, I::PeerClosing, Connecting, D::Ignore),
            (Connecting, I::Failed, Closed, D::Fail),
            (Connecting, I::Closed, Closed, D::Fail),
            (Connecting, I::Lost, Connecting, D::Ignore),
            (Connecting, I::Close, Closing, D::AbortHandshake),
            (Open, I::Established, Open, D::Ignore),
            (Open, I::Message, Open, D::DeliverMessage),
            (Open, I::PeerClosing, Closing, D::Ignore),
            (Open, I::Failed, Closed, D::Fail),
            (Open, I::Closed, Closed, D::DeliverClose),
            (Open, I::Lost, Connecting, D::Ignore),
            (Open, I::Close, Closing, D::StartClosing),
            (Closing, I::Established, Closing, D::Ignore),
            (Closing, I::Message, Closing, D::Ignore),
            (Closing, I::PeerClosing, Closing, D::Ignore),
            (Closing, I::Failed, Closed, D::Fail),
            (Closing, I::Closed, Closed, D::DeliverClose),
            (Closing, I::Lost, Closing, D::Ignore),
            (Closing, I::Close, Closing, D::Ignore),
            (Closed, I::Established, Closed, D::Ignore),
            (Closed, I::Message, Closed, D::Ignore),
            (Closed, I::PeerClosing, Closed, D::Ignore),
            (Closed, I::Failed, Closed, D::Ignore),
            (Closed, I::Closed, Closed, D::Ignore),
            (Closed, I::Lost, Closed, D::Ignore),
            (Closed, I::Close, Closed, D::Ignore),
        ];
        for (state, input, next, decision) in table {
            assert_eq!(step(state, input), (next, decision), "{state:?} {input:?}");
            assert_eq!(
                look_up(state, input),
                (next, decision),
                "{state:?} {input:?}"
            );
        }
    }

    /// S97 for every sequence of six inputs: at most one `Open` for each
    /// connection, at most one `Error`, at most one `Close`, nothing after it,
    /// no message outside Open.
    #[test]
    fn no_sequence_breaks_the_order_of_events() {
        // Miri takes 0.3 ms for a step.
        const LENGTH: u32 = if cfg!(miri) { 3 } else { 6 };
        for mut number in 0..7u32.pow(LENGTH) {
            let (mut state, mut opened, mut closed) = (Connecting, false, false);
            for _ in 0..LENGTH {
                let input = Input::ALL[(number % 7) as usize];
                number /= 7;
                let (next, decision) = step(state, input);
                if (state, input) == (Open, I::Lost) {
                    opened = false;
                } else {
                    assert!(next >= state, "the state never goes back");
                }
                match decision {
                    D::DeliverOpen => assert!(!std::mem::replace(&mut opened, true) && !closed),
                    D::DeliverMessage => assert!(opened && !closed && next == Open),
                    D::DeliverClose => assert!(opened || state == Closing),
                    _ => {}
                }
                if matches!(decision, D::DeliverClose | D::Fail) {
                    assert!(!std::mem::replace(&mut closed, true) && next == Closed);
                }
                state = next;
            }
        }
    }
}
