//! Tests of the mailbox alone, without a loop that runs.

use std::panic::panic_any;
use std::time::Duration;

use isosocket_core::HostEvent;

use super::*;
use crate::driver::reactor;

/// The mailbox of a loop that a program drives, with its poll.
fn local() -> (crate::system::Poll, Mailbox) {
    let (poll, waker) = reactor::poll().unwrap();
    (poll, Mailbox::local(waker))
}

fn call() -> Call {
    Call::new(|| ())
}

/// Whether the loop was woken since the last time.
fn was_woken(mailbox: &Mailbox) -> bool {
    std::mem::take(&mut mailbox.state().notified)
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic_any("on purpose, in a destructor");
    }
}

/// S105.
#[test]
fn the_destructor_of_a_call_that_is_not_made_may_panic() {
    let bomb = Bomb;
    drop(Call::new(move || std::mem::forget(bomb)));
}

#[test]
fn only_an_earlier_first_call_wakes_the_loop() {
    let (_poll, mailbox) = local();
    let now = Instant::now();
    let at = |seconds| now + Duration::from_secs(seconds);
    for (seconds, wakes) in [(20, true), (30, false), (10, true), (10, false)] {
        mailbox.call_at(at(seconds), call()).unwrap();
        assert_eq!(was_woken(&mailbox), wakes, "{seconds}");
    }
    assert_eq!(mailbox.first_call(), Some(at(10)));
}

/// The shared thread may end then. A loop that a program drives goes on.
#[test]
fn a_loop_of_the_program_is_not_woken_when_its_last_call_is_cancelled() {
    let (_poll, mailbox) = local();
    let now = Instant::now();
    let keys = [1, 2].map(|_| mailbox.call_at(now, call()).unwrap());
    assert!(was_woken(&mailbox));
    for key in keys {
        mailbox.cancel_call(key);
        assert!(!was_woken(&mailbox));
    }
    assert_eq!(mailbox.first_call(), None);
}

#[test]
fn listeners_are_there_until_the_last_is_forgotten() {
    let (_poll, mailbox) = local();
    let listener = || -> HostListener { Arc::new(|_: HostEvent| ()) };
    assert!(!mailbox.has_listeners());
    let keys = [1, 2].map(|_| mailbox.listen(listener()));
    assert_ne!(keys[0], keys[1]);
    assert_eq!(
        (mailbox.listeners().len(), mailbox.has_listeners()),
        (2, true)
    );
    mailbox.forget_listener(keys[0]);
    assert_eq!(
        (mailbox.listeners().len(), mailbox.has_listeners()),
        (1, true)
    );
    mailbox.forget_listener(keys[1]);
    assert_eq!(
        (mailbox.listeners().len(), mailbox.has_listeners()),
        (0, false)
    );
}

/// S116.
#[test]
fn a_loop_that_does_not_run_is_not_asked_to_test_its_connections() {
    let asked = |mailbox: &Mailbox| {
        mailbox.wake_up();
        mailbox.state().commands.len()
    };
    assert_eq!(asked(&Mailbox::shared()), 0);
    let (_poll, mailbox) = local();
    assert_eq!(asked(&mailbox), 1);
    assert!(was_woken(&mailbox));
    // Once is enough.
    assert_eq!(asked(&mailbox), 1);
    assert!(!was_woken(&mailbox));
    let (_poll, gone) = local();
    gone.state().gone = true;
    assert_eq!(asked(&gone), 0);
}

#[test]
fn a_socket_that_is_about_to_start_keeps_the_loop() {
    let (_poll, mailbox) = local();
    assert!(!mailbox.is_shared() && Mailbox::shared().is_shared());
    let mailbox = Arc::new(mailbox);
    let reservations = [1, 2].map(|_| Reservation::new(mailbox.clone()).unwrap());
    for reservation in reservations {
        assert!(!mailbox.try_end());
        drop(reservation);
    }
    assert!(mailbox.try_end());
}

#[test]
fn numbers_of_calls_and_listeners_are_unique() {
    let numbers: std::collections::HashSet<u64> = (0..100).map(|_| next_number()).collect();
    assert_eq!(numbers.len(), 100);
}
