//! The stream of statuses.

use futures::FutureExt;
use futures::stream::FusedStream;

use super::*;

/// R6.
#[test]
fn a_stream_of_statuses_begins_with_the_present_one_and_ends() {
    let network = network();
    network.peer(URL).expect_close();
    let socket = open(&network);
    let mut statuses = socket.statuses();
    socket.close();
    let seen = network.block_on(async {
        let mut seen = Vec::new();
        while let Some(status) = statuses.next().await {
            seen.push(status);
        }
        seen
    });
    assert_eq!(seen, [Status::Open, Status::Closed]);
    let mut late = socket.statuses();
    assert_eq!(late.try_next(), Some(Status::Closed));
    assert_eq!(network.block_on(late.next()), None);
}

/// R6.
#[test]
fn a_stream_of_statuses_is_fused() {
    let network = network();
    network.peer(URL).expect_close();
    let socket = open(&network);
    let mut statuses = socket.statuses();
    fn next(statuses: &mut isosocket_core::Statuses) -> Option<Option<Status>> {
        futures::StreamExt::next(statuses).now_or_never()
    }
    assert_eq!(next(&mut statuses), Some(Some(Status::Open)));
    assert!(!statuses.is_terminated() && next(&mut statuses).is_none());
    socket.close();
    network.run();
    assert!(!statuses.is_terminated(), "one is left");
    assert_eq!(next(&mut statuses), Some(Some(Status::Closed)));
    assert!(statuses.is_terminated());
}

/// R6.
#[test]
fn a_stream_that_nobody_reads_keeps_the_last_statuses() {
    let network = network();
    for _ in 0..100 {
        network.peer(URL).refuse("no");
    }
    let socket = Socket::builder(URL).max_attempts(100).connect().unwrap();
    let mut statuses = socket.statuses();
    network.advance(3600 * SECOND);
    let kept: Vec<_> = std::iter::from_fn(|| statuses.try_next()).collect();
    assert_eq!(kept.len(), 64);
    assert!(matches!(kept.last(), Some(Status::GaveUp(_))));
}

/// R6.
#[test]
fn a_wake_hook_is_called_for_each_status_when_it_can_be_read() {
    let network = network();
    network.peer(URL).refuse("no");
    network.peer(URL).accept();
    let socket = Socket::new(URL).unwrap();
    let statuses = Arc::new(Mutex::new(socket.statuses()));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (reading, frames) = (Arc::downgrade(&statuses), seen.clone());
    // Not `Sync`, and it reads in the call itself: no lock is held.
    let counter = std::cell::Cell::new(0);
    statuses.lock().unwrap().set_wake_hook(move || {
        counter.set(counter.get() + 1);
        let statuses = reading.upgrade().expect("the stream lives");
        let mut statuses = statuses.lock().unwrap();
        while let Some(status) = statuses.try_next() {
            frames.lock().unwrap().push((counter.get(), status));
        }
    });
    network.advance(3600 * SECOND);
    let waiting = seen.lock().unwrap()[1].1.clone();
    assert!(matches!(waiting, Status::Waiting { attempt: 2, .. }));
    assert_eq!(
        *seen.lock().unwrap(),
        [
            (1, Status::Connecting { attempt: 1 }),
            (2, waiting),
            (3, Status::Connecting { attempt: 2 }),
            (4, Status::Open),
        ]
    );
}

/// R6.
#[test]
fn a_wake_hook_that_is_set_late_is_called_for_what_waits_and_dropped_at_the_end() {
    let network = network();
    network.peer(URL).expect_close();
    let socket = open(&network);
    let count = Arc::new(Mutex::new(0));
    let mut statuses = socket.statuses();
    let counted = count.clone();
    statuses.set_wake_hook(move || *counted.lock().unwrap() += 1);
    assert_eq!(*count.lock().unwrap(), 0, "not inside the call");
    network.run();
    assert_eq!(*count.lock().unwrap(), 1, "for the present one");
    socket.close();
    network.run();
    assert_eq!(*count.lock().unwrap(), 2, "for the end");
    assert_eq!(Arc::strong_count(&count), 1, "the hook is gone");
    // After the end it is still called for what waits.
    let counted = count.clone();
    statuses.set_wake_hook(move || *counted.lock().unwrap() += 1);
    network.run();
    assert_eq!(*count.lock().unwrap(), 3);
    assert_eq!(Arc::strong_count(&count), 1, "and this hook is gone, too");
}

/// R6.
#[test]
fn a_wake_hook_goes_with_its_stream_and_a_panic_in_it_stops_nothing() {
    let network = network();
    network.peer(URL).accept();
    let socket = Socket::new(URL).unwrap();
    let mut statuses = socket.statuses();
    statuses.set_wake_hook(|| panic!("on purpose"));
    let owned = Arc::new(());
    let mut other = socket.statuses();
    let owns = owned.clone();
    other.set_wake_hook(move || drop(owns.clone()));
    drop(other);
    assert_eq!(Arc::strong_count(&owned), 1);
    network.run();
    assert_eq!(socket.status(), Status::Open);
    assert_eq!(statuses.try_next(), Some(Status::Connecting { attempt: 1 }));
    assert_eq!(statuses.try_next(), Some(Status::Open));
}
