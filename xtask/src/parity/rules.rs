//! The rules that the suite shows, each in one line for whoever reads the
//! matrix.
//!
//! Invariant: the rule with the number n stands at n - 1, so that none is left
//! out and none is listed twice.

use crate::cases::Mark;
use crate::cases::Mark::{M, N, U};

/// A rule of what a program may observe.
pub struct Rule {
    pub mark: Mark,
    pub text: &'static str,
}

/// The heading above the rule with this number, if a group begins there.
pub fn group(number: usize) -> Option<&'static str> {
    let group = GROUPS.iter().find(|(first, _)| *first == number);
    group.map(|(_, title)| *title)
}

const GROUPS: &[(usize, &str)] = &[
    (1, "URL"),
    (15, "Subprotocols"),
    (21, "Opening handshake"),
    (42, "Sending"),
    (55, "Receiving"),
    (64, "Closing"),
    (80, "Closed by the peer"),
    (90, "Protocol errors and drops"),
    (97, "Always"),
    (104, "As the world is"),
];

const fn rule(mark: Mark, text: &'static str) -> Rule {
    Rule { mark, text }
}

pub static RULES: [Rule; 118] = [
    rule(M, "A malformed URL is refused at once as a syntax error"),
    rule(M, "http and https are taken for ws and wss"),
    rule(M, "Any other scheme is a syntax error"),
    rule(M, "A fragment is a syntax error, even an empty one"),
    rule(M, "A relative URL is a syntax error"),
    rule(M, "Scheme and host are shown in lower case"),
    rule(M, "An empty path becomes a slash"),
    rule(M, "The scheme's own port is left out, others are kept"),
    rule(
        M,
        "Stray white space, backslashes and missing slashes are forgiven",
    ),
    rule(M, "Path and query are percent-encoded as in a browser"),
    rule(
        M,
        "Hosts are normalized; bad hosts and ports are syntax errors",
    ),
    rule(M, "User info in the URL becomes Basic authentication"),
    rule(
        M,
        "A port that the web blocks fails, but not in the constructor",
    ),
    rule(M, "Ports 80 and 443 go with either scheme"),
    rule(M, "No subprotocol requested, no header sent"),
    rule(M, "A subprotocol that is no token is a syntax error"),
    rule(M, "A subprotocol given twice is a syntax error"),
    rule(U, "Two subprotocols that differ in case only"),
    rule(M, "Subprotocols are sent in their order, in one header"),
    rule(
        M,
        "Until open, the chosen subprotocol and extensions are empty",
    ),
    rule(M, "The constructor returns at once, in state Connecting"),
    rule(M, "Ready states are the numbers 0 to 3"),
    rule(M, "A valid reply opens the socket, with one Open event"),
    rule(M, "The subprotocol is the one that the peer chose"),
    rule(
        N,
        "A peer that chooses none of the offered subprotocols fails",
    ),
    rule(N, "A peer that chooses a subprotocol unasked fails"),
    rule(M, "A choice that was not offered, or is ambiguous, fails"),
    rule(M, "Any status but 101 fails, and no redirect is followed"),
    rule(M, "A reply without the right Upgrade or Connection fails"),
    rule(
        M,
        "Header names and the Upgrade token are compared without case",
    ),
    rule(M, "A missing, wrong or repeated accept key fails"),
    rule(M, "An extension that was not offered fails"),
    rule(M, "No reply at all fails, and its cause cannot be told"),
    rule(M, "A failure before open is Error and Close, never Open"),
    rule(U, "A reply in HTTP/1.0, or with several upgrades"),
    rule(M, "Frames in the same packet as the reply are not lost"),
    rule(M, "A handshake that takes too long fails"),
    rule(M, "No Referer is sent"),
    rule(U, "The Origin header"),
    rule(M, "After failures a socket connects; 25 at a time work"),
    rule(U, "Several handshakes with one host, at once or in turn"),
    rule(M, "Sending before open is an error"),
    rule(
        M,
        "Text stays text, binary stays binary, every frame is masked",
    ),
    rule(M, "Empty messages are delivered"),
    rule(M, "Messages of every length form round-trip"),
    rule(
        M,
        "Text is exact: NUL, combining marks, emoji, byte order mark",
    ),
    rule(M, "Messages keep their order"),
    rule(M, "The buffered amount counts payload bytes, at once"),
    rule(
        M,
        "The buffered amount falls only as data leaves, down to 0",
    ),
    rule(M, "Sent while closing: only counted, never transmitted"),
    rule(M, "Sent when closed: only counted, never transmitted"),
    rule(
        M,
        "What was sent before close goes out before the Close frame",
    ),
    rule(M, "A slow reader gets everything, and closes cleanly"),
    rule(U, "How much may be queued before sending is refused"),
    rule(
        M,
        "Messages come only while open, with kind and bytes exact",
    ),
    rule(M, "Fragments become one message, also around a ping"),
    rule(M, "A character may be split between fragments"),
    rule(M, "Pings are answered with their payload and not shown"),
    rule(M, "Events keep the order of the wire; Close comes last"),
    rule(M, "After a local close no message is delivered"),
    rule(M, "A message that never ended is dropped"),
    rule(
        M,
        "A message over the size limit fails, one of the limit arrives",
    ),
    rule(M, "Silence is survived"),
    rule(
        M,
        "A close code other than 1000 and 3000 to 4999 is an error",
    ),
    rule(M, "The arguments of close are checked in every state"),
    rule(M, "A close code never wraps around"),
    rule(M, "A close reason has at most 123 bytes of UTF-8"),
    rule(M, "Closing before open aborts the handshake and fails"),
    rule(
        M,
        "close() sends an empty Close frame and ends as 1005, clean",
    ),
    rule(M, "An echoed close reports the same code and reason, clean"),
    rule(
        M,
        "If the peer answers with another code, that one is reported",
    ),
    rule(M, "An empty answer is reported as 1005, clean"),
    rule(M, "A second close changes nothing"),
    rule(M, "The Close event waits for the peer's answer"),
    rule(
        M,
        "A peer that drops TCP instead of answering: 1006, not clean",
    ),
    rule(
        M,
        "A peer that never answers: 1006, not clean, after a timeout",
    ),
    rule(M, "A peer that answers but holds TCP open: clean"),
    rule(M, "Closes that cross are clean, with the peer's code"),
    rule(M, "A reason without a code cannot be expressed"),
    rule(
        M,
        "The peer's Close is echoed; in its event the state is Closed",
    ),
    rule(M, "An empty Close is answered by an empty one: 1005, clean"),
    rule(M, "Valid close codes and reasons arrive unchanged"),
    rule(N, "A code that must never be sent fails the connection"),
    rule(N, "An unassigned code fails the connection"),
    rule(N, "A Close with half a code fails the connection"),
    rule(M, "A reason that is not UTF-8 fails the connection"),
    rule(
        M,
        "Data not yet sent does not make the peer's close unclean",
    ),
    rule(U, "Frames after the peer's Close"),
    rule(M, "A Close between fragments is clean"),
    rule(M, "Malformed frames fail the connection"),
    rule(M, "Text that is not UTF-8 fails the connection"),
    rule(
        M,
        "A length in a longer form than needed fails the connection",
    ),
    rule(N, "A masked frame from the peer fails the connection"),
    rule(M, "Whole messages before a violation are still delivered"),
    rule(N, "The peer is told why: 1002, 1007 or 1009"),
    rule(
        M,
        "A stream that ends without Close: 1006, not clean, no error",
    ),
    rule(
        M,
        "At most one Open and one Error; exactly one Close, the last",
    ),
    rule(M, "No event is delivered inside the call that caused it"),
    rule(M, "Inside the close handler every call is harmless"),
    rule(M, "Handlers run one at a time and in order"),
    rule(M, "Events that came before their handler are kept for it"),
    rule(
        M,
        "Dropping the last handle closes the socket and leaks nothing",
    ),
    rule(
        M,
        "Without a WebSocket the library says so, and does not panic",
    ),
    rule(N, "A connection that cannot write now blocks nothing"),
    rule(M, "A panic in the program's code affects no other socket"),
    rule(M, "Data that arrived before a deadline counts before it"),
    rule(N, "Bytes that move are signs of life"),
    rule(
        N,
        "Keep-alive stops when a Close frame is queued or received",
    ),
    rule(N, "A failed write ends writing, not reading"),
    rule(N, "A peer that never pauses delays others by one budget"),
    rule(N, "Replies are parsed as leniently as Chromium does"),
    rule(N, "Interim replies before the 101 are skipped"),
    rule(N, "A header's name is sent in the program's spelling"),
    rule(M, "The library never ends the process; a fork is survived"),
    rule(M, "A heartbeat's answers reach no handler"),
    rule(M, "After waking, connections are tried and tested at once"),
    rule(M, "Each attempt uses what the program supplies for it"),
    rule(N, "A failure has a kind, and a refusal its reply"),
];

#[cfg(test)]
mod tests {
    use super::{GROUPS, RULES, group};

    #[test]
    fn the_groups_cover_the_rules_in_order() {
        assert_eq!(GROUPS[0].0, 1);
        assert!(GROUPS.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(GROUPS.iter().all(|(first, _)| *first <= RULES.len()));
        assert_eq!(group(15), Some("Subprotocols"));
        assert_eq!(group(16), None);
    }

    #[test]
    fn a_text_fits_its_cell() {
        for rule in &RULES {
            assert!(rule.text.chars().count() <= 64, "{}", rule.text);
            assert!(!rule.text.ends_with('.'), "{}", rule.text);
        }
    }
}
