//! The head of a reply: its status and its header lines, read as leniently as
//! Chromium reads them (S111). Interim replies are skipped (S112).
//!
//! Invariant: it reads each byte only once, even if they arrive one by one. The limits count
//! everything before the end of the final head, so also the interim replies.

use std::mem;

use thiserror::Error;

/// The longest head that is read, in bytes, with the interim ones before it.
const MAX_HEAD: usize = 256 << 10;
/// The most lines in it.
const MAX_LINES: usize = 1000;
/// The most bytes before the status line, which are ignored.
const MAX_JUNK: usize = 4;
/// The most of a line that an error shows, in bytes.
const MAX_EXCERPT: usize = 100;

/// Why a reply has no valid head.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(crate) enum HeadError {
    #[error("the reply is not HTTP: it begins with \"{0}\"")]
    NotHttp(String),
    #[error("a line of the reply has a NUL byte: \"{0}\"")]
    Nul(String),
    #[error("the head of the reply is longer than 256 kB; its last line begins with \"{0}\"")]
    TooLong(String),
    #[error("the head of the reply has more than 1000 lines; the next one is \"{0}\"")]
    TooManyLines(String),
}

/// A complete head.
#[derive(Debug, Default)]
pub(crate) struct Head {
    pub(crate) status: u16,
    lines: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Head {
    /// The values of all headers of this name, in order.
    pub(crate) fn all(&self, name: &'static str) -> impl Iterator<Item = &[u8]> {
        self.lines
            .iter()
            .filter(move |line| line.0.eq_ignore_ascii_case(name.as_bytes()))
            .map(|line| line.1.trim_ascii())
    }

    /// The names and values of all headers, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let lines = self.lines.iter();
        lines.map(|(name, value)| (name.as_slice(), value.trim_ascii()))
    }

    /// The value of a header that is there exactly once.
    pub(crate) fn single(&self, name: &'static str) -> Option<&[u8]> {
        let mut values = self.all(name);
        let first = values.next()?;
        values.next().is_none().then_some(first)
    }

    /// The elements of a comma-separated list.
    pub(crate) fn tokens(&self, name: &'static str) -> impl Iterator<Item = &[u8]> {
        self.all(name)
            .flat_map(|value| value.split(|&byte| byte == b','))
            .map(<[u8]>::trim_ascii)
    }
}

/// A head that is being read.
#[derive(Debug, Default)]
pub(crate) struct HeadReader {
    /// The part of the current line that was read.
    line: Vec<u8>,
    /// How many bytes and lines came before that, including those of interim replies.
    bytes: usize,
    lines: usize,
    /// The status line has begun.
    begun: bool,
    /// `None` until the status line was read.
    head: Option<Head>,
    /// Whether a line that begins with white space continues the last header.
    folds: bool,
}

impl HeadReader {
    /// Reads a part of a reply. When the final head is complete, returns it, and how many bytes
    /// of `input` belong to it.
    pub(crate) fn read(&mut self, input: &[u8]) -> Result<Option<(Head, usize)>, HeadError> {
        let mut rest = input;
        while !rest.is_empty() {
            if !self.begun {
                self.begin(&mut rest)?;
                continue;
            }
            let end = rest.iter().position(|&byte| byte == b'\n');
            let used = end.map_or(rest.len(), |end| end + 1);
            if self.bytes + self.line.len() + used > MAX_HEAD {
                self.line.extend(&rest[..used.min(MAX_EXCERPT)]);
                return Err(HeadError::TooLong(without_value(&self.line)));
            }
            self.line.extend(&rest[..end.unwrap_or(used)]);
            rest = &rest[used..];
            if end.is_some() {
                if let Some(head) = self.end_of_line()? {
                    return Ok(Some((head, input.len() - rest.len())));
                }
            }
        }
        Ok(None)
    }

    /// Looks for the beginning of the status line. If the bytes cannot become one, fails at
    /// once (S33).
    fn begin(&mut self, rest: &mut &[u8]) -> Result<(), HeadError> {
        while let Some((byte, after)) = rest.split_first() {
            self.line.push(*byte);
            *rest = after;
            let len = self.line.len();
            let mut starts = 0..=len.min(MAX_JUNK);
            let Some(start) = starts.find(|&start| is_http(&self.line[start..])) else {
                let line = rest.split(|&byte| byte == b'\n').next();
                self.line.extend(line.unwrap_or_default());
                return Err(HeadError::NotHttp(excerpt(&self.line)));
            };
            if len - start == HTTP.len() {
                self.line.drain(..start);
                self.bytes += start;
                self.begun = true;
                return Ok(());
            }
        }
        Ok(())
    }

    /// Gives the head, if this line was its last.
    fn end_of_line(&mut self) -> Result<Option<Head>, HeadError> {
        let line = mem::take(&mut self.line);
        self.bytes += line.len() + 1;
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        self.lines += 1;
        if self.lines > MAX_LINES {
            return Err(HeadError::TooManyLines(without_value(line)));
        }
        if line.contains(&0) {
            return Err(HeadError::Nul(without_value(line)));
        }
        let Some(head) = &mut self.head else {
            let status = status(line).ok_or_else(|| HeadError::NotHttp(excerpt(line)))?;
            let lines = Vec::new();
            self.head = Some(Head { status, lines });
            self.folds = false;
            return Ok(None);
        };
        match line {
            [] => {
                self.begun = false;
                // RFC 9110, 15.2: any number of them, and 101 is none of them.
                let is_interim = matches!(head.status, 100 | 102..=199);
                return Ok(self.head.take().filter(|_| !is_interim));
            }
            [b' ' | b'\t', ..] => {
                if let Some((_, value)) = head.lines.last_mut().filter(|_| self.folds) {
                    value.push(b' ');
                    value.extend(line.trim_ascii());
                }
            }
            _ => {
                let colon = line.iter().position(|&byte| byte == b':');
                let name = line[..colon.unwrap_or(0)].trim_ascii_end();
                // S111: a line without a colon, or without a name, is ignored.
                self.folds = !name.is_empty();
                if let (Some(colon), true) = (colon, self.folds) {
                    let value = line[colon + 1..].trim_ascii();
                    head.lines.push((name.to_vec(), value.to_vec()));
                }
            }
        }
        Ok(None)
    }
}

/// What a status line begins with, in any case.
const HTTP: &[u8] = b"HTTP";

/// Whether a status line may begin with these bytes.
fn is_http(bytes: &[u8]) -> bool {
    let len = bytes.len().min(HTTP.len());
    bytes[..len].eq_ignore_ascii_case(&HTTP[..len])
}

/// The status of `HTTP/1.1 101 Switching Protocols`. The reason phrase may be
/// missing, and the version does not matter.
fn status(line: &[u8]) -> Option<u16> {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let blank = line.iter().position(is_blank)?;
    let (_, rest) = line.split_at(blank);
    let code = rest.trim_ascii_start().split(is_blank).next()?;
    let is_number = code.len() == 3 && code.iter().all(u8::is_ascii_digit);
    let code = std::str::from_utf8(code).ok().filter(|_| is_number)?;
    code.parse().ok().filter(|&code: &u16| code >= 100)
}

/// A header's name, for an error: its value may be secret.
fn without_value(line: &[u8]) -> String {
    match line.iter().position(|&byte| byte == b':') {
        Some(colon) => excerpt(&line[..=colon]) + "***",
        None => excerpt(line),
    }
}

/// The beginning of a line, for an error. Control characters are escaped, because a terminal
/// would execute them.
pub(crate) fn excerpt(line: &[u8]) -> String {
    let shown = &line[..line.len().min(MAX_EXCERPT)];
    let more = if shown.len() < line.len() { "..." } else { "" };
    format!("{}{more}", shown.escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a reply in one piece and byte by byte; what follows it is left.
    fn read(reply: &str) -> Result<Head, HeadError> {
        let reply = reply.as_bytes();
        let whole = HeadReader::default().read(&[reply, b"frames"].concat());
        let mut reader = HeadReader::default();
        let pieces = reply.iter().try_fold(None, |head, byte| {
            assert!(head.is_none(), "ready too early");
            reader.read(&[*byte])
        });
        match (whole, pieces) {
            (Ok(Some((head, used))), Ok(Some((_, 1)))) => {
                assert_eq!(used, reply.len());
                Ok(head)
            }
            (Err(error), Err(in_pieces)) => {
                assert_eq!(mem::discriminant(&error), mem::discriminant(&in_pieces));
                Err(error)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn heads_are_read_leniently() {
        // Miri takes a second for 10,000 bytes.
        const LONG: usize = if cfg!(miri) { 1_000 } else { 256_000 };
        const MANY: usize = if cfg!(miri) { 97 } else { 997 };
        let good = "HTTP/1.1 101 Switching Protocols\r\nX: y\r\n\r\n";
        for reply in [
            good.to_owned(),
            good.replace("\r\n", "\n"),
            good.replace("y\r\n\r\n", "y\n\r\n"),
            format!("\r\n{good}"),
            format!("\r\n\r\n{good}"),
            format!("xHT\n{good}"),
            good.replace("HTTP/1.1", "HTTP"),
            good.replace("HTTP/1.1", "HTTP/2.0"),
            good.replace(" Switching Protocols", ""),
            good.replace("Switching Protocols", ""),
            good.replace("1.1 101", "1.0 101"),
            good.replace("HTTP", "http"),
            good.replace("Switching", "Sw\u{e9}itching"),
            good.replace("X: y", "X : y"),
            good.replace("X: y", "X\t:y \t"),
            good.replace("X: y", "X:\r\n y"),
            good.replace("X: y", "X: y\r\n\t"),
            good.replace("X: y", "no colon\r\n folded\r\nX: y"),
            good.replace("X: y", ": no name\r\n folded\r\nX: y"),
            good.replace("X: y", " at the beginning\r\nX: y"),
            good.replace("X: y", "A B: c\r\nX: y"),
            good.replace("X: y", "\u{e9}: \u{e9}\r\nX: y"),
            good.replace("X: y", &format!("{}X: y", "A: b\r\n".repeat(MANY))),
            good.replace("X: y", &format!("A: {}\r\nX: y", "b".repeat(LONG))),
            format!("HTTP/1.1 100 Continue\r\nX: z\r\n\r\n{good}"),
            format!("HTTP/1.1 103 Early Hints\n\nHTTP/1.1 102 x\n\r\n{good}"),
        ] {
            let head = read(&reply).unwrap_or_else(|error| panic!("{error}: {reply:.80?}"));
            assert_eq!(head.status, 101);
            assert_eq!(head.single("x"), Some(&b"y"[..]), "{reply:.80?}");
        }
        let folded = read("HTTP/1.1 101\r\nX: a,\r\n\t b\r\nX: c, d\r\n\r\n").unwrap();
        assert!(folded.all("X").eq([&b"a, b"[..], b"c, d"]));
        assert!(folded.tokens("x").eq([b"a", b"b", b"c", b"d"]));
    }

    /// S111: what stands before the status line counts, too.
    #[test]
    #[cfg_attr(miri, ignore = "too much for an interpreter")]
    fn a_head_may_be_as_long_as_the_limit() {
        for junk in ["", "\r\n\r\n"] {
            let frame = format!("{junk}HTTP/1.1 101 x\r\nA: \r\n\r\n");
            let value = |length: usize| "b".repeat(length - frame.len());
            let reply = |length| frame.replace("A: ", &format!("A: {}", value(length)));
            assert_eq!(read(&reply(MAX_HEAD)).unwrap().status, 101);
            let error = read(&reply(MAX_HEAD + 1)).unwrap_err();
            assert!(matches!(error, HeadError::TooLong(_)), "{error}");
        }
    }

    #[test]
    fn an_excerpt_says_that_there_is_more() {
        let line = [b'x'; MAX_EXCERPT + 1];
        assert_eq!(excerpt(&line[1..]), "x".repeat(MAX_EXCERPT));
        assert_eq!(excerpt(&line), "x".repeat(MAX_EXCERPT) + "...");
    }

    #[test]
    fn what_is_no_head_is_refused_with_the_line() {
        let long = "HTTP/1.1 101 x\n".to_owned() + &"A: b\n".repeat(1000);
        let table = [
            ("SSH-2.0-x\r\n", "not HTTP: it begins with \"SSH-2.0-x"),
            ("\r\n\r\n\r\n", r#"begins with "\r\n\r\n\r""#),
            ("12345HTTP/1.1 101\r\n", "\"12345HTTP/1.1 101"),
            ("HTTP/1.1\r\n", "\"HTTP/1.1\""),
            ("HTTP/1.1 abc\r\n", "\"HTTP/1.1 abc\""),
            ("HTTP/1.1 1011\r\n", "\"HTTP/1.1 1011\""),
            ("HTTP/1.1 099 x\r\n", "\"HTTP/1.1 099 x\""),
            ("HTTP/1.1 101 x\r\nA: \x1b\0\r\n", r#"NUL byte: "A:***""#),
            ("HTTP/1.1 101 x\r\nA\0: b\r\n", r#"NUL byte: "A\x00:***""#),
            (&long, "more than 1000 lines; the next one is \"A:***\""),
        ];
        for (reply, expected) in table {
            let error = HeadReader::default().read(reply.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn refusal_does_not_wait_for_more() {
        for begun in ["SSH-2", "\r\n\r\nX", "\r\n\r\nHX", "HTTQP"] {
            let error = HeadReader::default().read(begun.as_bytes()).unwrap_err();
            assert!(matches!(error, HeadError::NotHttp(_)), "{begun}");
        }
        for begun in ["\r\nHTT", "abcdHT", "S"] {
            let read = HeadReader::default().read(begun.as_bytes());
            assert!(matches!(read, Ok(None)), "{begun}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "too much for an interpreter")]
    fn endless_heads_are_bounded_whatever_they_consist_of() {
        let endless = |first: &str, piece: String| {
            let mut reader = HeadReader::default();
            assert!(reader.read(first.as_bytes()).unwrap().is_none());
            let read = (0..2000).find_map(|_| reader.read(piece.as_bytes()).err());
            let error = read.expect("it has an end");
            assert!(error.to_string().len() < 600, "{error}");
            error
        };
        let status = "HTTP/1.1 101 x\r\n";
        let line = endless(status, "y".repeat(1000));
        assert!(matches!(line, HeadError::TooLong(_)), "{line}");
        let lines = endless(status, format!("A: {}\r\n", "y".repeat(1000)));
        assert!(matches!(lines, HeadError::TooLong(_)), "{lines}");
        let folded = endless(status, " \r\n".to_owned());
        assert!(matches!(folded, HeadError::TooManyLines(_)), "{folded}");
        let interim = endless("", "HTTP/1.1 100 x\r\n\r\n".to_owned());
        assert!(matches!(interim, HeadError::TooManyLines(_)), "{interim}");
    }

    #[test]
    #[cfg_attr(miri, ignore = "too much for an interpreter")]
    fn any_bytes_in_any_pieces_give_the_same() {
        // A linear congruential generator: the same bytes on every run.
        let mut state = 1_u32;
        let mut random = |below: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as usize % below
        };
        let words: [&[u8]; 14] = [
            b"HTTP/1.1 101 x\r\n",
            b"HTTP/1.1 100\n",
            b"\r\n",
            b"\n",
            b"\r",
            b"HT",
            b"TP ",
            b" ",
            b":",
            b"\0",
            b"X: y\r\n",
            b"a",
            b"101",
            b"\xff",
        ];
        let (mut heads, mut refused) = (0, 0);
        for _ in 0..5_000 {
            // Mostly a good beginning, then anything.
            let first = random(20).min(words.len() - 1);
            let first = if first > 3 { 0 } else { first };
            let mut bytes = words[first].to_vec();
            for _ in 0..random(20) {
                bytes.extend(words[random(words.len())]);
            }
            let whole = HeadReader::default().read(&bytes);
            let mut reader = HeadReader::default();
            let (mut read, mut pieces) = (0, Ok(None));
            while read < bytes.len() && matches!(pieces, Ok(None)) {
                let size = (1 + random(3)).min(bytes.len() - read);
                pieces = reader.read(&bytes[read..read + size]);
                if let Ok(Some((_, used))) = &mut pieces {
                    *used += read;
                }
                read += size;
            }
            match (whole, pieces) {
                (Ok(None), Ok(None)) => {}
                (Ok(Some((whole, used))), Ok(Some((pieces, same)))) => {
                    assert_eq!((whole.status, used), (pieces.status, same));
                    assert_eq!(whole.lines, pieces.lines);
                    heads += 1;
                }
                (Err(whole), Err(pieces)) => {
                    assert_eq!(mem::discriminant(&whole), mem::discriminant(&pieces));
                    refused += 1;
                }
                other => panic!("{:?}: {other:?}", bytes.escape_ascii().to_string()),
            }
        }
        assert!(heads > 500 && refused > 500, "{heads} {refused}");
    }
}
