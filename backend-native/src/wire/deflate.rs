//! permessage-deflate (RFC 7692): its options, the offer, and what both sides agreed on.
//!
//! Invariant: an idle socket that has neither sent nor received a compressed
//! message has no compressor and no inflater.

mod compressor;
mod inflater;
mod negotiation;

pub(crate) use compressor::Compressor;
pub(crate) use inflater::{Inflater, Spare};
pub(crate) use negotiation::{Agreed, NegotiationError};

/// How a native socket compresses: permessage-deflate (RFC 7692).
///
/// The default is what browsers do: the socket offers
/// `permessage-deflate; client_max_window_bits`. If the server agrees, each side compresses
/// with the history of earlier messages (context takeover). `extensions()` is what both agreed
/// on. Each side may send any message uncompressed. This side does so if compression would gain
/// nothing.
///
/// # Memory
///
/// A socket allocates nothing until it sends or receives its first compressed message. From
/// then on, until its connection ends, it keeps so many KiB:
///
/// | window bits | 15 | 14 | 13 | 12 | 11 | 10 | 9 | 8 |
/// | --- | --- | --- | --- | --- | --- | --- | --- | --- |
/// | sending, with context takeover | 371 | 307 | 275 | 259 | 251 | 247 | 245 | 245 |
/// | receiving, with context takeover | 46 | 46 | 46 | 46 | 46 | 46 | 46 | 46 |
/// | either, without | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 |
///
/// Without context takeover, all sockets of an event loop share one inflater, and each thread
/// that sends has one compressor.
///
/// # Time
///
/// `send` compresses messages on the caller's thread, and the event loop inflates them on its
/// own. A message that does not get smaller, such as one that was compressed before, is sent as
/// it is. After such a binary message, up to 31 of the next binary messages are sent as they are
/// without trying.
///
/// # Bounds
///
/// The size limit of messages is for the inflated size, and is checked while a message is
/// inflated. A message that exceeds it uses no more memory than the limit, and fails the
/// connection with 1009 on the wire.
///
/// # Examples
///
/// ```no_run
/// use isosocket::WebSocket;
/// use isosocket::native::{BuilderExt, Deflate};
///
/// # fn main() -> Result<(), isosocket::NewError> {
/// // For ten thousand sockets that are mostly idle.
/// let frugal = Deflate::default()
///     .client_no_context_takeover(true)
///     .server_no_context_takeover(true);
/// let socket = WebSocket::builder("wss://example.org/")
///     .deflate(frugal)
///     .connect()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deflate {
    offered: bool,
    client_no_context_takeover: bool,
    server_no_context_takeover: bool,
    client_max_window_bits: Option<u8>,
    server_max_window_bits: Option<u8>,
    level: u8,
    min_size: usize,
}

impl Default for Deflate {
    fn default() -> Self {
        Deflate {
            offered: true,
            client_no_context_takeover: false,
            server_no_context_takeover: false,
            client_max_window_bits: None,
            server_max_window_bits: None,
            level: 6,
            min_size: 64,
        }
    }
}

impl Deflate {
    /// No compression: the extension is not offered.
    ///
    /// ```
    /// use isosocket::WebSocket;
    /// use isosocket::native::{BuilderExt, Deflate};
    ///
    /// // What is sent is compressed already, such as video.
    /// let builder = WebSocket::builder("wss://example.org/").deflate(Deflate::off());
    /// ```
    pub fn off() -> Self {
        Deflate {
            offered: false,
            ..Deflate::default()
        }
    }

    /// Whether each sent message is compressed by itself, without the history of earlier ones.
    /// Then the socket keeps no compressor between messages. Small messages that are alike
    /// become larger, because most of their gain comes from the history.
    ///
    /// ```
    /// use isosocket::native::Deflate;
    ///
    /// // A thousand sockets that send large messages, and seldom.
    /// let deflate = Deflate::default().client_no_context_takeover(true);
    /// ```
    pub fn client_no_context_takeover(mut self, yes: bool) -> Self {
        self.client_no_context_takeover = yes;
        self
    }

    /// Whether the server must compress each message by itself. Then the socket keeps no
    /// inflater between messages. If a server does not agree to this, nothing is compressed.
    ///
    /// ```
    /// use isosocket::native::Deflate;
    ///
    /// // A thousand sockets that receive large messages, and seldom.
    /// let deflate = Deflate::default().server_no_context_takeover(true);
    /// ```
    pub fn server_no_context_takeover(mut self, yes: bool) -> Self {
        self.server_no_context_takeover = yes;
        self
    }

    /// How far back a sent message may refer: `2^bits` bytes, with `bits` from 8 to 15. Without
    /// this, the server may set a limit.
    ///
    /// ```
    /// use isosocket::native::Deflate;
    ///
    /// // For small messages a KiB to refer to is enough.
    /// let deflate = Deflate::default().client_max_window_bits(10);
    /// ```
    pub fn client_max_window_bits(mut self, bits: u8) -> Self {
        self.client_max_window_bits = Some(bits);
        self
    }

    /// How far back the server's messages may refer: `2^bits` bytes, with `bits` from 8 to 15.
    /// If a server does not agree to this, nothing is compressed. It saves memory in the
    /// server, but none here.
    ///
    /// ```
    /// use isosocket::native::{BuilderExt, Deflate};
    /// use isosocket::{NewError, WebSocket};
    ///
    /// let deflate = Deflate::default().server_max_window_bits(16);
    /// let refused = WebSocket::builder("ws://localhost/").deflate(deflate).connect();
    /// let expected = "16 window bits are not within 8 to 15".to_owned();
    /// assert_eq!(refused.unwrap_err(), NewError::Option(expected));
    /// ```
    pub fn server_max_window_bits(mut self, bits: u8) -> Self {
        self.server_max_window_bits = Some(bits);
        self
    }

    /// The effort, from 1 (fast) to 9 (small). Default: 6.
    ///
    /// ```
    /// use isosocket::native::Deflate;
    ///
    /// // Much is sent, and the network is faster than the processor.
    /// let deflate = Deflate::default().level(1);
    /// ```
    pub fn level(mut self, level: u8) -> Self {
        self.level = level;
        self
    }

    /// Messages with fewer bytes are sent uncompressed, because there is little to gain.
    /// Default: 64.
    ///
    /// ```
    /// use isosocket::native::Deflate;
    ///
    /// // Positions of 40 bytes go as they are, chat and maps are compressed.
    /// let deflate = Deflate::default().min_size(200);
    /// ```
    pub fn min_size(mut self, bytes: usize) -> Self {
        self.min_size = bytes;
        self
    }

    /// What is wrong with the options, if anything.
    pub(crate) fn check(&self) -> Result<(), String> {
        let windows = [self.client_max_window_bits, self.server_max_window_bits];
        if let Some(bits) = windows.iter().flatten().find(|bits| !is_window(**bits)) {
            return Err(format!("{bits} window bits are not within 8 to 15"));
        }
        if !(1..=9).contains(&self.level) {
            let level = self.level;
            return Err(format!(
                "the compression level {level} is not within 1 to 9"
            ));
        }
        Ok(())
    }
}

/// RFC 7692, 7.1.2: the sizes that a window may have.
fn is_window(bits: u8) -> bool {
    (8..=15).contains(&bits)
}

/// The window size for zlib, which has no window of 8 bits. With 9 bits its compressor refers
/// back at most 250 bytes, so an inflater with 8 bits can read that. And an inflater with 9
/// bits can read everything that was made for 8.
fn zlib_window(bits: u8) -> u8 {
    bits.max(9)
}

#[cfg(test)]
#[path = "deflate/deflate_tests.rs"]
mod tests;
