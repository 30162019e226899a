//! Conversions of messages to other types, and comparisons with text and bytes.

use bytes::Bytes;

use crate::{Message, NotText, Text};

impl TryFrom<Message> for Text {
    type Error = NotText;

    fn try_from(message: Message) -> Result<Self, NotText> {
        message.into_text()
    }
}

impl TryFrom<Message> for String {
    type Error = NotText;

    fn try_from(message: Message) -> Result<Self, NotText> {
        message.into_text().map(String::from)
    }
}

impl<'a> TryFrom<&'a Message> for &'a str {
    type Error = NotText;

    fn try_from(message: &'a Message) -> Result<Self, NotText> {
        message
            .as_text()
            .ok_or_else(|| NotText::new(message.clone()))
    }
}

impl From<Message> for Bytes {
    fn from(message: Message) -> Self {
        message.into_bytes()
    }
}

impl From<Message> for Vec<u8> {
    fn from(message: Message) -> Self {
        match message {
            Message::Text(text) => text.into_bytes().into(),
            Message::Binary(data) => data.into(),
        }
    }
}

impl AsRef<[u8]> for Message {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

/// Compares a message with text or bytes. The kinds must agree, too.
macro_rules! equal {
    ($($method:ident: $([$($generics:tt)*] $type:ty),+;)+) => {$($(
        impl<$($generics)*> PartialEq<$type> for Message {
            fn eq(&self, other: &$type) -> bool {
                self.$method(other)
            }
        }

        impl<$($generics)*> PartialEq<Message> for $type {
            fn eq(&self, other: &Message) -> bool {
                other.$method(self)
            }
        }
    )+)+};
}

equal! {
    is_the_text: [] str, [] &str, [] String, [] Text;
    are_the_bytes: [] [u8], [] &[u8], [] Vec<u8>, [] Bytes,
        [const N: usize] [u8; N], [const N: usize] &[u8; N];
}

impl Message {
    fn is_the_text(&self, other: &(impl AsRef<str> + ?Sized)) -> bool {
        self.as_text() == Some(other.as_ref())
    }

    fn are_the_bytes(&self, other: &(impl AsRef<[u8]> + ?Sized)) -> bool {
        self.is_binary() && self.as_bytes() == other.as_ref()
    }
}
