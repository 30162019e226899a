//! The server's answer to the opening handshake, as the program sees it.

use std::error::Error;
use std::fmt;

use isosocket_core::ErrorEvent;
use thiserror::Error;

/// A server's answer to the opening handshake: of a refused one by
/// [`ErrorEventExt::response`], of a good one by [`SocketExt::response`](crate::SocketExt::response).
///
/// `Debug` shows the names of the headers and not their values, which may be secret.
///
/// ```no_run
/// use isosocket::WebSocket;
/// use isosocket::native::{ErrorEventExt, Response};
///
/// /// What a server says about itself.
/// fn server(response: &Response) -> &str {
///     response.header("Server").unwrap_or("unknown")
/// }
///
/// # fn main() -> Result<(), isosocket::NewError> {
/// let socket = WebSocket::builder("wss://example.org/feed")
///     .on_error(|_, error| {
///         if let Some(response) = error.response() {
///             eprintln!("{} by {}", response.status(), server(response));
///             eprintln!("{}", String::from_utf8_lossy(response.body()));
///         }
///     })
///     .connect()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(Box<str>, Box<str>)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// A response with these headers, and without a body. Bytes that are not UTF-8
    /// become U+FFFD.
    pub(crate) fn new<'a>(
        status: u16,
        headers: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    ) -> Self {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned().into_boxed_str();
        Response {
            status,
            headers: headers
                .map(|(name, value)| (text(name), text(value)))
                .collect(),
            body: Vec::new(),
        }
    }

    /// The status: 101 of a good answer, and of a refused handshake any other.
    ///
    /// ```
    /// use isosocket::native::Response;
    ///
    /// fn is_ours(response: &Response) -> bool {
    ///     (400..500).contains(&response.status())
    /// }
    /// ```
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The value of the first header of this name, in any spelling.
    ///
    /// ```
    /// use isosocket::native::Response;
    ///
    /// fn realm(response: &Response) -> Option<&str> {
    ///     response.header("WWW-Authenticate")
    /// }
    /// ```
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers()
            .find(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// All headers in the server's order, names in its spelling. Bytes that are not
    /// UTF-8 are replaced by U+FFFD. A good answer's `Upgrade`, `Connection` and
    /// `Sec-WebSocket-Accept` are not among them: they always say the same.
    ///
    /// ```
    /// use isosocket::native::Response;
    ///
    /// fn cookies(response: &Response) -> Vec<&str> {
    ///     let all = response.headers();
    ///     let cookies = all.filter(|(name, _)| name.eq_ignore_ascii_case("Set-Cookie"));
    ///     cookies.map(|(_, value)| value).collect()
    /// }
    /// ```
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The start of a refusal's body, at most 1 KiB, as far as it came within a second
    /// after the headers. Chunks (RFC 9112, section 7.1) are joined; a compressed body is
    /// as it came. A good answer has none.
    ///
    /// ```
    /// use isosocket::native::Response;
    ///
    /// fn reason(response: &Response) -> String {
    ///     String::from_utf8_lossy(response.body()).trim().to_owned()
    /// }
    /// ```
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.headers().map(|(name, _)| name).collect();
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("headers", &names)
            .field("body", &format_args!("{} bytes", self.body.len()))
            .finish()
    }
}

/// The cause of a refused handshake's error event.
#[derive(Debug, Error)]
#[error("the server answered with status {}", response.status)]
pub(crate) struct Refused {
    pub(crate) response: Response,
}

/// What natively is known of a failure in addition.
///
/// ```
/// use isosocket::ErrorEvent;
/// use isosocket::native::ErrorEventExt;
///
/// assert!(ErrorEvent::new("no network").response().is_none());
/// ```
pub trait ErrorEventExt: sealed::Sealed {
    /// The server's answer to an opening handshake that it refused
    /// ([`HandshakeRefused`](isosocket_core::ErrorKind::HandshakeRefused)): status,
    /// headers, and the start of the body. `None` for all other failures.
    ///
    /// ```no_run
    /// use isosocket::native::ErrorEventExt;
    /// use isosocket::{OpenError, WebSocket};
    ///
    /// # async fn open() {
    /// match WebSocket::open("wss://example.org/feed").await {
    ///     Ok(socket) => drop(socket),
    ///     Err(OpenError::Failed(error)) => match error.response() {
    ///         Some(response) => println!("refused: {}", response.status()),
    ///         None => println!("{error:#}"),
    ///     },
    ///     Err(error) => println!("{error}"),
    /// }
    /// # }
    /// ```
    fn response(&self) -> Option<&Response>;
}

impl ErrorEventExt for ErrorEvent {
    fn response(&self) -> Option<&Response> {
        let refused: &Refused = self.source()?.downcast_ref()?;
        Some(&refused.response)
    }
}

mod sealed {
    pub trait Sealed {}

    impl Sealed for super::ErrorEvent {}
}
