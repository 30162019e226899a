//! A model that replaces the system. The simulation installs it for its thread.

#[cfg(isosocket_loom)]
mod bells;

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr};
use std::ops::BitOr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

#[cfg(isosocket_loom)]
use bells::{Bell, ring_all};

/// What a model of the system does. Streams have numbers.
pub trait System {
    /// The time since the beginning.
    fn now(&self) -> Duration;
    /// Fills `bytes` as a generator of random bytes does.
    fn random(&mut self, bytes: &mut [u8]);
    /// Begins to connect.
    fn connect(&mut self, address: SocketAddr) -> io::Result<usize>;
    /// Why connecting failed, once.
    fn take_error(&mut self, stream: usize) -> Option<io::Error>;
    /// Whether a stream is connected.
    fn is_connected(&self, stream: usize) -> bool;
    /// Reads without waiting.
    fn read(&mut self, stream: usize, buffer: &mut [u8]) -> io::Result<usize>;
    /// Writes without waiting.
    fn write(&mut self, stream: usize, bytes: &[u8]) -> io::Result<usize>;
    /// Ends writing.
    fn shutdown(&mut self, stream: usize);
    /// The stream is dropped.
    fn close(&mut self, stream: usize);
    /// How many bytes arrive at most before they are read.
    fn receive_buffer(&self) -> usize;
    /// A stream reports its readiness from now on, beginning with what holds now.
    fn watch(&mut self, stream: usize);
    /// Lets time pass until a stream has news, and for at most `timeout`.
    fn wait(&mut self, timeout: Option<Duration>) -> Vec<News>;
}

/// The readiness of a stream, reported when something about it is new.
#[derive(Clone, Copy, Debug, Default)]
pub struct News {
    /// Which stream.
    pub stream: usize,
    /// There is something to read, also an end or an error.
    pub readable: bool,
    /// There is room to write, or an error.
    pub writable: bool,
    /// The peer has ended its side, or the stream was reset.
    pub read_closed: bool,
    /// The stream was reset.
    pub error: bool,
}

thread_local! {
    static SYSTEM: RefCell<Option<Rc<RefCell<dyn System>>>> = const { RefCell::new(None) };
}

/// Puts a model in place of this thread's system.
pub fn install(system: Rc<RefCell<dyn System>>) {
    SYSTEM.with(|place| place.replace(Some(system)));
}

/// Takes it away again.
pub fn uninstall() {
    drop(SYSTEM.with(RefCell::take));
}

/// The simulated time since the beginning.
pub fn elapsed() -> Duration {
    with(|system| system.now())
}

fn with<R>(f: impl FnOnce(&mut dyn System) -> R) -> R {
    let system = SYSTEM.with(|place| place.borrow().clone());
    let system = system.expect("a model of the system is installed");
    f(&mut *system.borrow_mut())
}

/// Random bytes of the model.
pub(crate) fn random(bytes: &mut [u8]) {
    with(|system| system.random(bytes));
}

/// The simulated time.
pub(crate) fn now() -> Instant {
    static BASE: OnceLock<Instant> = OnceLock::new();
    let since = with(|system| system.now());
    *BASE.get_or_init(Instant::now) + since
}

/// The date: the simulation begins in 1970.
pub(crate) fn wall_clock() -> SystemTime {
    SystemTime::UNIX_EPOCH + with(|system| system.now())
}

#[derive(Debug)]
pub(crate) struct TcpStream(usize);

impl TcpStream {
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        with(|system| system.connect(address)).map(TcpStream)
    }

    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(with(|system| system.take_error(self.0)))
    }

    pub(crate) fn peer_addr(&self) -> io::Result<()> {
        match with(|system| system.is_connected(self.0)) {
            true => Ok(()),
            false => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    pub(crate) fn set_nodelay(&self, _: bool) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn shutdown(&self, _: Shutdown) -> io::Result<()> {
        with(|system| system.shutdown(self.0));
        Ok(())
    }
}

impl Read for &TcpStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        with(|system| system.read(self.0, buffer))
    }
}

impl Write for &TcpStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = with(|system| system.write(self.0, bytes));
        #[cfg(isosocket_loom)]
        ring_all();
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for TcpStream {
    fn drop(&mut self) {
        with(|system| system.close(self.0));
    }
}

pub(crate) fn receive(mut tcp: &TcpStream, room: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
    let mut buffer = vec![0; room.len()];
    let read = tcp.read(&mut buffer)?;
    for (place, byte) in room.iter_mut().zip(&buffer[..read]) {
        place.write(*byte);
    }
    Ok(read)
}

pub(crate) fn receive_buffer(_: &TcpStream) -> usize {
    with(|system| system.receive_buffer())
}

pub(crate) fn set_keepalive(_: &TcpStream, _: Duration) -> io::Result<()> {
    Ok(())
}

pub(crate) fn set_send_buffer(_: &TcpStream, _: usize) -> io::Result<()> {
    Ok(())
}

pub(crate) fn set_receive_buffer(_: &TcpStream, _: usize) -> io::Result<()> {
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token(pub(crate) usize);

/// Everything is always watched.
#[derive(Clone, Copy)]
pub(crate) struct Interest;

impl Interest {
    pub(crate) const READABLE: Interest = Interest;
    pub(crate) const WRITABLE: Interest = Interest;
}

impl BitOr for Interest {
    type Output = Interest;

    fn bitor(self, _: Interest) -> Interest {
        Interest
    }
}

#[derive(Debug)]
pub(crate) struct Event(Token, News);

impl Event {
    pub(crate) fn token(&self) -> Token {
        self.0
    }

    pub(crate) fn is_readable(&self) -> bool {
        self.1.readable
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.1.writable
    }

    pub(crate) fn is_read_closed(&self) -> bool {
        self.1.read_closed
    }

    pub(crate) fn is_error(&self) -> bool {
        self.1.error
    }
}

#[derive(Debug, Default)]
pub(crate) struct Events(Vec<Event>);

impl Events {
    pub(crate) fn with_capacity(_: usize) -> Self {
        Events::default()
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Event> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a Events {
    type Item = &'a Event;
    type IntoIter = std::slice::Iter<'a, Event>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// What wakes a poll. One thread does all, so the poll itself is never waiting then.
#[cfg(not(isosocket_loom))]
#[derive(Debug, Default)]
struct Bell(std::sync::atomic::AtomicBool);

#[cfg(not(isosocket_loom))]
impl Bell {
    fn ring(&self) {
        self.0.store(true, std::sync::atomic::Ordering::SeqCst);
    }

    /// Whether it rang, and what is new.
    fn wait(&self, timeout: Option<Duration>) -> (bool, Vec<News>) {
        let woken = self.0.swap(false, std::sync::atomic::Ordering::SeqCst);
        let timeout = match woken {
            true => Some(Duration::ZERO),
            false => timeout,
        };
        (woken, with(|system| system.wait(timeout)))
    }
}

/// Wakes a poll.
#[derive(Debug)]
pub(crate) struct Waker(Arc<Bell>);

impl Waker {
    pub(crate) fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        *registry.waker_token.borrow_mut() = Some(token);
        Ok(Waker(registry.bell.clone()))
    }

    pub(crate) fn wake(&self) -> io::Result<()> {
        self.0.ring();
        Ok(())
    }
}

#[derive(Default)]
pub(crate) struct Registry {
    tokens: RefCell<HashMap<usize, Token>>,
    waker_token: RefCell<Option<Token>>,
    bell: Arc<Bell>,
}

impl Registry {
    pub(crate) fn register(
        &self,
        tcp: &mut TcpStream,
        token: Token,
        _: Interest,
    ) -> io::Result<()> {
        self.tokens.borrow_mut().insert(tcp.0, token);
        with(|system| system.watch(tcp.0));
        Ok(())
    }

    pub(crate) fn deregister(&self, tcp: &mut TcpStream) -> io::Result<()> {
        self.tokens.borrow_mut().remove(&tcp.0);
        Ok(())
    }
}

/// The simulated machine never sleeps.
pub(crate) fn slept() -> Option<Duration> {
    None
}

/// So it needs no alarm.
pub(crate) enum Alarm {}

impl Alarm {
    pub(crate) fn new(_: &Registry, _: Token) -> Option<Self> {
        None
    }

    pub(crate) fn reset(&self) {
        match *self {}
    }
}

#[derive(Default)]
pub(crate) struct Poll(Registry);

impl Poll {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Poll::default())
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.0
    }

    pub(crate) fn poll(
        &mut self,
        events: &mut Events,
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        let (woken, news) = self.0.bell.wait(timeout);
        let tokens = self.0.tokens.borrow();
        events.0.clear();
        if let (true, Some(token)) = (woken, *self.0.waker_token.borrow()) {
            events.0.push(Event(token, News::default()));
        }
        // A stream that was dropped has no news, as its token may be another's now.
        let known = news
            .into_iter()
            .filter_map(|news| Some(Event(*tokens.get(&news.stream)?, news)));
        events.0.extend(known);
        Ok(())
    }
}

impl fmt::Debug for Poll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Poll")
    }
}
