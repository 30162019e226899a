//! permessage-deflate (RFC 7692): its options, what is offered, and what was
//! agreed.
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
/// The default is what browsers do: `permessage-deflate; client_max_window_bits`
/// is offered, and compression is used if the server agrees, with all of its
/// context kept from one message to the next. `extensions()` tells what was
/// agreed. Each side may send any message uncompressed; this side does so
/// where compression would gain nothing.
///
/// # Memory
///
/// Nothing is allocated until the first message that is compressed is sent, or
/// received. From then on a socket keeps, in KiB, until its connection ends:
///
/// | window bits | 15 | 14 | 13 | 12 | 11 | 10 | 9 | 8 |
/// | --- | --- | --- | --- | --- | --- | --- | --- | --- |
/// | sending, with context takeover | 371 | 307 | 275 | 259 | 251 | 247 | 245 | 245 |
/// | receiving, with context takeover | 46 | 46 | 46 | 46 | 46 | 46 | 46 | 46 |
/// | either, without | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 |
///
/// Without context takeover the sockets share: one inflater for the event
/// loop, and one compressor for each thread that sends.
///
/// # Time
///
/// Messages are compressed within `send`, on the caller's thread, and inflated
/// on the event loop's. Noise, such as what was compressed before, is sent as it
/// is; after binary messages that did not shrink the next ones, up to 31, are
/// not tried.
///
/// # Bounds
///
/// The size limit of messages holds for what a message inflates to, while it is
/// inflated: a message that exceeds it costs no more than the limit, and fails the
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

    /// Whether each message that is sent is compressed by itself. That costs
    /// most of the gain where messages are small and alike, and frees the
    /// socket of the compressor's memory between messages.
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

    /// Whether the server must compress each message by itself, so that no
    /// inflater is kept between messages. A server that does not agree to this
    /// agrees to no compression.
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

    /// How far back a sent message may refer: `2^bits` bytes, with `bits` from 8
    /// to 15. Without this it is the server that may set a limit.
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

    /// How far back the server's messages may refer: `2^bits` bytes, with
    /// `bits` from 8 to 15. A server that does not agree to this agrees to no
    /// compression. It saves memory in the server, and none here.
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

    /// Messages of fewer bytes are sent as they are: there is little to gain.
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

/// The size with which zlib serves a window: it has none of 8 bits. A compressor
/// of 9 refers back 250 bytes at most, which an inflater of 8 can follow; and an
/// inflater of 9 can follow all that one of 8 can.
fn zlib_window(bits: u8) -> u8 {
    bits.max(9)
}

#[cfg(test)]
#[path = "deflate/deflate_tests.rs"]
mod tests;
