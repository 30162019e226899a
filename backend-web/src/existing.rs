//! Gets the host's `WebSocket` from a handle, and makes a socket from a host's `WebSocket`.
//!
//! Invariant: only pages that use one of the two contain this code.

use fragile::Fragile;
use isosocket_core::{Builder, Configure, NewError, Request, WebSocket};

use crate::Web;
use crate::js::{self, MembersExt};
use crate::microtask::{self, Job};
use crate::options::{Opened, Opener, WebOptions};
use crate::stream::Stream;

/// What only a socket of the web has: the host's object.
///
/// ```no_run
/// use isosocket_core::{NewError, WebSocket};
/// use isosocket_web::{Web, WebSocketExt};
///
/// # fn main() -> Result<(), NewError> {
/// let socket = WebSocket::<Web>::new("wss://example.org/feed")?;
/// if let Some(object) = socket.web_sys() {
///     println!("{}", object.url());
/// }
/// # Ok(())
/// # }
/// ```
pub trait WebSocketExt {
    /// The host's `WebSocket` behind this handle, for what this crate does not offer.
    ///
    /// The socket goes on using it: leave its `binaryType` and its `on..` attributes as
    /// they are, and add listeners by `addEventListener`. What is sent through it is
    /// sent in order with the socket's own messages.
    ///
    /// `None` on another thread than the socket's, for a socket with a
    /// [receive limit](crate::BuilderExt::receive_limit) that goes over
    /// `WebSocketStream`, for one that the host did not allow, and under a mock network.
    ///
    /// ```no_run
    /// use isosocket_core::{NewError, WebSocket};
    /// use isosocket_web::{Web, WebSocketExt};
    ///
    /// # fn main() -> Result<(), NewError> {
    /// let socket = WebSocket::<Web>::new("wss://example.org/feed")?;
    /// let object: Option<web_sys::WebSocket> = socket.web_sys();
    /// # Ok(())
    /// # }
    /// ```
    fn web_sys(&self) -> Option<web_sys::WebSocket>;
}

impl WebSocketExt for WebSocket<Web> {
    fn web_sys(&self) -> Option<web_sys::WebSocket> {
        self.transport()?.connection()?.host_socket().cloned()
    }
}

/// Describes a socket that takes over a `WebSocket` of the host, which is connecting or
/// open. It may come from JavaScript, or from another crate.
///
/// `Open` follows in both cases. Messages that came before `connect` are not seen. The
/// socket takes the object's `on..` attributes and sets its `binaryType`. It has
/// subprotocols already; the other options hold. Call it, and `connect`, on the object's
/// thread.
///
/// ```no_run
/// use isosocket_core::{NewError, WebSocket};
/// use isosocket_web::Web;
///
/// fn take_over(object: web_sys::WebSocket) -> Result<WebSocket<Web>, NewError> {
///     isosocket_web::from_web_sys(object)
///         .on_message(|_, message| println!("{message:?}"))
///         .connect()
/// }
/// ```
///
/// `connect` fails with [`NewError::Option`] if the object is closing or closed.
pub fn from_web_sys(object: web_sys::WebSocket) -> Builder<Web> {
    let mut builder = WebSocket::<Web>::builder(object.url());
    builder.native_mut().opener = Some(Box::new(Existing(Fragile::new(object))));
    builder
}

struct Existing(Fragile<web_sys::WebSocket>);

impl Opener for Existing {
    fn open(
        &self,
        _: &Request<WebOptions>,
        _: &mut Option<Box<dyn Stream>>,
    ) -> Result<Opened, NewError> {
        let refused = |why: &str| Err(NewError::Option(format!("a WebSocket object {why}")));
        let Ok(object) = self.0.try_get() else {
            return refused("cannot leave its thread");
        };
        let state = object.ready_state();
        if state > web_sys::WebSocket::OPEN {
            return refused("that is closing or closed cannot be taken over");
        }
        if state == web_sys::WebSocket::OPEN {
            // The host does not say so again. The connection listens by then.
            let object = Fragile::new(object.clone());
            microtask::push(Job::Call(Box::new(move || {
                let _ = js::call(&object.get().member("onopen"));
            })));
        }
        Ok(Ok(object.clone()))
    }

    fn another(&self) -> Box<dyn Opener> {
        Box::new(Existing(self.0.clone()))
    }
}
