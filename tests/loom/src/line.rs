//! A transport whose event loop is a thread of the model: it takes turns as the model says.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use isosocket_core::sync::atomic::{AtomicUsize, Ordering};
use isosocket_core::{
    Link, MessageRef, NewError, Refusal, Report, Request, Transport, Turn, WebSocket,
};
use loom::sync::{Condvar, Mutex};
use loom::thread::{self, JoinHandle};

/// What is asked of the loop.
#[derive(Debug)]
pub enum Command {
    Turn(Link),
    WatchDrain(Link),
    Close,
    Abort,
    Resume,
    Detach,
    /// The model is over.
    Stop,
}

thread_local! {
    /// The line of the socket that is made next, and was made last. Loom's threads are one
    /// thread of the system.
    static NEXT: RefCell<Option<Line>> = const { RefCell::new(None) };
}

/// Ends the line of this run: it and its socket own each other.
pub fn end() {
    if let Some(line) = NEXT.take() {
        let left = line.0.link.lock().unwrap().take();
        drop(left);
        let left = std::mem::take(&mut *line.0.commands.lock().unwrap());
        drop(left);
    }
}

/// A connection, and its loop's mailbox.
#[derive(Clone)]
pub struct Line(Arc<Shared>);

#[derive(Default)]
struct Shared {
    link: Mutex<Option<Link>>,
    commands: Mutex<VecDeque<Command>>,
    news: Condvar,
    buffered: AtomicUsize,
}

impl Line {
    /// The line of the socket that is made next.
    pub fn next_socket() -> Line {
        let line = Line(Arc::default());
        NEXT.set(Some(line.clone()));
        line
    }

    /// A socket that is connecting, and its line.
    pub fn connecting() -> (WebSocket<Line>, Line) {
        let line = Line::next_socket();
        let socket = WebSocket::new("ws://peer/").expect("a good URL");
        (socket, line)
    }

    /// A socket that is open, and whose `Open` nobody has seen.
    pub fn open() -> (WebSocket<Line>, Line) {
        let (socket, line) = Line::connecting();
        line.turn(|turn| turn.report(established()));
        (socket, line)
    }

    fn submit(&self, command: Command) {
        self.0.commands.lock().unwrap().push_back(command);
        self.0.news.notify_one();
    }

    /// Waits for what is asked of the loop.
    pub fn next(&self) -> Command {
        let mut commands = self.0.commands.lock().unwrap();
        loop {
            match commands.pop_front() {
                Some(command) => return command,
                None => commands = self.0.news.wait(commands).unwrap(),
            }
        }
    }

    /// One turn of the socket.
    pub fn turn(&self, report: impl FnOnce(&mut Turn)) {
        let link = self.0.link.lock().unwrap().clone();
        if let Some(mut turn) = link.and_then(Link::into_turn) {
            report(&mut turn);
        }
    }

    /// Has the loop's thread stop. Returns what was asked for besides turns.
    pub fn stop(&self, server: JoinHandle<Vec<Command>>) -> Vec<Command> {
        self.submit(Command::Stop);
        let mut commands = server.join().unwrap();
        // What the thread has asked of itself since it was to stop.
        while let Some(command) = self.take() {
            commands.extend(self.perform(command));
        }
        commands
    }

    /// Calls `first` on a new thread, which then serves the socket until it is stopped.
    pub fn serve_after(&self, first: impl FnOnce(&Line) + 'static) -> JoinHandle<Vec<Command>> {
        let line = self.clone();
        thread::spawn(move || {
            first(&line);
            line.serve()
        })
    }

    /// Takes the turns that are asked for, until the model is over. Returns what else was
    /// asked for.
    pub fn serve(&self) -> Vec<Command> {
        let mut others = Vec::new();
        loop {
            match self.next() {
                Command::Stop => return others,
                command => others.extend(self.perform(command)),
            }
        }
    }

    fn take(&self) -> Option<Command> {
        self.0.commands.lock().unwrap().pop_front()
    }

    /// Takes a turn that is asked for, and drops the link that nobody needs. Returns any
    /// command but a turn.
    fn perform(&self, command: Command) -> Option<Command> {
        match command {
            Command::Turn(link) => {
                drop(link.into_turn());
                return None;
            }
            Command::Detach => {
                let link = self.0.link.lock().unwrap().take();
                drop(link);
            }
            _ => {}
        }
        Some(command)
    }

    /// The network has taken everything but so much.
    pub fn set_buffered(&self, amount: usize) {
        self.0.buffered.store(amount, Ordering::SeqCst);
    }
}

pub fn established() -> Report {
    Report::Established {
        protocol: String::new(),
        extensions: String::new(),
    }
}

impl Transport for Line {
    type Options = ();
    type Host = ();

    fn host() {}

    fn supported() -> bool {
        true
    }

    fn new(request: Request<()>) -> Result<(Self, String), NewError> {
        let line = NEXT.with_borrow(Clone::clone);
        let line = line.expect("the model has made a line");
        Ok((line, request.url))
    }

    fn start(&self, link: Link) {
        *self.0.link.lock().unwrap() = Some(link);
    }

    fn send(&self, message: MessageRef<'_>) -> Result<(), Refusal> {
        let bytes = message.as_bytes().len();
        self.0.buffered.fetch_add(bytes, Ordering::SeqCst);
        Ok(())
    }

    fn abort(&self) {
        self.submit(Command::Abort);
    }

    fn close(&self, _: Option<(u16, &str)>) {
        self.submit(Command::Close);
    }

    fn buffered_amount(&self) -> usize {
        self.0.buffered.load(Ordering::SeqCst)
    }

    fn schedule(&self, link: Link) {
        self.submit(Command::Turn(link));
    }

    fn watch_drain(&self, link: Link, _: usize) {
        self.submit(Command::WatchDrain(link));
    }

    fn resume(&self) {
        self.submit(Command::Resume);
    }

    fn detach(&self) {
        self.submit(Command::Detach);
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}
