//! The body of a refused handshake, of which the program sees the start (RFC 9112, sections
//! 6 and 7). The head of the reply has been read already.
//!
//! Invariant: it keeps at most [`MOST`] bytes of a body, however the body is framed. A
//! malformed body just ends there, because the handshake has failed in any case.

use std::time::{Duration, SystemTime};

use isosocket_core::{ErrorKind, retry_after};

use super::head::Head;
use crate::failure::Failure;
use crate::response::{Refused, Response};

/// The most of a body that is kept, in bytes.
pub(crate) const MOST: usize = 1 << 10;
/// How long the body may take after the head, at most.
pub(crate) const BODY_TIME: Duration = Duration::from_secs(1);
/// The longest line of a chunk's size, in bytes.
const MAX_LINE: usize = 256;

/// A refused handshake whose body is being read.
#[derive(Debug)]
pub(crate) struct Refusal {
    response: Response,
    rest: Rest,
}

/// The part of the body that is still to come.
#[derive(Debug)]
enum Rest {
    /// Nothing.
    Nothing,
    /// So many bytes.
    Bytes(u64),
    /// Everything until the stream ends.
    UntilEnd,
    /// A line with the size of the next chunk. This part of it has come.
    Size(Vec<u8>),
    /// So many bytes of a chunk, then its line break.
    Chunk(u64),
    /// The line break after a chunk.
    Break,
}

impl Refusal {
    pub(crate) fn new(head: &Head) -> Self {
        let is_chunked = head
            .tokens("Transfer-Encoding")
            .last()
            .is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked"));
        let length = head.single("Content-Length").and_then(number);
        let rest = match (head.status, is_chunked, length) {
            (204 | 304, ..) | (_, false, Some(0)) => Rest::Nothing,
            (_, true, _) => Rest::Size(Vec::new()),
            (_, false, Some(length)) => Rest::Bytes(length),
            (_, false, None) => Rest::UntilEnd,
        };
        Refusal {
            response: Response::new(head.status, head.iter()),
            rest,
        }
    }

    /// Reads a part of the body. Returns whether more of it is wanted.
    pub(crate) fn receive(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() && self.wants_more() {
            match &mut self.rest {
                Rest::Nothing => {}
                Rest::UntilEnd => {
                    self.keep(&mut bytes, u64::MAX);
                }
                Rest::Bytes(left) => {
                    let left = *left;
                    let kept = self.keep(&mut bytes, left);
                    self.rest = match left - kept {
                        0 => Rest::Nothing,
                        left => Rest::Bytes(left),
                    };
                }
                Rest::Chunk(left) => {
                    let left = *left;
                    let kept = self.keep(&mut bytes, left);
                    self.rest = match left - kept {
                        0 => Rest::Break,
                        left => Rest::Chunk(left),
                    };
                }
                Rest::Break => {
                    let byte = bytes[0];
                    bytes = &bytes[1..];
                    match byte {
                        b'\n' => self.rest = Rest::Size(Vec::new()),
                        b'\r' => {}
                        _ => self.rest = Rest::Nothing,
                    }
                }
                Rest::Size(line) => {
                    let byte = bytes[0];
                    bytes = &bytes[1..];
                    if byte != b'\n' {
                        line.push(byte);
                        if line.len() > MAX_LINE {
                            self.rest = Rest::Nothing;
                        }
                    } else {
                        self.rest = match size(line) {
                            None | Some(0) => Rest::Nothing,
                            Some(size) => Rest::Chunk(size),
                        };
                    }
                }
            }
        }
        self.wants_more()
    }

    /// Whether more of the body is to come, and to be kept.
    pub(crate) fn wants_more(&self) -> bool {
        !matches!(self.rest, Rest::Nothing) && self.response.body.len() < MOST
    }

    /// The failure that is reported to the program.
    pub(crate) fn into_failure(self, now: SystemTime) -> Failure {
        let response = self.response;
        let status = response.status;
        let wait = response
            .header("Retry-After")
            .and_then(|value| retry_after(value, response.header("Date"), now));
        let mut failure = Failure::new(ErrorKind::HandshakeRefused(status), Refused { response });
        failure.retry_after = wait;
        failure
    }

    /// Takes at most so many bytes, keeps as many as there is room for, and drops the rest.
    /// Returns how many it took.
    fn keep(&mut self, bytes: &mut &[u8], most: u64) -> u64 {
        let room = MOST - self.response.body.len();
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let (kept, rest) = bytes.split_at(bytes.len().min(most).min(room));
        self.response.body.extend_from_slice(kept);
        *bytes = rest;
        kept.len() as u64
    }
}

/// A number in decimal digits.
fn number(digits: &[u8]) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let digits = std::str::from_utf8(digits).ok().filter(|_| is_number)?;
    digits.parse().ok()
}

/// The size of a chunk: hexadecimal, perhaps with extensions.
fn size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|&byte| byte == b';').next()?.trim_ascii();
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
    let digits = std::str::from_utf8(digits).ok().filter(|_| is_number)?;
    u64::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use isosocket_core::ErrorEvent;

    use super::*;
    use crate::engine::head::HeadReader;
    use crate::response::ErrorEventExt;

    fn refusal(head: &str) -> Refusal {
        let head = format!("HTTP/1.1 {head}\r\n\r\n");
        let (head, _) = HeadReader::default()
            .read(head.as_bytes())
            .unwrap()
            .unwrap();
        Refusal::new(&head)
    }

    fn event(refusal: Refusal) -> ErrorEvent {
        refusal.into_failure(SystemTime::UNIX_EPOCH).into_event()
    }

    #[test]
    fn a_body_is_read_as_it_is_framed() {
        let long = "x".repeat(2000);
        let most = &long[..MOST];
        for (head, body, kept, ends) in [
            (
                "401 x\r\nContent-Length: 5",
                "token, and more",
                "token",
                true,
            ),
            ("401 x\r\nContent-Length: 5", "tok", "tok", false),
            ("401 x\r\nContent-Length: 0", "more", "", true),
            ("401 x\r\nContent-Length: 2000", &long, most, true),
            ("401 x", "no length", "no length", false),
            ("401 x", &long, most, true),
            ("304 x", "more", "", true),
            (
                "401 x\r\nTransfer-Encoding: gzip, Chunked",
                "3;a=b\r\ntok\r\n2\r\nen\r\n0\r\n\r\n",
                "token",
                true,
            ),
            (
                "401 x\r\nTransfer-Encoding: chunked",
                "7d0\r\nxx",
                "xx",
                false,
            ),
            (
                "401 x\r\nTransfer-Encoding: chunked",
                "5\r\ntoken?",
                "token",
                true,
            ),
            ("401 x\r\nTransfer-Encoding: chunked", "token", "", false),
            ("401 x\r\nTransfer-Encoding: chunked", "token\n", "", true),
            ("401 x\r\nTransfer-Encoding: chunked", &long, "", true),
        ] {
            let mut whole = refusal(head);
            assert_eq!(whole.receive(body.as_bytes()), !ends, "{head}: {body}");
            let mut pieces = refusal(head);
            for byte in body.bytes() {
                pieces.receive(&[byte]);
            }
            for refusal in [whole, pieces] {
                let event = event(refusal);
                let response = event.response().unwrap();
                assert_eq!(response.body(), kept.as_bytes(), "{head}: {body}");
            }
        }
    }

    #[test]
    fn no_more_is_kept_than_the_limit_in_any_pieces() {
        let mut refusal = refusal("401 x");
        let piece = [b'x'; MOST - 10];
        assert!(refusal.receive(&piece));
        assert!(!refusal.receive(&piece));
        let event = event(refusal);
        assert_eq!(event.response().unwrap().body(), [b'x'; MOST]);
    }

    #[test]
    fn a_line_with_a_size_is_bounded() {
        for (length, body) in [(MAX_LINE, "token"), (MAX_LINE + 1, "")] {
            let mut refusal = refusal("401 x\r\nTransfer-Encoding: chunked");
            let line = format!("{:a<length$}\ntoken", "5;");
            refusal.receive(line.as_bytes());
            let event = event(refusal);
            assert_eq!(event.response().unwrap().body(), body.as_bytes());
        }
    }

    #[test]
    fn a_number_has_digits_and_nothing_else() {
        assert_eq!((number(b"15"), size(b"1f")), (Some(15), Some(31)));
        for bad in ["", "+5", "-5", "5 "] {
            assert_eq!(number(bad.as_bytes()), None, "{bad}");
        }
        for bad in ["", "+5", "g", "5 5"] {
            assert_eq!(size(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn a_refusal_has_status_headers_and_when_to_come_back() {
        let event = event(refusal("503 x\r\nX-B: \u{f6}\r\nretry-after: 3"));
        assert_eq!(event.kind(), ErrorKind::HandshakeRefused(503));
        assert_eq!(event.retry_after(), Some(Duration::from_secs(3)));
        let response = event.response().unwrap();
        let headers: Vec<_> = response.headers().collect();
        assert_eq!(headers, [("X-B", "\u{f6}"), ("retry-after", "3")]);
        let shown = format!("{event:?} {event:#} {response:?}");
        assert!(
            shown.contains("retry-after") && !shown.contains('\u{f6}'),
            "{shown}"
        );
    }
}
