//! The types that a program can give as a URL.

use std::borrow::Cow;

/// The types that you can pass as a URL: `&str`, `String`, `&String`, `Cow<str>`, `Box<str>`,
/// and with the feature `url` also `Url` and `&Url`.
///
/// The URL is checked when a socket is made. A type of the program can implement this trait,
/// too, by one method:
///
/// ```
/// # let network = isosocket::mock::Network::new();
/// # network.peer("wss://example.org/rooms/7");
/// use isosocket::{IntoUrl, WebSocket};
///
/// struct Room(u32);
///
/// impl IntoUrl for Room {
///     fn into_url(self) -> String {
///         format!("wss://example.org/rooms/{}", self.0)
///     }
/// }
///
/// let socket = WebSocket::new(Room(7))?;
/// assert_eq!(socket.url(), "wss://example.org/rooms/7");
/// # network.finish();
/// # Ok::<(), isosocket::NewError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a URL here",
    label = "not a URL",
    note = "a URL is given as `&str`, `String` or `&String`, and with the feature `url` as `Url` or `&Url`"
)]
pub trait IntoUrl {
    /// The URL. It is not checked yet.
    ///
    /// ```
    /// use isosocket::IntoUrl;
    ///
    /// assert_eq!("wss://example.org/".into_url(), "wss://example.org/");
    /// ```
    fn into_url(self) -> String;
}

/// What a string is made of by `Into`.
macro_rules! strings {
    ($($type:ty),+) => {$(
        impl IntoUrl for $type {
            fn into_url(self) -> String {
                self.into()
            }
        }
    )+};
}

strings! { &str, String, &String, Cow<'_, str>, Box<str> }

impl IntoUrl for &&str {
    fn into_url(self) -> String {
        (*self).to_owned()
    }
}

#[cfg(feature = "url")]
impl IntoUrl for url::Url {
    fn into_url(self) -> String {
        self.into()
    }
}

#[cfg(feature = "url")]
impl IntoUrl for &url::Url {
    fn into_url(self) -> String {
        self.as_str().to_owned()
    }
}
