//! Messages: what a program sends and receives, cheap to clone.

use bytes::Bytes;

use crate::{Binary, Event, Text};

/// One message: text or binary.
///
/// ```
/// use isosocket_core::Message;
///
/// let message = Message::from("hello");
/// assert_eq!(message.as_text(), Some("hello"));
/// assert_eq!(message.as_bytes(), b"hello");
/// assert!(Message::from(vec![0, 1]).is_binary());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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

    /// What it counts for where messages wait, in bytes: its payload, and the
    /// event it comes in, as a peer may send any number of empty ones.
    pub(crate) fn weight(&self) -> usize {
        self.len() + size_of::<Event>()
    }

    /// Whether the payload is empty. Empty messages are messages (S44).
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

impl<D: Data> From<D> for Message
where
    D: private::NotMessage,
{
    fn from(data: D) -> Message {
        data.into_message()
    }
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
            MessageRef::Text(text) => text.into_message(),
            MessageRef::Binary(data) => data.into_message(),
        }
    }
}

/// What can be sent: strings as text; vectors, slices and arrays of bytes as
/// binary; and any [`Message`] as it is.
///
/// A borrowed value is copied once, into the bytes that go to the wire.
///
/// ```
/// # let network = isosocket::mock::Network::new();
/// # let peer = network.peer("ws://peer/");
/// # peer.expect("typed").expect("two words").expect(vec![1, 2]);
/// use isosocket::{Data, SendError, WebSocket};
///
/// /// Sends when there is little in the way, and says whether it did.
/// fn send_if_idle(socket: &WebSocket, data: impl Data) -> Result<bool, SendError> {
///     match socket.buffered_amount() {
///         0 => socket.send(data).map(|()| true),
///         _ => Ok(false),
///     }
/// }
/// # let socket = network.block_on(WebSocket::open("ws://peer/")).unwrap();
/// # for data in [isosocket::Message::from("typed"), "two words".into(), vec![1, 2].into()] {
/// #     assert_eq!(send_if_idle(&socket, data), Ok(true));
/// #     network.run();
/// # }
/// # network.finish();
/// ```
pub trait Data {
    /// The payload, borrowed.
    ///
    /// ```
    /// use isosocket::{Data, MessageRef};
    ///
    /// assert_eq!("hello".as_message(), MessageRef::Text("hello"));
    /// ```
    fn as_message(&self) -> MessageRef<'_>;

    /// The payload as a message of its own. Copies only what is borrowed.
    ///
    /// ```
    /// use isosocket::{Data, Message};
    ///
    /// assert_eq!(String::from("hello").into_message(), Message::from("hello"));
    /// ```
    fn into_message(self) -> Message;
}

impl Data for Message {
    fn as_message(&self) -> MessageRef<'_> {
        match self {
            Message::Text(text) => MessageRef::Text(text),
            Message::Binary(data) => MessageRef::Binary(data),
        }
    }

    fn into_message(self) -> Message {
        self
    }
}

impl Data for &Message {
    fn as_message(&self) -> MessageRef<'_> {
        (**self).as_message()
    }

    fn into_message(self) -> Message {
        self.clone()
    }
}

macro_rules! data {
    ($($kind:ident: $($type:ty [$($generics:tt)*]),+;)+) => {$($(
        impl<$($generics)*> Data for $type {
            fn as_message(&self) -> MessageRef<'_> {
                MessageRef::$kind(self.as_ref())
            }

            fn into_message(self) -> Message {
                data!($kind self)
            }
        }

        impl<$($generics)*> private::NotMessage for $type {}
    )+)+};
    (Text $value:ident) => { Message::Text(ToText::to_text($value)) };
    (Binary $value:ident) => { Message::Binary(ToBinary::to_binary($value)) };
}

data! {
    Text: &str [], String [], &String [], Text [], &Text [];
    Binary: &[u8] [], Vec<u8> [], &Vec<u8> [], Bytes [], &Bytes [], Binary [], &Binary [],
        [u8; N] [const N: usize], &[u8; N] [const N: usize];
}

/// The conversions to owned text, each without a copy it can avoid.
trait ToText {
    fn to_text(self) -> Text;
}

impl ToText for &str {
    fn to_text(self) -> Text {
        self.into()
    }
}
impl ToText for String {
    fn to_text(self) -> Text {
        self.into()
    }
}
impl ToText for &String {
    fn to_text(self) -> Text {
        self.as_str().into()
    }
}
impl ToText for Text {
    fn to_text(self) -> Text {
        self
    }
}
impl ToText for &Text {
    fn to_text(self) -> Text {
        self.clone()
    }
}

/// The conversions to owned data, each without a copy it can avoid.
trait ToBinary {
    fn to_binary(self) -> Binary;
}

impl ToBinary for &[u8] {
    fn to_binary(self) -> Binary {
        self.into()
    }
}
impl ToBinary for Vec<u8> {
    fn to_binary(self) -> Binary {
        self.into()
    }
}
impl ToBinary for &Vec<u8> {
    fn to_binary(self) -> Binary {
        self.as_slice().into()
    }
}
impl ToBinary for Bytes {
    fn to_binary(self) -> Binary {
        self.into()
    }
}
impl ToBinary for &Bytes {
    fn to_binary(self) -> Binary {
        self.clone().into()
    }
}
impl ToBinary for Binary {
    fn to_binary(self) -> Binary {
        self
    }
}
impl ToBinary for &Binary {
    fn to_binary(self) -> Binary {
        self.clone()
    }
}
impl<const N: usize> ToBinary for [u8; N] {
    fn to_binary(self) -> Binary {
        self.into()
    }
}
impl<const N: usize> ToBinary for &[u8; N] {
    fn to_binary(self) -> Binary {
        self.into()
    }
}

mod private {
    /// Everything that is [`Data`](super::Data) but not a `Message` already.
    pub trait NotMessage {}
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
