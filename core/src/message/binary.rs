//! The data of binary messages.

#![allow(
    clippy::useless_conversion,
    reason = "where there are threads, `SharedBytes` is `Bytes`"
)]

use std::ops::Deref;

use bytes::{Bytes, BytesMut};

use crate::base::maybe_send::{Alignment, SharedBytes};

/// Up to this many bytes are kept in the value itself.
///
/// Messages that came together could share memory instead. That takes two atomic operations for
/// each, a third of the time of a small message. A larger limit would make every event larger.
pub(crate) const INLINE: usize = 32;

/// Any bytes, cheap to clone; derefs to `[u8]`.
///
/// ```
/// use isosocket_core::Binary;
///
/// let data = Binary::from(vec![1, 2, 3]);
/// assert_eq!(data[1..], [2, 3]);
/// assert_eq!(data.clone(), [1, 2, 3]);
/// assert_eq!(data.into_bytes().to_vec(), [1, 2, 3]);
/// ```
#[derive(Clone)]
pub struct Binary(Repr);

#[derive(Clone)]
enum Repr {
    /// So many of these bytes; what follows them is anything.
    Inline(u8, Words),
    Shared(SharedBytes),
}

/// Aligned as what a target moves fastest.
#[derive(Clone)]
struct Words([u8; INLINE], [Alignment; 0]);

impl Binary {
    pub(crate) const EMPTY: Binary = Binary(Repr::Inline(0, Words([0; INLINE], [])));

    /// The data as [`Bytes`]. At most 32 bytes are copied; more are shared.
    ///
    /// ```
    /// # use isosocket_core::Message;
    /// let Message::Binary(data) = Message::from(vec![7; 1000]) else { unreachable!() };
    /// let bytes: bytes::Bytes = data.into_bytes();
    /// assert_eq!(bytes.slice(990..).len(), 10);
    /// ```
    pub fn into_bytes(self) -> Bytes {
        match self.0 {
            Repr::Inline(..) => Bytes::copy_from_slice(&self),
            Repr::Shared(data) => data.into(),
        }
    }

    /// A copy of the first `length` bytes of `input`: see [`copy_prefix`](Self::copy_prefix).
    #[doc(hidden)]
    #[inline]
    pub fn prefix(input: &[u8], length: usize, share: impl FnOnce(&[u8]) -> Bytes) -> Self {
        let mut binary = Binary::EMPTY;
        binary.copy_prefix(input, length, share);
        binary
    }

    /// Makes this a copy of the first `length` bytes of `input`, by `share` unless they are
    /// few enough to be kept in the value. They are written in place. To make another value and
    /// move it here takes 6 ns more, because the processor waits until the copy is stored.
    #[doc(hidden)]
    #[inline]
    pub fn copy_prefix(&mut self, input: &[u8], length: usize, share: impl FnOnce(&[u8]) -> Bytes) {
        if length > INLINE {
            *self = share(&input[..length]).into();
            return;
        }
        if !matches!(self.0, Repr::Inline(..)) {
            *self = Binary::EMPTY;
        }
        if let Repr::Inline(size, Words(data, _)) = &mut self.0 {
            *size = length as u8;
            // Of a fixed size the copy is made in registers, wherever it ends up.
            *data = match input.first_chunk() {
                Some(enough) => *enough,
                None => padded(&input[..length]),
            };
        }
    }

    /// Makes this data of so many bytes, for the caller to write; `None` if they
    /// are too many to be kept in the value.
    #[doc(hidden)]
    #[inline]
    pub fn short(&mut self, length: usize) -> Option<&mut [u8]> {
        if length > INLINE {
            return None;
        }
        self.0 = Repr::Inline(length as u8, Words([0; INLINE], []));
        match &mut self.0 {
            Repr::Inline(_, Words(data, _)) => data.get_mut(..length),
            Repr::Shared(_) => None,
        }
    }
}

#[cold]
fn padded(data: &[u8]) -> [u8; INLINE] {
    let mut padded = [0; INLINE];
    padded[..data.len()].copy_from_slice(data);
    padded
}

impl Deref for Binary {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            // Not indexed: a panic would bring the machinery of formatting.
            Repr::Inline(length, Words(data, _)) => {
                data.get(..usize::from(*length)).unwrap_or(data)
            }
            Repr::Shared(data) => data,
        }
    }
}

impl Default for Binary {
    fn default() -> Self {
        Binary(Repr::Inline(0, Words([0; INLINE], [])))
    }
}

impl From<Bytes> for Binary {
    fn from(data: Bytes) -> Self {
        Binary(Repr::Shared(data.into()))
    }
}

impl From<Vec<u8>> for Binary {
    fn from(data: Vec<u8>) -> Self {
        Binary(Repr::Shared(data.into()))
    }
}

impl From<Box<[u8]>> for Binary {
    fn from(data: Box<[u8]>) -> Self {
        Vec::from(data).into()
    }
}

impl From<BytesMut> for Binary {
    fn from(data: BytesMut) -> Self {
        data.freeze().into()
    }
}

impl From<&[u8]> for Binary {
    fn from(data: &[u8]) -> Self {
        match data.len() > INLINE {
            // Not as `Bytes`, whose code a page would load for it.
            true => data.to_vec().into(),
            false => Binary::prefix(data, data.len(), Bytes::copy_from_slice),
        }
    }
}

impl<const N: usize> From<[u8; N]> for Binary {
    fn from(data: [u8; N]) -> Self {
        data[..].into()
    }
}

impl<const N: usize> From<&[u8; N]> for Binary {
    fn from(data: &[u8; N]) -> Self {
        data[..].into()
    }
}

impl From<Binary> for Bytes {
    fn from(data: Binary) -> Bytes {
        data.into_bytes()
    }
}

impl From<Binary> for Vec<u8> {
    fn from(data: Binary) -> Vec<u8> {
        match data.0 {
            Repr::Inline(..) => data.to_vec(),
            Repr::Shared(data) => data.into(),
        }
    }
}

/// Compared, ordered, hashed and shown by the content that it derefs to,
/// wherever that is kept.
macro_rules! by_content {
    ($type:ty: $content:ty) => {
        impl AsRef<$content> for $type {
            fn as_ref(&self) -> &$content {
                self
            }
        }

        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Debug::fmt(&**self, f)
            }
        }

        impl<T: AsRef<$content> + ?Sized> PartialEq<T> for $type {
            fn eq(&self, other: &T) -> bool {
                **self == *other.as_ref()
            }
        }

        impl Eq for $type {}

        impl PartialOrd for $type {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $type {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                (**self).cmp(&**other)
            }
        }

        impl std::hash::Hash for $type {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                (**self).hash(state);
            }
        }
    };
}
pub(crate) use by_content;

by_content!(Binary: [u8]);
