//! What the queues have in memory, their handles included. A program of its own, because the
//! allocator that counts takes time.

#[path = "../../../../tests/soak/src/allocated.rs"]
mod allocated;

use std::hint::black_box;
use std::sync::Arc;

use async_channel::{bounded, unbounded};
use isosocket::Status;
use isosocket_bench_queues::ours::{Command, KEPT, StatusQueue, waiter};

const MANY: usize = 1_000;

fn main() {
    let (answers, _loop) = unbounded::<Command>();
    let handle = Arc::new(());
    let callback = bytes(|| {
        let handle = handle.clone();
        waiter(move |found| Command::Resolved(handle, found))
    });
    let sender = bytes(|| (answers.clone(), handle.clone()));
    let channel = bytes(|| (bounded::<Command>(1), handle.clone()));
    println!("| bytes of each | ours | async-channel | ratio |");
    println!("| --- | ---: | ---: | ---: |");
    row("a lookup, a channel for each loop", callback, sender);
    row("a lookup, a channel for each lookup", callback, channel);
    for (name, statuses) in [
        ("a stream of statuses", 0),
        ("the same with one unread status", 1),
        ("the same with 64", KEPT),
    ] {
        let ours = bytes(|| {
            let queue = Arc::new(StatusQueue::default());
            (0..statuses).for_each(|_| drop(queue.push(Status::Open)));
            (Arc::downgrade(&queue), queue)
        });
        let theirs = bytes(|| {
            let (sender, receiver) = bounded(KEPT);
            (0..statuses).for_each(|_| drop(sender.force_send(Status::Open)));
            (sender, receiver)
        });
        row(name, ours, theirs);
    }
}

fn row(name: &str, ours: f64, theirs: f64) {
    let ratio = theirs / ours;
    println!("| {name} | {ours:.0} B | {theirs:.0} B | {ratio:.2}× |");
}

fn bytes<T>(make: impl Fn() -> T) -> f64 {
    let mut all = Vec::with_capacity(MANY);
    let before = allocated::bytes();
    all.extend((0..MANY).map(|_| make()));
    let after = allocated::bytes();
    drop(black_box(all));
    (after - before) as f64 / MANY as f64 + size_of::<T>() as f64
}
