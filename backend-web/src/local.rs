//! A value that stays on its thread, and a ticket to it that may go anywhere.
//!
//! Invariant: the ticket is `Send` and `Sync` because it is two numbers; on
//! another thread it opens nothing.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::LocalKey;

use slab::Slab;

/// The values of one type that live on this thread, each with its stamp.
pub(crate) type Slots<T> = RefCell<Slab<(u32, Rc<T>)>>;

/// What can be kept: a type that has a place for its values on every thread.
pub(crate) trait Resident: Sized + 'static {
    fn slots() -> &'static LocalKey<Slots<Self>>;
}

/// Numbers all tickets of the program, so that one from another thread is told
/// from one of this thread with the same key.
static STAMPS: AtomicU32 = AtomicU32::new(0);

/// The ticket. Dropped on another thread it leaves the value behind.
pub(crate) struct Local<T: Resident> {
    key: usize,
    stamp: u32,
    value: PhantomData<fn(T) -> T>,
}

impl<T: Resident> Local<T> {
    pub(crate) fn new(value: T) -> Self {
        let stamp = STAMPS.fetch_add(1, Ordering::Relaxed);
        let key = T::slots().with(|slots| slots.borrow_mut().insert((stamp, Rc::new(value))));
        Local {
            key,
            stamp,
            value: PhantomData,
        }
    }

    /// The value; `None` on another thread.
    #[inline]
    pub(crate) fn get(&self) -> Option<Rc<T>> {
        T::slots().with(|slots| match slots.borrow().get(self.key) {
            Some((stamp, value)) if *stamp == self.stamp => Some(value.clone()),
            _ => None,
        })
    }
}

impl<T: Resident> Drop for Local<T> {
    fn drop(&mut self) {
        // The value is dropped outside the borrow: it may own other tickets.
        // Where the thread is ending its values are gone already.
        let value = T::slots().try_with(|slots| {
            let mut slots = slots.borrow_mut();
            match slots.get(self.key) {
                Some((stamp, _)) if *stamp == self.stamp => Some(slots.remove(self.key)),
                _ => None,
            }
        });
        drop(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Value(Rc<()>);

    impl Resident for Value {
        fn slots() -> &'static LocalKey<Slots<Self>> {
            thread_local! {
                static SLOTS: Slots<Value> = const { RefCell::new(Slab::new()) };
            }
            &SLOTS
        }
    }

    #[test]
    fn a_value_lives_as_long_as_its_ticket() {
        let witness = Rc::new(());
        let ticket = Local::new(Value(witness.clone()));
        assert!(
            ticket
                .get()
                .is_some_and(|value| Rc::ptr_eq(&value.0, &witness))
        );
        drop(ticket);
        assert_eq!(Rc::strong_count(&witness), 1);
    }

    #[test]
    fn a_ticket_opens_nothing_on_another_thread() {
        let ticket = Local::new(Value(Rc::default()));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let own = Local::new(Value(Rc::default()));
                assert_eq!(own.key, ticket.key, "the stamp makes the difference");
                assert!(ticket.get().is_none() && own.get().is_some());
            });
        });
        assert!(ticket.get().is_some());
    }
}
