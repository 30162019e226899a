//! Who waits for a change of a socket's state, or for room to send.
//!
//! Invariants: a wait that has ended, or was cancelled, leaves nothing here. Only
//! [`Waiters::enter`] makes the list, so a program that never waits contains none of its code.

use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;

use super::StoredWaker;
use crate::base::maybe_send::Lock;
use crate::base::rare::{Rare, is_used};

/// A future's place among the waiters. Whoever has one gives it back, by
/// [`leave`](Waiters::leave), when it is ready or dropped.
#[derive(Debug, Default)]
pub(crate) struct Place(Option<usize>);

/// The waiters of one socket. `None` while nobody waits.
#[derive(Default)]
pub(crate) struct Waiters(Lock<Rare<Waiting>>);

/// The list while somebody waits.
type Waiting = Box<dyn List>;

crate::feature!(Waiting);

/// What is done with a list that somebody else has made.
trait List: Send + Sync {
    /// The list, for whoever adds to it.
    fn waiters(&mut self) -> &mut Vec<Waiter>;

    /// Wakes all of them. Called outside the lock.
    fn wake(self: Box<Self>);
}

impl List for Vec<Waiter> {
    fn waiters(&mut self) -> &mut Vec<Waiter> {
        self
    }

    fn wake(self: Box<Self>) {
        for (_, waker) in *self {
            waker.wake();
        }
    }
}

/// A future that waits: the number of its place, and what wakes it.
type Waiter = (usize, StoredWaker);

impl Waiters {
    /// Has `waker` woken at the next change, in place of the one before.
    pub(crate) fn enter(&self, place: &mut Place, waker: &Waker) {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = *place
            .0
            .get_or_insert_with(|| NEXT.fetch_add(1, Ordering::Relaxed));
        // Wakers are cloned before the lock is taken, and dropped after it is released.
        let waker = StoredWaker::clone_of(waker);
        let before = {
            let mut list = self.0.lock();
            let waiters = list.get_or_insert_with(new_list).waiters();
            match waiters.iter_mut().find(|(known, _)| *known == number) {
                Some((_, known)) => Some(mem::replace(known, waker)),
                None => {
                    waiters.push((number, waker));
                    None
                }
            }
        };
        drop(before);
    }

    /// Ends a wait.
    pub(crate) fn leave(&self, place: &mut Place) {
        let Some(number) = place.0.take() else { return };
        // What the waker owns is dropped outside the lock.
        let mut place = self.0.lock();
        let Some(list) = place.as_mut() else { return };
        let waiters = list.waiters();
        let at = waiters.iter().position(|(known, _)| *known == number);
        let left = at.map(|at| waiters.swap_remove(at));
        let emptied = if waiters.is_empty() {
            place.take()
        } else {
            None
        };
        drop(place);
        drop((left, emptied));
    }

    /// Whether somebody waits.
    pub(crate) fn are_there(&self) -> bool {
        // Whoever leaves last takes the list along.
        self.0.lock().as_ref().is_some()
    }

    /// Wakes all of them, once.
    #[inline]
    pub(crate) fn wake(&self) {
        if is_used::<Waiting>() {
            self.wake_all();
        }
    }

    fn wake_all(&self) {
        let list = self.0.lock().take();
        if let Some(list) = list {
            list.wake();
        }
    }
}

fn new_list() -> Box<dyn List> {
    Box::new(Vec::new())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Flag(AtomicBool);

    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_wait_that_is_given_up_leaves_nothing() {
        let (waiters, flag) = (Waiters::default(), Arc::new(Flag::default()));
        let waker = Waker::from(flag.clone());
        let (mut one, mut other) = (Place::default(), Place::default());
        waiters.enter(&mut one, &waker);
        waiters.enter(&mut one, &waker);
        waiters.enter(&mut other, &waker);
        assert_eq!(Arc::strong_count(&flag), 4, "one for each place");
        waiters.leave(&mut one);
        assert!(waiters.are_there());
        waiters.leave(&mut other);
        assert!(!waiters.are_there());
        assert_eq!(Arc::strong_count(&flag), 2);
        waiters.wake();
        assert!(!flag.0.load(Ordering::Relaxed));
    }

    #[test]
    fn who_was_woken_leaves_the_place_of_nobody_else() {
        let (waiters, flag) = (Waiters::default(), Arc::new(Flag::default()));
        let (mut woken, mut waiting) = (Place::default(), Place::default());
        waiters.enter(&mut woken, Waker::noop());
        waiters.wake();
        waiters.enter(&mut waiting, &Waker::from(flag.clone()));
        waiters.leave(&mut woken);
        waiters.wake();
        assert!(flag.0.load(Ordering::Relaxed));
    }
}
