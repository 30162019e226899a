//! What the peer accepted, for as long as anybody may look at it.
//!
//! `protocol()` lends a string as long as the socket lives, and a reconnecting
//! socket has another one after each connection. So every distinct value is kept once.
//! There are few of them, because the peer chooses among what was offered.

use crate::base::maybe_send::Flag;
use crate::base::sync::OnceBox;
use crate::base::sync::atomic::{AtomicUsize, Ordering};

/// Whether the program may ask for subprotocols or extensions: see [`rare`](crate::base::rare).
static READS: Flag = Flag::new();

/// Whether the program may ask what a peer accepted. If not, a backend that
/// [can say it later](crate::Transport::IS_ASKED_LATER) need not report it.
#[doc(hidden)]
#[inline(always)]
pub fn reads_accepted() -> bool {
    READS.get()
}

pub(crate) fn read_accepted() {
    READS.set();
}

/// The subprotocol and the extensions in use, and those before.
#[derive(Debug, Default)]
pub(crate) struct Accepted {
    values: Next,
    /// The number of the value in use; 0 is none. [`NOTHING`] and [`UNREAD`] are of their own.
    current: AtomicUsize,
}

/// Neither a subprotocol nor an extension, as most have it, takes no memory.
const NOTHING: usize = usize::MAX;
static NOTHING_VALUE: (String, String) = (String::new(), String::new());

/// There is a value, for which nobody has asked the transport yet.
const UNREAD: usize = usize::MAX - 1;

// Not `OnceLock`: its code is ten times as large, for waiting that nobody does.
type Next = OnceBox<Node>;

#[derive(Debug)]
struct Node {
    value: (String, String),
    next: Next,
}

impl Accepted {
    /// Whether there is a value, which may be unread.
    pub(crate) fn is_there(&self) -> bool {
        self.current.load(Ordering::Acquire) != 0
    }

    pub(crate) fn is_unread(&self) -> bool {
        self.current.load(Ordering::Acquire) == UNREAD
    }

    /// There is a value from now on, which will be read if somebody asks for it.
    pub(crate) fn set_unread(&self) {
        self.current.store(UNREAD, Ordering::Release);
    }

    /// The protocol and extensions in use, or last in use; `None` before open. Not called
    /// while they are unread.
    pub(crate) fn get(&self) -> Option<&(String, String)> {
        let mut values = &self.values;
        let mut left = self.current.load(Ordering::Acquire);
        loop {
            let node = match left {
                0 => return None,
                NOTHING => return Some(&NOTHING_VALUE),
                _ => values.get()?,
            };
            left -= 1;
            if left == 0 {
                return Some(&node.value);
            }
            values = &node.next;
        }
    }

    /// Makes a value the one in use. Called by the delivering thread only.
    pub(crate) fn set(&self, value: (String, String)) {
        if value == NOTHING_VALUE {
            return self.current.store(NOTHING, Ordering::Release);
        }
        let mut values = &self.values;
        let mut number = 1;
        while let Some(node) = values.get().filter(|node| node.value != value) {
            values = &node.next;
            number += 1;
        }
        values.get_or_init(|| {
            let next = OnceBox::new();
            Box::new(Node { value, next })
        });
        self.current.store(number, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::Accepted;

    #[test]
    fn the_last_value_is_in_use_and_each_is_kept_once() {
        let accepted = Accepted::default();
        assert_eq!(accepted.get(), None);
        let value = |text: &str| (text.to_owned(), String::new());
        accepted.set(value("a"));
        let first = accepted.get().unwrap();
        accepted.set(value("b"));
        accepted.set(value("c"));
        assert_eq!(accepted.get(), Some(&value("c")));
        accepted.set(value("a"));
        assert!(std::ptr::eq(accepted.get().unwrap(), first));
        accepted.set(value("b"));
        assert_eq!(accepted.get(), Some(&value("b")));
        accepted.set(value(""));
        assert_eq!(accepted.get(), Some(&value("")));
        let kept = std::iter::successors(accepted.values.get(), |node| node.next.get());
        assert_eq!(kept.count(), 3);
    }
}
