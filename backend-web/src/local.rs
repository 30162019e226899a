//! A value that stays on its thread, and a ticket to it that may go anywhere.
//!
//! Invariant: on another thread the ticket opens nothing.

use std::mem;
use std::rc::Rc;

use fragile::Fragile;

/// The ticket. Dropped on another thread it leaves the value behind.
pub(crate) struct Local<T>(Option<Fragile<Rc<T>>>);

impl<T> Local<T> {
    pub(crate) fn new(value: T) -> Self {
        Local(Some(Fragile::new(Rc::new(value))))
    }

    /// The value; `None` on another thread.
    #[inline]
    pub(crate) fn get(&self) -> Option<&Rc<T>> {
        self.0.as_ref()?.try_get().ok()
    }
}

impl<T> Drop for Local<T> {
    fn drop(&mut self) {
        if let Some(value) = self.0.take_if(|value| !value.is_valid()) {
            abandon(value);
        }
    }
}

/// Lets go of what only another thread could drop.
fn abandon<T>(value: T) {
    let _ = mem::ManuallyDrop::new(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_lives_as_long_as_its_ticket() {
        let witness = Rc::new(());
        let ticket = Local::new(witness.clone());
        assert!(
            ticket
                .get()
                .is_some_and(|value| Rc::ptr_eq(&**value, &witness))
        );
        drop(ticket);
        assert_eq!(Rc::strong_count(&witness), 1);
    }

    #[test]
    fn a_ticket_opens_nothing_on_another_thread() {
        let ticket = Local::new(());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let own = Local::new(());
                assert!(ticket.get().is_none() && own.get().is_some());
            });
        });
        assert!(ticket.get().is_some());
    }

    #[test]
    fn a_ticket_dropped_on_another_thread_leaves_the_value_behind() {
        let witness = std::sync::Arc::new(());
        let ticket = Local::new(witness.clone());
        std::thread::scope(|scope| {
            scope.spawn(move || drop(ticket));
        });
        assert_eq!(std::sync::Arc::strong_count(&witness), 2);
    }
}
