//! The data of text messages.

#![allow(
    clippy::useless_conversion,
    reason = "where there are threads, `SharedText` is `ByteString`"
)]

use std::fmt;
use std::ops::Deref;

use arrayvec::ArrayString;
use bytes::Bytes;
use bytestring::ByteString;

use crate::base::maybe_send::SharedText;
use crate::message::binary::{INLINE, by_content};

/// Text that is known to be UTF-8 and cheap to clone; derefs to [`str`].
///
/// ```
/// use isosocket_core::Text;
///
/// let text = Text::from("grüße");
/// assert_eq!(text.len(), 7); // bytes, as for any str
/// assert_eq!(text.clone(), "grüße");
/// ```
#[derive(Clone)]
pub struct Text(Repr);

/// As of binary data.
#[derive(Clone)]
enum Repr {
    Inline(ArrayString<INLINE>),
    Shared(SharedText),
}

impl Text {
    /// The text as a string slice.
    ///
    /// ```
    /// use isosocket::Text;
    ///
    /// assert_eq!(Text::from("hello").as_str(), "hello");
    /// ```
    #[inline]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Inline(text) => text,
            Repr::Shared(text) => text,
        }
    }

    /// The text's UTF-8 bytes. At most 32 bytes are copied; more are shared.
    ///
    /// ```
    /// use isosocket::Text;
    ///
    /// assert_eq!(Text::from("grüße").into_bytes(), "grüße".as_bytes());
    /// ```
    pub fn into_bytes(self) -> Bytes {
        match self.0 {
            Repr::Inline(text) => Bytes::copy_from_slice(text.as_bytes()),
            Repr::Shared(text) => text.into_bytes(),
        }
    }

    /// A copy, by `share` unless it is short enough to be kept in the value.
    #[doc(hidden)]
    #[inline]
    pub fn copied(text: &str, share: impl FnOnce(&str) -> ByteString) -> Self {
        Text(match ArrayString::from(text) {
            Ok(short) => Repr::Inline(short),
            Err(_) => Repr::Shared(share(text).into()),
        })
    }
}

impl Deref for Text {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl Default for Text {
    fn default() -> Self {
        Text(Repr::Inline(ArrayString::new()))
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        // Not by `copied`: a page would load the code of `ByteString`.
        Text(match ArrayString::from(text) {
            Ok(short) => Repr::Inline(short),
            Err(_) => Repr::Shared(text.to_owned().into()),
        })
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Text(match ArrayString::from(&text) {
            Ok(short) => Repr::Inline(short),
            Err(_) => Repr::Shared(text.into()),
        })
    }
}

impl From<Box<str>> for Text {
    fn from(text: Box<str>) -> Self {
        String::from(text).into()
    }
}

#[doc(hidden)]
impl From<ByteString> for Text {
    fn from(text: ByteString) -> Self {
        Text(Repr::Shared(text.into()))
    }
}

impl From<Text> for String {
    fn from(text: Text) -> String {
        text.as_str().to_owned()
    }
}

by_content!(Text: str);
