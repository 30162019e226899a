//! Messages: what a program sends and receives, cheap to clone.
//!
//! What converts to and from a message is in `conversions.rs` and `data.rs`.

pub(crate) mod binary;
mod conversions;
pub(crate) mod data;
pub(crate) mod not_text;
pub(crate) mod text;

use std::fmt;

use bytes::Bytes;

use crate::{Binary, Data, NotText, Text};

/// At most this many bytes of a payload are shown by `Debug`.
const SHOWN: usize = 64;

/// One message: text or binary.
///
/// Everything that can be sent ([`Data`]) converts into a message by
/// `Message::from`. A message converts into `Vec<u8>` and `Bytes`, and by
/// `TryFrom` into `String` and `Text`, where it is text. It is compared directly
/// with strings and bytes. `Display` shows a text message's text. `Debug` shows
/// the kind, the length, and at most the first 64 bytes.
///
/// ```
/// use isosocket::Message;
///
/// let message = Message::from("hello");
/// assert_eq!(message, "hello");
/// assert_eq!(message.as_text(), Some("hello"));
/// assert_eq!(message.as_bytes(), b"hello");
/// assert_eq!(format!("{message} {message:?}"), r#"hello Text("hello", 5 bytes)"#);
/// assert_eq!(Message::from(vec![0, 1]), [0, 1]);
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Message {
    /// UTF-8 text.
    Text(Text),
    /// Any bytes.
    Binary(Binary),
}

impl Message {
    /// The text, if it is a text message.
    ///
    /// ```
    /// use isosocket::Message;
    ///
    /// assert_eq!(Message::from("hello").as_text(), Some("hello"));
    /// assert_eq!(Message::from(b"hello").as_text(), None);
    /// ```
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Message::Text(text) => Some(text),
            Message::Binary(_) => None,
        }
    }

    /// The text, to keep, if it is a text message. It is not copied.
    ///
    /// `String::try_from(message)` does the same, and gives a `String`.
    ///
    /// ```
    /// use isosocket::Message;
    ///
    /// let text = Message::from("hello").into_text()?;
    /// assert_eq!(text, "hello");
    /// assert!(Message::from(b"hello").into_text().is_err());
    /// # Ok::<(), isosocket::NotText>(())
    /// ```
    ///
    /// # Errors
    /// [`NotText`] for a binary message, which is in the error.
    pub fn into_text(self) -> Result<Text, NotText> {
        match self {
            Message::Text(text) => Ok(text),
            binary => Err(NotText::new(binary)),
        }
    }

    /// The payload: a text's UTF-8 bytes, or the binary data.
    ///
    /// ```
    /// use isosocket::Message;
    ///
    /// assert_eq!(Message::from("é").as_bytes(), [0xC3, 0xA9]);
    /// assert_eq!(Message::from([1, 2]).as_bytes(), [1, 2]);
    /// ```
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Message::Text(text) => text.as_str().as_bytes(),
            Message::Binary(data) => data,
        }
    }

    /// The payload. At most 32 bytes are copied; more are shared.
    ///
    /// ```
    /// use isosocket::Message;
    ///
    /// let payload = Message::from(vec![1, 2, 3]).into_bytes();
    /// assert_eq!(payload.slice(1..), [2, 3][..]);
    /// ```
    pub fn into_bytes(self) -> Bytes {
        match self {
            Message::Text(text) => text.into_bytes(),
            Message::Binary(data) => data.into_bytes(),
        }
    }

    /// Whether this is a text message.
    ///
    /// ```
    /// use isosocket::Message;
    ///
    /// assert!(Message::from("1").is_text());
    /// ```
    pub fn is_text(&self) -> bool {
        matches!(self, Message::Text(_))
    }

    /// Whether this is a binary message.
    ///
    /// ```
    /// use isosocket::Message;
    ///
    /// assert!(Message::from([1]).is_binary());
    /// ```
    pub fn is_binary(&self) -> bool {
        matches!(self, Message::Binary(_))
    }

    /// The payload's length in bytes (for text, of its UTF-8).
    ///
    /// ```
    /// use isosocket::Message;
    ///
    /// assert_eq!(Message::from("grüße").len(), 7);
    /// ```
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// What it counts for where messages wait; see [`weight`].
    pub(crate) fn weight(&self) -> usize {
        weight(self.len())
    }

    /// Whether the payload is empty. Empty messages are messages.
    ///
    /// ```
    /// use isosocket::Message;
    ///
    /// assert!(Message::from("").is_empty());
    /// assert_ne!(Message::from(""), Message::from([]));
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a message of so many payload bytes counts for in every limit of waiting
/// messages. A short one occupies memory as well, so each counts for at least 64 bytes:
/// otherwise any number of empty messages would fit.
#[doc(hidden)]
#[inline]
pub const fn weight(payload: usize) -> usize {
    const LEAST: usize = 64;
    if payload < LEAST { LEAST } else { payload }
}

/// A borrowed message.
///
/// ```
/// use isosocket::{Data, MessageRef};
///
/// /// What a program writes to its log of everything it sends.
/// fn summary(data: &impl Data) -> String {
///     match data.as_message() {
///         MessageRef::Text(text) => text.chars().take(20).collect(),
///         MessageRef::Binary(bytes) => format!("{} bytes", bytes.len()),
///     }
/// }
///
/// assert_eq!(summary(&"hello"), "hello");
/// assert_eq!(summary(&[0; 64]), "64 bytes");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum MessageRef<'a> {
    /// UTF-8 text.
    Text(&'a str),
    /// Any bytes.
    Binary(&'a [u8]),
}

impl<'a> MessageRef<'a> {
    /// The payload: a text's UTF-8 bytes, or the binary data.
    ///
    /// ```
    /// use isosocket::MessageRef;
    ///
    /// assert_eq!(MessageRef::Text("hello").as_bytes(), b"hello");
    /// ```
    pub fn as_bytes(self) -> &'a [u8] {
        match self {
            MessageRef::Text(text) => text.as_bytes(),
            MessageRef::Binary(data) => data,
        }
    }

    /// A message of its own, with a copy of the payload.
    ///
    /// ```
    /// use isosocket::{Message, MessageRef};
    ///
    /// assert_eq!(MessageRef::Text("hello").to_message(), Message::from("hello"));
    /// ```
    pub fn to_message(self) -> Message {
        match self {
            MessageRef::Text(text) => Message::Text(text.into()),
            MessageRef::Binary(data) => Message::Binary(data.into()),
        }
    }
}

/// The text of a text message; of a binary one, that it is binary, and its length.
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Text(text) => f.pad(text),
            Message::Binary(data) => write!(f, "binary message of {}", Count(data.len())),
        }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.as_message(), f)
    }
}

/// The kind, the beginning, and the length: a payload may have any size.
impl fmt::Debug for MessageRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = Count(self.as_bytes().len());
        match self {
            MessageRef::Text(text) => {
                let (shown, more) = beginning(text);
                write!(f, "Text({shown:?}{more}, {length})")
            }
            MessageRef::Binary(data) => {
                let shown = data.get(..SHOWN).unwrap_or(data);
                let more = if shown.len() < data.len() { "…" } else { "" };
                write!(f, "Binary(b\"{}\"{more}, {length})", shown.escape_ascii())
            }
        }
    }
}

/// At most [`SHOWN`] bytes of a text, and what shows that there is more.
pub(crate) fn beginning(text: &str) -> (&str, &'static str) {
    if text.len() <= SHOWN {
        return (text, "");
    }
    let cut = (0..=SHOWN).rfind(|&cut| text.is_char_boundary(cut));
    (&text[..cut.unwrap_or(0)], "…")
}

/// So many bytes, in words.
pub(crate) struct Count(pub(crate) usize);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.0 == 1 { "" } else { "s" };
        write!(f, "{} byte{plural}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_text_and_bytes_are_binary() {
        for message in [
            Message::from("a"),
            Message::from("a".to_owned()),
            Message::from(&"a".to_owned()),
            Message::from(Text::from("a")),
        ] {
            assert_eq!(message.as_text(), Some("a"));
        }
        for message in [
            Message::from(b"a"),
            Message::from([97u8]),
            Message::from(vec![97u8]),
            Message::from(&[97u8][..]),
            Message::from(Bytes::from_static(b"a")),
        ] {
            assert_eq!((message.as_text(), message.as_bytes()), (None, &b"a"[..]));
        }
    }

    #[test]
    fn a_message_is_the_same_wherever_its_payload_is() {
        use std::collections::HashSet;

        // Shared by what is given to keep, in the value by what is copied, up to 32.
        for length in [0, 1, 31, 32, 33, 200] {
            let text = "x".repeat(length);
            let messages = [
                [Message::from(text.clone()), Message::from(&*text)],
                [
                    Message::from(text.clone().into_bytes()),
                    Message::from(text.as_bytes()),
                ],
            ];
            for [kept, copied] in messages {
                assert_eq!(kept, copied);
                assert_eq!(copied.len(), length);
                assert_eq!(copied.clone().into_bytes(), kept.clone().into_bytes());
                assert_eq!(HashSet::from([kept]), HashSet::from([copied]));
            }
            // What follows a payload in the memory it is copied from is no part of it.
            let longer = [text.as_bytes(), &[0xFF; 40]].concat();
            let prefix = Binary::prefix(&longer, length, Bytes::copy_from_slice);
            assert_eq!(prefix, text.as_bytes());
        }
    }

    #[test]
    fn borrowing_and_owning_agree() {
        fn check<D: Data + Clone>(data: D) {
            let owned = data.clone().into_message();
            assert_eq!(data.as_message(), owned.as_message());
            assert_eq!(data.as_message().as_bytes(), owned.as_bytes());
        }
        check("text");
        check(String::from("text"));
        check(&[1u8, 2][..]);
        check([1u8, 2]);
        check(Message::from("x"));
        check(&Message::from(vec![3]));
    }
}
