//! The transport: what core asks of a connection, passed on to the thread on
//! which its JavaScript object lives.

use std::fmt;
use std::rc::Rc;

use isosocket_core::{Link, MessageRef, NewError, Refusal, Request, SyntaxError, Transport};

use crate::connection::Connection;
use crate::host::WebHost;
use crate::js::{self, Url};
use crate::local::Local;
use crate::microtask::{self, Job};
use crate::ports;

/// A connection of the JavaScript host's own `WebSocket`.
///
/// See the [crate's documentation](crate) for threads.
pub struct Web {
    connection: Local<Connection>,
}

impl Web {
    /// The connection; `None`, with a line in the log, on another thread.
    #[inline]
    fn connection(&self) -> Option<&Rc<Connection>> {
        let connection = self.connection.get();
        if connection.is_none() {
            log::error!("a socket must be used on the thread that made it");
        }
        connection
    }
}

impl Transport for Web {
    type Options = ();
    type Host = WebHost;

    fn host() -> WebHost {
        WebHost::default()
    }

    fn supported() -> bool {
        js::has_web_socket()
    }

    fn new(request: Request<()>) -> Result<(Self, String), NewError> {
        if !Web::supported() {
            return Err(NewError::NotSupported);
        }
        let malformed = |message: Option<String>| {
            NewError::Syntax(SyntaxError::Url(message.unwrap_or_default()))
        };
        // Not the object's own `url`: Deno's lacks the user info (S12), and a
        // connection that is not allowed has no object.
        let url = Url::new(&request.url).map_err(|thrown| malformed(thrown.message()))?;
        let socket = if ports::is_blocked(&url.port()) {
            None
        } else {
            match js::open(&request.url, request.subprotocols) {
                Ok(socket) => Some(socket),
                Err(thrown) => {
                    let thrown: js::Thrown = thrown.into();
                    if thrown.name().as_deref() == Some("SyntaxError") {
                        return Err(malformed(thrown.message()));
                    }
                    // A `SecurityError`, for mixed content or by the page's
                    // policy, tells no more than a refusal does (S33).
                    None
                }
            }
        };
        let web = Web {
            connection: Local::new(Connection::new(socket, request.options)),
        };
        Ok((web, url.href()))
    }

    fn start(&self, link: Link<Self>) {
        if let Some(connection) = self.connection() {
            connection.start(link);
        }
    }

    #[inline]
    fn send(&self, message: MessageRef<'_>) -> Result<(), Refusal> {
        match self.connection() {
            Some(connection) => connection.send(message),
            None => Err(Refusal::Full),
        }
    }

    fn close(&self, frame: Option<(u16, &str)>) {
        if let Some(connection) = self.connection() {
            connection.close(frame);
        }
    }

    fn buffered_amount(&self) -> usize {
        self.connection()
            .map_or(0, |connection| connection.buffered_amount())
    }

    fn schedule(&self, link: Link<Self>) {
        if self.connection().is_some() {
            microtask::push(Job::Turn(link));
        }
    }

    fn watch_drain(&self, link: Link<Self>, mark: usize) {
        if let Some(connection) = self.connection() {
            connection.watch_drain(link, mark);
        }
    }

    fn detach(&self) {
        if let Some(connection) = self.connection() {
            connection.release();
        }
    }
}

impl fmt::Debug for Web {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Web").finish_non_exhaustive()
    }
}
