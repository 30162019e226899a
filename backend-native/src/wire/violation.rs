//! How a peer can break the protocol, and the close code that is then sent to it (S95).

use thiserror::Error;

use super::utf8::InvalidUtf8;

/// How a peer broke the protocol.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{what}")]
pub(crate) struct Violation {
    /// The close code that is sent to the peer: 1002, 1007 or 1009 (S95).
    pub(crate) code: u16,
    what: &'static str,
}

impl Violation {
    pub(crate) fn protocol(what: &'static str) -> Self {
        Violation { code: 1002, what }
    }

    pub(crate) fn too_big() -> Self {
        let what = "the peer sent a message over the size limit";
        Violation { code: 1009, what }
    }
}

impl From<InvalidUtf8> for Violation {
    fn from(_: InvalidUtf8) -> Self {
        let what = "the peer sent text that is not UTF-8";
        Violation { code: 1007, what }
    }
}
