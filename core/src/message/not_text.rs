//! The error when a program asks a binary message for its text.

use thiserror::Error;

use crate::Message;
use crate::message::Count;

/// A text message was expected, and a binary one came. It is in the error, so
/// nothing is lost.
///
/// ```
/// use isosocket::{Message, NotText};
///
/// fn name(message: Message) -> Result<String, NotText> {
///     String::try_from(message)
/// }
///
/// let error = name(Message::from([1, 2, 3])).unwrap_err();
/// assert_eq!(error.to_string(), "expected a text message, not a binary one of 3 bytes");
/// assert_eq!(error.into_message(), [1, 2, 3]);
/// ```
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("expected a text message, not a binary one of {}", Count(.0.len()))]
pub struct NotText(Message);

impl NotText {
    pub(crate) fn new(message: Message) -> Self {
        NotText(message)
    }

    /// The message.
    ///
    /// ```
    /// use isosocket::Message;
    ///
    /// let error = Message::from([1, 2, 3]).into_text().unwrap_err();
    /// assert_eq!(error.message().len(), 3);
    /// ```
    pub fn message(&self) -> &Message {
        &self.0
    }

    /// The message, to keep.
    ///
    /// ```
    /// use isosocket::Message;
    ///
    /// let error = Message::from([1, 2, 3]).into_text().unwrap_err();
    /// let data: Vec<u8> = error.into_message().into();
    /// assert_eq!(data, [1, 2, 3]);
    /// ```
    pub fn into_message(self) -> Message {
        self.0
    }
}
