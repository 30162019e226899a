//! The same with async-channel.

use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;

use async_channel::{Receiver, bounded, unbounded};
use isosocket::Status;

use crate::ours::{BATCH, Command, KEPT, found};

fn serve(commands: &Receiver<Command>) -> u64 {
    let mut count = 0;
    while let Ok(command) = commands.try_recv() {
        command.run();
        count += 1;
    }
    count
}

pub fn job(times: u64) {
    let (sender, receiver) = unbounded();
    for _ in 0..times {
        sender.try_send(Command::new()).unwrap();
        serve(&receiver);
    }
}

pub fn jobs(times: u64) {
    let (sender, receiver) = unbounded();
    for _ in 0..times {
        for _ in 0..BATCH {
            sender.try_send(Command::new()).unwrap();
        }
        serve(&receiver);
    }
}

pub fn look(times: u64) {
    let (_sender, receiver) = unbounded();
    for _ in 0..times {
        serve(black_box(&receiver));
    }
}

pub fn crossing(times: u64) {
    let (sender, receiver) = unbounded();
    thread::scope(|scope| {
        scope.spawn(|| (0..times).for_each(|_| sender.try_send(Command::new()).unwrap()));
        let mut left = times;
        while left > 0 {
            left -= serve(&receiver);
            thread::yield_now();
        }
    });
}

pub fn answer(times: u64) {
    let (sender, receiver) = unbounded();
    let handle = Arc::new(());
    for _ in 0..times {
        // What a lookup keeps: the address, and whose answer it is.
        let waiter = black_box((sender.clone(), handle.clone()));
        let answer = Command::Resolved(waiter.1, found());
        waiter.0.try_send(answer).unwrap();
        serve(&receiver);
    }
}

pub fn answer_of_its_own(times: u64) {
    let context = &mut Context::from_waker(Waker::noop());
    let handle = Arc::new(());
    for _ in 0..times {
        let (sender, receiver) = black_box(bounded(1));
        let mut answer = pin!(receiver.recv());
        assert!(answer.as_mut().poll(context).is_pending());
        sender
            .try_send(Command::Resolved(handle.clone(), found()))
            .unwrap();
        match answer.as_mut().poll(context) {
            Poll::Ready(Ok(command)) => command.run(),
            _ => panic!("no answer"),
        }
    }
}

pub fn status(times: u64) {
    let (sender, receiver) = bounded(KEPT);
    let context = &mut Context::from_waker(Waker::noop());
    for _ in 0..times {
        let mut next = pin!(receiver.recv());
        assert!(next.as_mut().poll(context).is_pending());
        drop(sender.force_send(Status::Open).unwrap());
        assert!(next.as_mut().poll(context).is_ready());
    }
}

pub fn unread_status(times: u64) {
    let (sender, _receiver) = bounded(KEPT);
    for _ in 0..times {
        drop(sender.force_send(Status::Open).unwrap());
    }
}
