//! What a native socket can do in addition to what every socket can.

use std::sync::Arc;
use std::time::{Duration, Instant};

use isosocket_core::{Reconnect, WebSocket};

use crate::driver::blocking::{self, SendReadyError};
use crate::{Native, Response, system};

/// What only native sockets can do: show the server's answer, and block a thread until
/// there is room to send.
///
/// ```no_run
/// use isosocket::WebSocket;
/// use isosocket::native::SocketExt;
///
/// # async fn open() -> Result<(), isosocket::OpenError> {
/// let socket = WebSocket::open("wss://example.org/feed").await?;
/// if let Some(response) = socket.response() {
///     println!("served by {:?}", response.header("Server"));
/// }
/// # Ok(())
/// # }
/// ```
pub trait SocketExt: sealed::Sealed {
    /// The server's answer to the opening handshake, with its headers. `None` before the
    /// socket is open for the first time. Of a reconnecting socket it is that of the
    /// current connection, and `None` while there is none.
    ///
    /// ```no_run
    /// use isosocket::WebSocket;
    /// use isosocket::native::SocketExt;
    ///
    /// # fn main() -> Result<(), isosocket::NewError> {
    /// let socket = WebSocket::builder("wss://example.org/feed")
    ///     .on_open(|socket| {
    ///         let response = socket.response().expect("there is one once it is open");
    ///         println!("session {:?}", response.header("X-Session"));
    ///     })
    ///     .connect()?;
    /// # Ok(())
    /// # }
    /// ```
    fn response(&self) -> Option<Arc<Response>>;

    /// Blocks this thread until the socket is open and little is buffered: what
    /// [`send_ready`](WebSocket::send_ready) is for async code. It also returns when the
    /// socket is closing or closed; `send` then returns the error.
    ///
    /// ```no_run
    /// use isosocket::WebSocket;
    /// use isosocket::native::SocketExt;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let socket = WebSocket::new("wss://example.org/upload")?;
    /// for line in std::io::stdin().lines() {
    ///     socket.send_ready_blocking()?; // no faster than the network
    ///     socket.send(line?)?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A peer that answers each message stops reading when nobody reads its answers. So if
    /// the program has a stream of this socket, another thread must read it meanwhile.
    ///
    /// # Errors
    /// [`SendReadyError::InHandler`] in a handler, unless there is room.
    fn send_ready_blocking(&self) -> Result<(), SendReadyError>;

    /// Blocks this thread until there is room to send, but no longer than `timeout`. A
    /// timeout of zero only asks.
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use isosocket::WebSocket;
    /// use isosocket::native::{SendReadyError, SocketExt};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let socket = WebSocket::new("wss://example.org/camera")?;
    /// # let picture = vec![0; 100_000];
    /// match socket.send_ready_timeout(Duration::from_millis(40)) {
    ///     Ok(()) => socket.send(picture)?,
    ///     Err(SendReadyError::TimedOut) => println!("the network is slow: skip a picture"),
    ///     Err(error) => println!("{error}"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for [`send_ready_blocking`](Self::send_ready_blocking), and
    /// [`SendReadyError::TimedOut`].
    fn send_ready_timeout(&self, timeout: Duration) -> Result<(), SendReadyError>;

    /// Blocks this thread until there is room to send, but not past `deadline`.
    ///
    /// ```no_run
    /// use std::time::{Duration, Instant};
    /// use isosocket::WebSocket;
    /// use isosocket::native::SocketExt;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let socket = WebSocket::new("wss://example.org/upload")?;
    /// // A minute for all parts together.
    /// let deadline = Instant::now() + Duration::from_secs(60);
    /// for part in [vec![0; 1 << 20], vec![1; 1 << 20]] {
    ///     socket.send_ready_deadline(deadline)?;
    ///     socket.send(part)?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for [`send_ready_timeout`](Self::send_ready_timeout).
    fn send_ready_deadline(&self, deadline: Instant) -> Result<(), SendReadyError>;
}

macro_rules! blocking_methods {
    () => {
        fn send_ready_blocking(&self) -> Result<(), SendReadyError> {
            blocking::send_ready(self, None)
        }

        fn send_ready_timeout(&self, timeout: Duration) -> Result<(), SendReadyError> {
            // A deadline beyond the clock's range is none.
            blocking::send_ready(self, system::now().checked_add(timeout))
        }

        fn send_ready_deadline(&self, deadline: Instant) -> Result<(), SendReadyError> {
            blocking::send_ready(self, Some(deadline))
        }
    };
}

impl SocketExt for WebSocket<Native> {
    fn response(&self) -> Option<Arc<Response>> {
        self.transport()?.response()
    }

    blocking_methods!();
}

impl SocketExt for WebSocket<Reconnect<Native>> {
    fn response(&self) -> Option<Arc<Response>> {
        self.transport()?.with_connection(Native::response)?
    }

    blocking_methods!();
}

mod sealed {
    pub trait Sealed {}

    impl Sealed for super::WebSocket<super::Native> {}
    impl Sealed for super::WebSocket<super::Reconnect<super::Native>> {}
}
