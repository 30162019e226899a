//! The transport: what core asks of a connection, passed on to the thread on
//! which its JavaScript object lives.
//!
//! Invariant: a connection is used on its own thread only. The requests of one thread are done
//! in the order in which it made them.

use std::fmt;
#[cfg(feature = "web-sys")]
use std::rc::Rc;

use isosocket_core::{
    Link, MessageRef, NewError, Rare, Refusal, Request, SyntaxError, Transport,
    asks_for_subprotocols,
};

use crate::catch;
use crate::connection::{Connection, Forbidden};
use crate::host::WebHost;
use crate::js::{self, MembersExt, Url};
use crate::microtask::Job;
use crate::options::WebOptions;
use crate::ports;
use crate::threads::{Local, Outbox};

/// A connection of the JavaScript host's own `WebSocket`.
///
/// See the [crate's documentation](crate) for threads.
pub struct Web {
    connection: Local<Connection>,
    outbox: Outbox,
}

#[cfg(feature = "web-sys")]
impl Web {
    /// The connection; `None` on another thread.
    pub(crate) fn connection(&self) -> Option<&Rc<Connection>> {
        self.connection.get()
    }
}

impl Transport for Web {
    type Options = WebOptions;
    type Host = WebHost;

    // Browsers keep it to themselves.
    const REPORTS_REFUSALS: bool = false;
    const IS_ASKED_LATER: bool = true;

    fn host() -> WebHost {
        WebHost::default()
    }

    fn supported() -> bool {
        js::has_web_socket()
    }

    fn new(request: Request<WebOptions>) -> Result<(Self, String), NewError> {
        catch::install();
        // Not the host's message: Firefox's has the whole URL in it, secrets too.
        let malformed = || NewError::Syntax(SyntaxError::Url("it does not parse".to_owned()));
        // Not the object's own `url`: Deno's lacks the user info (S12), and a
        // connection that is not allowed has no object.
        let url = Url::new(&request.url).map_err(|_| malformed())?;
        let mut stream = Rare::NONE;
        // By names: each getter of web-sys takes 30 bytes more.
        let socket = if url.get("port").is_some_and(|port| ports::is_blocked(&port)) {
            Err(Forbidden::Port)
        } else {
            let opened = match request.native.opener.as_ref() {
                Some(opener) => opener.open(&request, &mut stream)?,
                None => js::open(&request.url, &request.subprotocols),
            };
            match opened {
                Ok(socket) => Ok(socket),
                Err(thrown) => {
                    if thrown.get("name").as_deref() == Some("SyntaxError") {
                        return Err(match twice(&request.subprotocols) {
                            Some(it) => SyntaxError::DuplicateSubprotocol(it).into(),
                            None => malformed(),
                        });
                    }
                    // A `SecurityError`, for mixed content or by the page's
                    // policy, says no more than a refusal does (S33).
                    Err(Forbidden::Host)
                }
            }
        };
        let outbox = Outbox::new(request.options.send_limit);
        let connection = Connection::new(socket, stream, request.options, outbox.clone());
        let web = Web {
            connection: Local::new(connection),
            outbox,
        };
        Ok((web, url.get("href").unwrap_or_default()))
    }

    fn start(&self, link: Link) {
        self.connection.visit(|connection| connection.start(link));
    }

    #[inline]
    fn send(&self, message: MessageRef<'_>) -> Result<(), Refusal> {
        match self.connection.get() {
            Some(connection) => connection.send(message),
            None => self.outbox.send(message, &self.connection),
        }
    }

    fn abort(&self) {
        self.connection.visit(|connection| connection.abort());
    }

    fn close(&self, frame: Option<(u16, &str)>) {
        if let Some(connection) = self.connection.get() {
            return connection.close(frame);
        }
        self.outbox.refuse();
        let frame = frame.map(|(code, reason)| (code, reason.to_owned()));
        self.connection.visit(move |connection| {
            connection.close(frame.as_ref().map(|(code, reason)| (*code, &**reason)));
        });
    }

    fn accepted(&self) -> (String, String) {
        let connection = self.connection.get();
        connection.map_or_else(Default::default, |connection| connection.accepted())
    }

    fn buffered_amount(&self) -> usize {
        match self.connection.get() {
            Some(connection) => connection.buffered_amount(),
            None => self.outbox.amount(&self.connection),
        }
    }

    fn schedule(&self, link: Link) {
        self.connection.thread().push(Job::turn(link, None));
    }

    fn watch_drain(&self, link: Link, mark: usize) {
        let watch = move |connection: &_| Connection::watch_drain(connection, link, mark);
        self.connection.visit(watch);
    }

    fn resume(&self) {
        self.connection.visit(|connection| connection.resume());
    }

    #[inline]
    fn attend(&self) {
        self.connection.thread().attend();
    }

    fn detach(&self) {
        // Another thread's `close` may be on its way.
        self.connection
            .visit_after(|connection| drop(connection.release()));
    }
}

/// S18: a subprotocol that is there in another case, too, which Node refuses as
/// a duplicate. The URL was parsed before.
fn twice(mut subprotocols: &[String]) -> Option<String> {
    if !asks_for_subprotocols() {
        return None;
    }
    while let Some((last, others)) = subprotocols.split_last() {
        if others.iter().any(|it| it.eq_ignore_ascii_case(last)) {
            return Some(last.clone());
        }
        subprotocols = others;
    }
    None
}

impl fmt::Debug for Web {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Web").finish_non_exhaustive()
    }
}
