//! The options that only sockets of the web have.
//!
//! Invariant: a page pays for what it names. What serves a connection instead of the host's
//! `WebSocket` is reached through a trait object, which only the option for it makes.

use std::fmt;

use isosocket_core::{Configure, NewError, Rare, Request};

use wasm_bindgen::JsValue;

use crate::js::Socket;
use crate::stream::{self, OverStream, Stream};

/// What a host's constructor gave, or threw.
pub(crate) type Opened = Result<Socket, JsValue>;

/// Opens a socket in another way than by `new WebSocket`.
pub(crate) trait Opener: Send + Sync {
    /// The socket may be an object that only has `readyState`, `bufferedAmount`,
    /// `protocol` and `extensions`. What sends and reads is then put into `stream`.
    fn open(
        &self,
        request: &Request<WebOptions>,
        stream: &mut Rare<Box<dyn Stream>>,
    ) -> Result<Opened, NewError>;

    /// The same once more, for options that are cloned.
    fn another(&self) -> Box<dyn Opener>;
}

isosocket_core::feature!(Box<dyn Opener>);

/// The options of [`BuilderExt`], as its builder keeps them.
#[doc(hidden)]
#[derive(Default)]
pub struct WebOptions {
    pub(crate) opener: Rare<Box<dyn Opener>>,
    /// 0 is none.
    pub(crate) receive_limit: usize,
    pub(crate) allow_unlimited: bool,
}

impl Clone for WebOptions {
    fn clone(&self) -> Self {
        let opener = self.opener.as_ref();
        WebOptions {
            opener: opener.map_or_else(Rare::default, |opener| Rare::new(opener.another())),
            ..*self
        }
    }
}

impl fmt::Debug for WebOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebOptions")
    }
}

impl AsMut<WebOptions> for WebOptions {
    fn as_mut(&mut self) -> &mut WebOptions {
        self
    }
}

/// The options that only sockets of the web have.
///
/// ```no_run
/// # mod isosocket { pub use isosocket_core::*; pub use isosocket_web as web; pub type WebSocket = isosocket_core::WebSocket<web::Web>; }
/// use isosocket::WebSocket;
/// use isosocket::web::BuilderExt;
///
/// # fn main() -> Result<(), isosocket_core::NewError> {
/// let socket = WebSocket::builder("wss://example.org/film")
///     .receive_limit(4 << 20)
///     .allow_unlimited_memory()
///     .connect()?;
/// # Ok(())
/// # }
/// ```
pub trait BuilderExt: Sized {
    /// How many bytes of messages may wait in a stream that nobody drains before the
    /// socket stops reading. The peer then has to wait, because the browser stops reading
    /// from the network. Each message counts for some 48 bytes more than its payload has.
    /// The native `receive_limit` counts the same way. Without this call what arrives is in
    /// memory until it is read, however much that is.
    ///
    /// The socket uses the host's `WebSocketStream`, which Chromium has since version 124
    /// (also in workers), and Deno with `--unstable-net`. If the host has none,
    /// `connect` fails with [`NewError::OptionNotSupported`], unless the program
    /// [allows unlimited memory](BuilderExt::allow_unlimited_memory).
    /// [`supports_receive_limit`](crate::supports_receive_limit) asks beforehand.
    ///
    /// Events, their order and their values are the same, except for this:
    /// - A peer that breaks the protocol gives a `Close` with 1006 and no `Error` before
    ///   it, as `WebSocketStream` reports it like a dropped connection.
    /// - While reading is stopped, the browser may drop what it holds if the peer closes or
    ///   the connection is lost. If that may have happened before a clean close, the
    ///   socket fails, with an error that says so. So no loss stays unnoticed. Let the
    ///   program close, not the peer.
    /// - Chromium 156 ends the page if the connection is lost while a message waits to be
    ///   written, because the peer or the network takes no more. The limit is meant for
    ///   programs that receive much and send little.
    ///
    /// ```no_run
    /// # mod isosocket { pub use isosocket_core::*; pub use isosocket_web as web; pub type WebSocket = isosocket_core::WebSocket<web::Web>; }
    /// use isosocket::WebSocket;
    /// use isosocket::web::BuilderExt;
    ///
    /// // A player that loads ahead, but not the whole film.
    /// let builder = WebSocket::builder("wss://example.org/film").receive_limit(32 << 20);
    /// ```
    fn receive_limit(self, bytes: usize) -> Self;

    /// Lets a socket with a [receive limit](BuilderExt::receive_limit) connect also where
    /// the host cannot stop reading. It then goes over the host's `WebSocket`, and what
    /// arrives is in memory until it is read.
    ///
    /// ```no_run
    /// # mod isosocket { pub use isosocket_core::*; pub use isosocket_web as web; pub type WebSocket = isosocket_core::WebSocket<web::Web>; }
    /// use isosocket::WebSocket;
    /// use isosocket::web::BuilderExt;
    ///
    /// let builder = WebSocket::builder("wss://example.org/film")
    ///     .receive_limit(32 << 20)
    ///     .allow_unlimited_memory();
    /// ```
    fn allow_unlimited_memory(self) -> Self;
}

/// For every socket of the web underneath, plain or reconnecting, and for each attempt of one
/// that reconnects.
impl<C> BuilderExt for C
where
    C: Configure<Options: AsMut<WebOptions>>,
{
    fn receive_limit(mut self, bytes: usize) -> Self {
        let options = self.native_mut().as_mut();
        // A limit of 1 acts like 0, because each message counts for more. 0 stands for none.
        options.receive_limit = bytes.max(1);
        // An object that is taken over stays the socket's.
        options.opener.get_or_insert_with(|| Box::new(OverStream));
        self
    }

    fn allow_unlimited_memory(mut self) -> Self {
        self.native_mut().as_mut().allow_unlimited = true;
        self
    }
}

/// Whether this host can stop reading, which [`BuilderExt::receive_limit`] needs: it has
/// a `WebSocketStream`.
///
/// ```no_run
/// # mod isosocket { pub use isosocket_web as web; }
/// if !isosocket::web::supports_receive_limit() {
///     println!("films are kept in memory as a whole here");
/// }
/// ```
pub fn supports_receive_limit() -> bool {
    stream::is_there()
}
