//! The texts of a loss and of a status, for logs and screens.

use std::fmt;
use std::time::Duration;

use super::Status;
use crate::reconnect::Loss;

/// The error, or else the close. `{:#}` also shows what caused the error.
impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.error {
            Some(error) => fmt::Display::fmt(error, f),
            None => fmt::Display::fmt(&self.close, f),
        }
    }
}

/// One line. `{:#}` also shows what caused a loss.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Status::Connecting { attempt: 0 | 1 } => f.write_str("connecting"),
            Status::Connecting { attempt } => write!(f, "connecting (attempt {attempt})"),
            Status::Open => f.write_str("open"),
            Status::Waiting {
                attempt,
                delay,
                loss,
            } => {
                fmt::Display::fmt(loss, f)?;
                // Not by floating-point numbers, whose text costs a page 10 kB.
                let rounded = delay.saturating_add(Duration::from_millis(50));
                let (seconds, tenths) = (rounded.as_secs(), rounded.subsec_millis() / 100);
                write!(f, "; attempt {attempt} in {seconds}.{tenths} s")
            }
            Status::GaveUp(loss) => {
                f.write_str("gave up: ")?;
                fmt::Display::fmt(loss, f)
            }
            Status::Closed => f.write_str("closed"),
        }
    }
}
