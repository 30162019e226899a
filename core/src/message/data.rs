//! The types that can be sent.
//!
//! Invariant: strings are text and bytes are binary, whatever points to them.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::{Binary, Message, MessageRef, Text};

/// What can be sent: strings as text, bytes as binary, and any [`Message`] as
/// it is.
///
/// - Text: `&str`, `String`, [`Text`], `Box<str>`.
/// - Binary: `&[u8]`, `Vec<u8>`, `[u8; N]`, [`Binary`], `Box<[u8]>`, and `Bytes`
///   and `BytesMut` of the crate `bytes`.
/// - Both: [`Message`], [`MessageRef`], and references, `Cow`, `Rc` and `Arc` of
///   everything here.
///
/// A borrowed value is copied once, into the bytes for the network. A type of the program can be
/// sent, too, if it implements [`as_message`](Data::as_message).
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
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent as a WebSocket message",
    label = "neither text nor bytes",
    note = "strings are sent as text; `Vec<u8>`, `&[u8]`, `[u8; N]` and `Bytes` as binary; a `Message` as it is",
    note = "turn other values into one of these, for instance by `to_string()` or `to_le_bytes()`; with the feature `json` there is `send_json(&value)`"
)]
pub trait Data {
    /// The payload, borrowed.
    ///
    /// ```
    /// use isosocket::{Data, MessageRef, Message};
    ///
    /// enum Command {
    ///     Left,
    ///     Right,
    /// }
    ///
    /// impl Data for Command {
    ///     fn as_message(&self) -> MessageRef<'_> {
    ///         MessageRef::Text(match self {
    ///             Command::Left => "left",
    ///             Command::Right => "right",
    ///         })
    ///     }
    /// }
    ///
    /// assert_eq!("hello".as_message(), MessageRef::Text("hello"));
    /// assert_eq!(Command::Left.as_message(), MessageRef::Text("left"));
    /// ```
    fn as_message(&self) -> MessageRef<'_>;

    /// The payload as a message of its own. Copies only what is borrowed.
    ///
    /// ```
    /// use isosocket::{Data, Message};
    ///
    /// assert_eq!(String::from("hello").into_message(), Message::from("hello"));
    /// ```
    fn into_message(self) -> Message
    where
        Self: Sized,
    {
        self.to_message()
    }

    /// The same of a borrowed value. What is cheap to clone is not copied.
    ///
    /// ```
    /// use isosocket::{Data, Message};
    ///
    /// assert_eq!("hello".to_message(), Message::from("hello"));
    /// ```
    fn to_message(&self) -> Message {
        self.as_message().to_message()
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

    fn to_message(&self) -> Message {
        self.clone()
    }
}

impl Data for MessageRef<'_> {
    fn as_message(&self) -> MessageRef<'_> {
        *self
    }
}

impl private::NotMessage for MessageRef<'_> {}

/// Values that are borrowed as they are, and kept without a copy.
macro_rules! owned {
    ($($kind:ident: $($type:ty),+;)+) => {$($(
        impl Data for $type {
            fn as_message(&self) -> MessageRef<'_> {
                MessageRef::$kind(self.as_ref())
            }

            fn into_message(self) -> Message {
                Message::$kind(self.into())
            }
        }

        impl private::NotMessage for $type {}
    )+)+};
}

owned! {
    Text: String, Box<str>;
    Binary: Vec<u8>, Box<[u8]>, BytesMut;
}

/// Values whose clones share their memory.
macro_rules! shared {
    ($($kind:ident: $($type:ty),+;)+) => {$($(
        impl Data for $type {
            fn as_message(&self) -> MessageRef<'_> {
                MessageRef::$kind(self.as_ref())
            }

            fn into_message(self) -> Message {
                Message::$kind(self.into())
            }

            fn to_message(&self) -> Message {
                self.clone().into_message()
            }
        }

        impl private::NotMessage for $type {}
    )+)+};
}

shared! {
    Text: Text;
    Binary: Binary, Bytes;
}

impl Data for str {
    fn as_message(&self) -> MessageRef<'_> {
        MessageRef::Text(self)
    }
}

impl Data for [u8] {
    fn as_message(&self) -> MessageRef<'_> {
        MessageRef::Binary(self)
    }
}

impl<const N: usize> Data for [u8; N] {
    fn as_message(&self) -> MessageRef<'_> {
        MessageRef::Binary(self)
    }
}

impl<const N: usize> private::NotMessage for [u8; N] {}

/// What points to something that can be sent.
macro_rules! pointers {
    ($($type:ty),+) => {$(
        impl<D: Data + ?Sized> Data for $type {
            fn as_message(&self) -> MessageRef<'_> {
                (**self).as_message()
            }

            fn to_message(&self) -> Message {
                (**self).to_message()
            }
        }

        impl<D: Data + ?Sized> private::NotMessage for $type {}
    )+};
}

pointers! { &D, &mut D, Rc<D>, Arc<D> }

impl<D> Data for Cow<'_, D>
where
    D: Data + ToOwned<Owned: Data> + ?Sized,
{
    fn as_message(&self) -> MessageRef<'_> {
        (**self).as_message()
    }

    fn into_message(self) -> Message {
        match self {
            Cow::Borrowed(data) => data.to_message(),
            Cow::Owned(data) => data.into_message(),
        }
    }
}

impl<D> private::NotMessage for Cow<'_, D> where D: Data + ToOwned<Owned: Data> + ?Sized {}

mod private {
    /// Everything that is [`Data`](super::Data) but not a `Message` already.
    pub trait NotMessage {}
}
