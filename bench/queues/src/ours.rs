//! A lock and a queue. They do what `driver/mailbox.rs` of backend-native, `threads/shared` of
//! backend-web, and `reconnect/status/course.rs` of core do, which is private there.

use std::collections::VecDeque;
use std::hint::black_box;
use std::mem;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;

use isosocket::Status;

/// How many jobs are handed over before they are taken.
pub const BATCH: u64 = 64;
/// How many statuses a stream keeps that nobody reads.
pub const KEPT: usize = 64;

/// What the resolver finds.
pub type Found = std::io::Result<Vec<SocketAddr>>;

/// A command for a loop.
pub enum Command {
    Call(Box<dyn FnOnce() + Send>),
    Resolved(Arc<()>, Found),
}

impl Command {
    #[allow(clippy::new_without_default, reason = "it is a job, not a value")]
    pub fn new() -> Self {
        let number = black_box(1);
        Command::Call(Box::new(move || {
            black_box(number);
        }))
    }

    pub fn run(self) {
        match self {
            Command::Call(call) => call(),
            Command::Resolved(handle, found) => drop(black_box((handle, found))),
        }
    }
}

pub fn found() -> Found {
    Ok(vec![([127, 0, 0, 1], 80).into()])
}

/// The mailbox of a loop.
#[derive(Default)]
struct Mailbox {
    mail: AtomicBool,
    commands: Mutex<VecDeque<Command>>,
}

impl Mailbox {
    fn push(&self, command: Command) {
        let mut commands = self.commands.lock().unwrap();
        commands.push_back(command);
        self.mail.store(true, Ordering::SeqCst);
    }

    /// Runs what is there. `taken` is the loop's own list, with which the mailbox's takes turns.
    fn serve(&self, taken: &mut VecDeque<Command>) -> u64 {
        if !self.mail.load(Ordering::SeqCst) {
            return 0;
        }
        {
            let mut commands = self.commands.lock().unwrap();
            self.mail.store(false, Ordering::SeqCst);
            mem::swap(&mut *commands, taken);
        }
        let count = taken.len() as u64;
        taken.drain(..).for_each(Command::run);
        count
    }
}

pub fn job(times: u64) {
    let (mailbox, taken) = (Mailbox::default(), &mut VecDeque::new());
    for _ in 0..times {
        mailbox.push(Command::new());
        mailbox.serve(taken);
    }
}

pub fn jobs(times: u64) {
    let (mailbox, taken) = (Mailbox::default(), &mut VecDeque::new());
    for _ in 0..times {
        for _ in 0..BATCH {
            mailbox.push(Command::new());
        }
        mailbox.serve(taken);
    }
}

pub fn look(times: u64) {
    let (mailbox, taken) = (Mailbox::default(), &mut VecDeque::new());
    for _ in 0..times {
        black_box(&mailbox).serve(taken);
    }
}

pub fn crossing(times: u64) {
    let (mailbox, taken) = (Mailbox::default(), &mut VecDeque::new());
    thread::scope(|scope| {
        scope.spawn(|| (0..times).for_each(|_| mailbox.push(Command::new())));
        let mut left = times;
        while left > 0 {
            left -= mailbox.serve(taken);
            thread::yield_now();
        }
    });
}

/// The callback of a lookup, which posts a command.
pub fn answer(times: u64) {
    let (mailbox, taken) = (Mailbox::default(), &mut VecDeque::new());
    let handle = Arc::new(());
    for _ in 0..times {
        let handle = handle.clone();
        let answer = waiter(move |found| Command::Resolved(handle, found));
        mailbox.push(answer(found()));
        mailbox.serve(taken);
    }
}

/// What a lookup keeps for whoever waits for it.
pub type Waiter = Box<dyn FnOnce(Found) -> Command + Send>;

pub fn waiter(answer: impl FnOnce(Found) -> Command + Send + 'static) -> Waiter {
    black_box(Box::new(answer))
}

/// The queue of a stream of statuses.
#[derive(Default)]
pub struct StatusQueue(Mutex<Statuses>);

#[derive(Default)]
struct Statuses {
    statuses: VecDeque<Status>,
    ended: bool,
    waker: Option<Waker>,
}

impl StatusQueue {
    /// Returns the status for which there was no room.
    pub fn push(&self, status: Status) -> Option<Status> {
        let mut queue = self.0.lock().unwrap();
        queue.ended = status.is_end();
        let full = queue.statuses.len() == KEPT;
        let before = full.then(|| queue.statuses.pop_front()).flatten();
        queue.statuses.push_back(status);
        before
    }

    fn announce(&self) {
        let waker = self.0.lock().unwrap().waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn poll(&self, context: &Context<'_>) -> Poll<Option<Status>> {
        let waker = context.waker().clone();
        let mut queue = self.0.lock().unwrap();
        match queue.statuses.pop_front() {
            None if !queue.ended => {
                queue.waker = Some(waker);
                Poll::Pending
            }
            status => Poll::Ready(status),
        }
    }
}

pub fn status(times: u64) {
    let queue = StatusQueue::default();
    let context = Context::from_waker(Waker::noop());
    for _ in 0..times {
        assert!(queue.poll(&context).is_pending());
        drop(queue.push(Status::Open));
        queue.announce();
        assert!(queue.poll(&context).is_ready());
    }
}

pub fn unread_status(times: u64) {
    let queue = StatusQueue::default();
    for _ in 0..times {
        drop(queue.push(Status::Open));
        queue.announce();
    }
}
