//! What clones of a long message share on a page.
//!
//! Not `Bytes`: a vector that becomes one brings the code for everything that can be done with
//! it. That is 0.2 kB of a page with handlers, and 0.7 kB of one with a stream.

use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;

/// Bytes that clones share.
pub(crate) type SharedBytes = Shared<Vec<u8>>;

/// Text that clones share.
pub(crate) type SharedText = Shared<String>;

#[derive(Clone)]
pub(crate) struct Shared<T>(Arc<T>);

impl Shared<String> {
    pub(crate) fn into_bytes(self) -> Bytes {
        self.into()
    }
}

impl<T: Deref> Deref for Shared<T> {
    type Target = T::Target;

    #[inline]
    fn deref(&self) -> &T::Target {
        &self.0
    }
}

impl<T> From<T> for Shared<T> {
    fn from(data: T) -> Self {
        Shared(Arc::new(data))
    }
}

impl From<Bytes> for SharedBytes {
    fn from(data: Bytes) -> Self {
        Vec::from(data).into()
    }
}

impl From<ByteString> for SharedText {
    fn from(text: ByteString) -> Self {
        text.to_string().into()
    }
}

impl<T: AsRef<[u8]> + Into<Bytes> + Send + Sync + 'static> From<Shared<T>> for Bytes {
    fn from(data: Shared<T>) -> Bytes {
        match Arc::try_unwrap(data.0) {
            Ok(data) => data.into(),
            Err(shared) => Bytes::from_owner(Owner(shared)),
        }
    }
}

impl From<SharedBytes> for Vec<u8> {
    fn from(data: SharedBytes) -> Vec<u8> {
        Arc::unwrap_or_clone(data.0)
    }
}

/// What `Bytes` are a view of.
struct Owner<T>(Arc<T>);

impl<T: AsRef<[u8]>> AsRef<[u8]> for Owner<T> {
    fn as_ref(&self) -> &[u8] {
        (*self.0).as_ref()
    }
}
