//! Replaces permessage-deflate in a build without the feature `deflate`: it offers nothing and
//! agrees to nothing, and no value of its two halves can exist.

use std::convert::Infallible;
use std::fmt;

use isosocket_core::MessageRef;
use thiserror::Error;

use crate::wire::violation::Violation;

/// Takes inflated data. The flag says whether it is the last of the message.
type Take<'a> = dyn FnMut(&[u8], bool) -> Result<(), Violation> + 'a;

/// It has no options, because there is no compression.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deflate(());

/// Why the server's choice of extensions cannot be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the server chose an extension, and none was offered")]
pub(crate) struct NegotiationError;

/// What both sides agreed on. No value of it can exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Agreed(Infallible);

/// The sending half.
#[derive(Debug)]
pub(crate) struct Compressor(Infallible);

/// The receiving half.
#[derive(Debug)]
pub(crate) struct Inflater(Infallible);

/// What the sockets of an event loop share: nothing.
#[derive(Debug, Default)]
pub(crate) struct Spare;

impl Deflate {
    pub(crate) fn check(&self) -> Result<(), String> {
        Ok(())
    }

    pub(crate) fn offer(&self) -> Option<String> {
        None
    }

    pub(crate) fn agree<'a>(
        &self,
        lines: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Option<Agreed>, NegotiationError> {
        let mut names = lines.flat_map(|line| line.split(|&byte| byte == b','));
        match names.all(|name| name.trim_ascii().is_empty()) {
            true => Ok(None),
            false => Err(NegotiationError),
        }
    }
}

impl Agreed {
    pub(crate) fn compressor(&self) -> Compressor {
        match self.0 {}
    }

    pub(crate) fn inflater(&self) -> Inflater {
        match self.0 {}
    }
}

impl fmt::Display for Agreed {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {}
    }
}

impl Compressor {
    pub(crate) fn min_size(&self) -> usize {
        match self.0 {}
    }

    pub(crate) fn compress(&mut self, _: MessageRef<'_>, _: &mut Vec<u8>) -> bool {
        match self.0 {}
    }

    pub(crate) fn forget(&mut self) {
        match self.0 {}
    }

    pub(crate) fn release(&mut self) {
        match self.0 {}
    }
}

impl Inflater {
    pub(crate) fn inflate(
        &mut self,
        _: &[u8],
        _: bool,
        _: &mut Spare,
        _: &mut Take<'_>,
    ) -> Result<(), Violation> {
        match self.0 {}
    }
}
