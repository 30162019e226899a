//! Gets the host's `WebSocket` from a handle, and makes a socket from a host's `WebSocket`.
//!
//! Invariant: only pages that use one of the two contain this code.

use isosocket_core::{Builder, Configure, NewError, Rare, Reconnect, Request, WebSocket};
use wasm_bindgen::JsValue;

use crate::Web;
use crate::js::{self, MembersExt};
use crate::microtask::{self, Job};
use crate::options::{Opened, Opener, WebOptions};
use crate::stream::Stream;
use crate::threads::Local;

/// The member by which an object says that a socket uses it. All modules on a page see it.
const USED: &str = "isosocket";

/// What only a socket of the web has: the host's object.
///
/// ```no_run
/// # mod isosocket { pub use isosocket_core::*; pub use isosocket_web as web; pub type WebSocket = isosocket_core::WebSocket<web::Web>; }
/// use isosocket::web::WebSocketExt;
/// use isosocket::{NewError, WebSocket};
///
/// # fn main() -> Result<(), NewError> {
/// let socket = WebSocket::new("wss://example.org/feed")?;
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
    /// sent in order with the socket's own messages. The object of a reconnecting socket is
    /// that of the current connection. It has none while it waits for the next attempt.
    ///
    /// `None` on another thread than the socket's, for a socket with a
    /// [receive limit](crate::BuilderExt::receive_limit) that goes over
    /// `WebSocketStream`, for one that the host did not allow, and under a mock network.
    ///
    /// ```no_run
    /// # mod isosocket { pub use isosocket_core::*; pub use isosocket_web as web; pub type WebSocket = isosocket_core::WebSocket<web::Web>; }
    /// use isosocket::web::WebSocketExt;
    /// use isosocket::{NewError, WebSocket};
    ///
    /// # fn main() -> Result<(), NewError> {
    /// let socket = WebSocket::new("wss://example.org/feed")?;
    /// let object: Option<web_sys::WebSocket> = socket.web_sys();
    /// # Ok(())
    /// # }
    /// ```
    fn web_sys(&self) -> Option<web_sys::WebSocket>;
}

impl WebSocketExt for WebSocket<Web> {
    fn web_sys(&self) -> Option<web_sys::WebSocket> {
        object_of(self.transport()?)
    }
}

impl WebSocketExt for WebSocket<Reconnect<Web>> {
    fn web_sys(&self) -> Option<web_sys::WebSocket> {
        self.transport()?.with_connection(object_of)?
    }
}

fn object_of(web: &Web) -> Option<web_sys::WebSocket> {
    let object = web.connection()?.host_socket()?.clone();
    object.set(USED, &JsValue::TRUE);
    Some(object)
}

/// Describes a socket that takes over a `WebSocket` of the host, which is connecting or
/// open. It may come from JavaScript, or from another crate.
///
/// `Open` follows in both cases. Messages that came before `connect` are not seen. The
/// socket takes the object's `on..` attributes and sets its `binaryType`. The object's
/// subprotocols cannot be changed. The other options apply. Call this function, and
/// `connect`, on the object's thread.
///
/// ```no_run
/// # mod isosocket { pub use isosocket_core::*; pub use isosocket_web as web; pub type WebSocket = isosocket_core::WebSocket<web::Web>; }
/// use isosocket::{NewError, WebSocket};
///
/// fn take_over(object: web_sys::WebSocket) -> Result<WebSocket, NewError> {
///     isosocket::web::from_web_sys(object)
///         .on_message(|_, message| println!("{message:?}"))
///         .connect()
/// }
/// ```
///
/// `connect` fails with [`NewError::Option`] if the object is closing or closed, if another
/// socket uses it, or on another thread. It fails with [`NewError::OptionNotSupported`] for a
/// [receive limit](crate::BuilderExt::receive_limit), because a `WebSocket` cannot stop
/// reading, unless the program allows unlimited memory.
pub fn from_web_sys(object: web_sys::WebSocket) -> Builder<Web> {
    let mut builder = WebSocket::<Web>::builder(object.get("url").unwrap_or_default());
    let existing = Box::new(Existing(Local::new(object)));
    builder.native_mut().opener = Rare::new(existing);
    builder
}

/// The object stays on its thread, and is dropped there, wherever the builder is.
struct Existing(Local<web_sys::WebSocket>);

impl Opener for Existing {
    fn open(
        &self,
        request: &Request<WebOptions>,
        _: &mut Rare<Box<dyn Stream>>,
    ) -> Result<Opened, NewError> {
        let refused = |why: &str| Err(NewError::Option(format!("a WebSocket object {why}")));
        if request.native.receive_limit > 0 && !request.native.allow_unlimited {
            return Err(NewError::OptionNotSupported("receive_limit"));
        }
        let Some(object) = self.0.get() else {
            return refused("cannot leave its thread");
        };
        let state = object.ready_state();
        if state > web_sys::WebSocket::OPEN {
            return refused("that is closing or closed cannot be taken over");
        }
        // Two sockets would take each other's events (S97).
        if object.member(USED).is_truthy() {
            return refused("cannot serve two sockets");
        }
        object.set(USED, &JsValue::TRUE);
        if state == web_sys::WebSocket::OPEN {
            // The host does not fire `open` again. The connection listens before this job runs.
            let object = self.0.clone();
            microtask::push(Job::Call(Box::new(move || {
                object.visit(|object| drop(js::call(&object.member("onopen"))));
            })));
        }
        Ok(Ok(web_sys::WebSocket::clone(object)))
    }

    fn another(&self) -> Box<dyn Opener> {
        Box::new(Existing(self.0.clone()))
    }
}
