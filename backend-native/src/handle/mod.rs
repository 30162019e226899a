//! The part of a connection that the program's threads and the event loop share: the send
//! queue, the write token, and the amounts.
//!
//! - The queue's lock is short: no thread holds it during a system call or a large copy.
//! - Only the thread that holds the write token writes. A thread tries to get the token, and
//!   never waits for it. When the holder gives it back, it checks whether another thread has
//!   tried meanwhile, and if so writes what that thread has queued.
//! - In a forked child the sockets of the parent are dead: the child neither writes to its
//!   parent's connections nor reads from them (S114).

mod amounts;
mod life;
mod packer;
mod sending;
mod spares;
mod writing;

use std::io;
use std::sync::{Arc, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use isosocket_core::Traffic;

use self::amounts::Amounts;
use self::life::Life;
pub(crate) use self::packer::Packer;
pub(crate) use self::spares::free_spares;
use self::spares::spare;
use crate::driver::fork;
use crate::driver::mailbox::{Action, Command, Mailbox};
use crate::engine::send::{Outgoing, SendQueue};
use crate::engine::session::ControlFrame;
use crate::net::stream::Stream;
use crate::random;
use crate::response::Response;
use crate::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering, fence};
use crate::sync::{Mutex, MutexGuard, TryMutex, TryMutexGuard};

/// How many messages in a row are written inline.
const INLINE_BURST: u8 = 8;

/// A special value instead of a slot's key: the loop has not begun the connection, or it has
/// ended.
const NOT_BEGUN: usize = usize::MAX;
const ENDED: usize = usize::MAX - 1;
/// A special value instead of a drain mark: nobody waits.
const NO_MARK: usize = usize::MAX;

/// What the event loop has to do after a call.
#[derive(Debug)]
pub(crate) enum Follow {
    /// Nothing: the message is written, or the loop is writing already.
    Nothing,
    /// Write what is pending.
    Flush,
    /// The loop writes what is pending, and it is much: yield to it.
    Yield,
    /// Much is pending, and this thread serves the socket: write it here.
    Write,
    /// Writing failed: see what the peer had to say, and end.
    Failed(io::Error),
}

/// What became of a flush.
#[derive(Debug)]
pub(crate) enum Flushed {
    /// Everything is written.
    Done,
    /// The network takes nothing now. The loop hears when it does again.
    Full,
    /// The budget is used up, or more was queued meanwhile.
    More,
    /// Another thread writes. It asks for another flush when it is done.
    Busy,
    /// Writing failed.
    Failed(io::Error),
}

/// The part of a connection that every thread may use.
#[derive(Debug)]
pub(crate) struct Handle {
    mailbox: Arc<Mailbox>,
    /// The connection's slot in its event loop.
    key: AtomicUsize,
    /// The process that made the socket, among those that forked from each other.
    generation: u32,
    queue: Mutex<Queue>,
    /// The write token, and what only its holder touches.
    writer: TryMutex<Writer>,
    /// Somebody tried the token in vain.
    wanted: AtomicBool,
    /// The network takes nothing now.
    full: AtomicBool,
    /// How many messages may still be written inline in this burst.
    credit: AtomicU8,
    amounts: Amounts,
    /// The highest amount that somebody waits for, or [`NO_MARK`].
    drain_mark: AtomicUsize,
    send_limit: usize,
    /// Empty until the connection is established.
    extras: OnceLock<Option<Box<Extras>>>,
}

/// What only few connections have, and only after the opening handshake.
#[derive(Debug)]
pub(crate) struct Agreement {
    /// `None` unless both sides agreed on compression.
    pub(crate) packer: Option<Packer>,
    /// The headers of the reply for the program, if there are any.
    pub(crate) response: Option<Arc<Response>>,
}

/// What few connections need.
#[derive(Debug)]
struct Extras {
    agreement: Agreement,
    /// `None` unless signs of life are needed.
    life: Option<Life>,
}

#[derive(Debug, Default)]
struct Queue {
    frames: SendQueue,
    /// The loop was asked to flush, and has not begun yet.
    asked: bool,
    /// How many bytes were queued since the sender last yielded.
    ahead: usize,
    last_send: Option<Instant>,
}

#[derive(Debug, Default)]
struct Writer {
    /// `None` unless the connection is established.
    stream: Option<Arc<Stream>>,
    /// Frames that were taken out of the queue, and are not all written.
    outgoing: Option<Box<Outgoing>>,
}

impl Handle {
    pub(crate) fn new(mailbox: Arc<Mailbox>, send_limit: usize) -> Self {
        Handle {
            mailbox,
            key: AtomicUsize::new(NOT_BEGUN),
            generation: fork::generation(),
            queue: Mutex::default(),
            writer: TryMutex::default(),
            wanted: AtomicBool::new(false),
            full: AtomicBool::new(false),
            credit: AtomicU8::new(INLINE_BURST),
            amounts: Amounts::default(),
            drain_mark: AtomicUsize::new(NO_MARK),
            send_limit,
            extras: OnceLock::new(),
        }
    }

    pub(crate) fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    /// The generation of processes that made the socket: see `fork`.
    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    /// Whether this process has inherited the socket by a fork.
    pub(crate) fn is_inherited(&self) -> bool {
        self.generation != fork::generation()
    }

    /// The connection's slot, while it has one.
    pub(crate) fn key(&self) -> Option<usize> {
        Some(self.key.load(Ordering::Acquire)).filter(|&key| key < ENDED)
    }

    pub(crate) fn set_key(&self, key: usize) {
        self.key.store(key, Ordering::Release);
    }

    /// Has the event loop do something, unless the connection has ended.
    pub(crate) fn act(self: &Arc<Self>, action: Action) {
        if self.key.load(Ordering::Acquire) != ENDED {
            self.mailbox.submit(Command::Act(self.clone(), action));
        }
    }

    /// The server's answer to the opening handshake, once the connection is established.
    pub(crate) fn response(&self) -> Option<Arc<Response>> {
        let extras = self.extras.get()?.as_ref();
        let response = extras.and_then(|extras| extras.agreement.response.clone());
        Some(response.unwrap_or_else(|| Arc::new(Response::new(101, std::iter::empty()))))
    }

    fn packer(&self) -> Option<&Packer> {
        self.extras.get()?.as_ref()?.agreement.packer.as_ref()
    }

    #[inline]
    fn life(&self) -> Option<&Life> {
        self.extras.get()?.as_ref()?.life.as_ref()
    }

    /// The connection is established.
    pub(crate) fn attach(&self, stream: Arc<Stream>, agreement: Agreement, notes_life: bool) {
        let agrees = agreement.packer.is_some() || agreement.response.is_some();
        let life = notes_life.then(Life::default);
        let extras = (agrees || notes_life).then(|| Box::new(Extras { agreement, life }));
        self.extras.get_or_init(|| extras);
        self.lock_writer().stream = Some(stream);
    }

    /// Calls `f` with the stream while no thread writes.
    pub(crate) fn with_stream(&self, f: impl FnOnce(&mut Option<Arc<Stream>>)) {
        f(&mut self.lock_writer().stream);
    }

    /// The connection is over: nothing more is written, and memory is freed.
    pub(crate) fn detach(&self) {
        self.key.store(ENDED, Ordering::SeqCst);
        self.stop_writing();
        if let Some(packer) = self.packer() {
            packer.release();
        }
    }

    /// Something was received: this is a conversation and not a burst.
    #[inline]
    pub(crate) fn restore_credit(&self) {
        self.credit.store(INLINE_BURST, Ordering::Relaxed);
    }

    /// Queues a control frame. The next flush writes it.
    pub(crate) fn queue_control(&self, frame: ControlFrame<'_>) {
        let mask = random::bytes();
        self.lock_queue().frames.control(frame, mask, spare);
    }

    /// All bytes that the network has accepted.
    pub(crate) fn written(&self) -> usize {
        self.amounts.written()
    }

    /// When the network last accepted bytes, if that is recorded.
    pub(crate) fn last_write(&self, is_test: bool) -> Option<Instant> {
        self.life()?.last_write(is_test)
    }

    /// Bytes have arrived, or are read again.
    #[inline]
    pub(crate) fn note_read(&self, now: Instant) {
        if let Some(life) = self.life() {
            life.note_read(now);
        }
    }

    /// Nothing is read from now on.
    pub(crate) fn note_pause(&self) {
        if let Some(life) = self.life() {
            life.note_pause();
        }
    }

    /// The time of the last sign of life, if that is recorded (S107).
    pub(crate) fn last_life(&self, is_test: bool) -> Option<Duration> {
        self.life()?.last(is_test)
    }

    /// The last round trip of a ping.
    pub(crate) fn latency(&self) -> Option<Duration> {
        self.life()?.latency()
    }

    pub(crate) fn set_latency(&self, latency: Duration) {
        if let Some(life) = self.life() {
            life.set_latency(latency);
        }
    }

    /// All messages that were queued or written.
    pub(crate) fn sent(&self) -> Traffic {
        self.amounts.sent()
    }

    /// The payload bytes that a program sees as buffered (S48, S49).
    pub(crate) fn buffered_amount(&self) -> usize {
        self.amounts.visible()
    }

    /// The same, as the send limit counts it (S54).
    pub(crate) fn queued(&self) -> usize {
        self.amounts.weight()
    }

    /// The program has yielded: from now on it sees what the network has accepted (S49).
    pub(crate) fn release_held(&self) {
        self.amounts.release_held();
    }

    /// Notes that somebody waits until at most `mark` bytes are queued. Returns
    /// whether that is so already.
    pub(crate) fn watch_drain(&self, mark: usize) -> bool {
        let highest = |known| match known {
            NO_MARK => Some(mark),
            // As the amount falls, the highest mark is reached first.
            known => Some(mark.max(known)),
        };
        let order = Ordering::SeqCst;
        let _ = self.drain_mark.fetch_update(order, order, highest);
        // The mark is stored before the amount is loaded. The writer does it in the reverse
        // order. With a fence in between, at least one of the two sees the value of the other.
        fence(Ordering::SeqCst);
        self.queued() <= mark
    }

    /// Whether somebody waits for the amount to fall, and it has fallen.
    pub(crate) fn is_drained(&self) -> bool {
        // See `watch_drain`.
        fence(Ordering::SeqCst);
        let mark = self.drain_mark.load(Ordering::SeqCst);
        mark != NO_MARK && self.queued() <= mark
    }

    /// Whether to wake now those who wait for the amount to fall.
    pub(crate) fn take_drained(&self) -> bool {
        self.is_drained() && self.drain_mark.swap(NO_MARK, Ordering::SeqCst) != NO_MARK
    }

    fn lock_queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_writer(&self) -> TryMutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;
    use crate::engine::send::Taken;
    use crate::system;

    #[test]
    fn of_several_marks_the_one_that_is_reached_first_counts() {
        for marks in [[50, 10], [10, 50]] {
            let handle = Handle::new(Arc::new(Mailbox::shared()), usize::MAX);
            handle.amounts.add(100);
            assert!(marks.iter().all(|mark| !handle.watch_drain(*mark)));
            let take = |payload| {
                let taken = Taken {
                    payload,
                    padding: 0,
                };
                handle.amounts.take(taken, payload);
                handle.take_drained()
            };
            assert!(!take(49));
            assert!(take(1), "50 bytes are buffered");
            // Whoever waits for less asks again.
            assert!(!take(40));
            assert!(handle.watch_drain(10));
        }
    }

    /// A handle of an established connection, and the peer's end of it.
    fn attached(response: Option<Arc<Response>>, notes_life: bool) -> (Handle, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let peer = listener.accept().unwrap().0;
        let handle = Handle::new(Arc::new(Mailbox::shared()), usize::MAX);
        let agreement = Agreement {
            packer: None,
            response,
        };
        let stream = Stream::new(mio::net::TcpStream::from_std(ours), None);
        handle.attach(Arc::new(stream), agreement, notes_life);
        (handle, peer)
    }

    #[test]
    fn signs_of_life_are_kept_only_where_they_are_needed() {
        let now = system::now();
        let use_all = |handle: &Handle| {
            handle.note_read(now);
            handle.set_latency(Duration::from_millis(7));
            (handle.last_life(false).is_some(), handle.latency())
        };
        let (handle, _peer) = attached(None, false);
        assert_eq!(use_all(&handle), (false, None));
        let (handle, _peer) = attached(None, true);
        assert_eq!(use_all(&handle), (true, Some(Duration::from_millis(7))));
        assert_eq!(handle.last_write(false), None);
        handle.note_written(Taken::default(), 3);
        assert!(handle.last_write(false).is_some());
        assert_eq!(handle.written(), 3);
        let late = now + Duration::from_secs(3600);
        handle.note_read(late);
        let read = handle.last_life(false);
        // While reading is paused, the time now counts.
        handle.note_pause();
        assert!(handle.last_life(false) < read);
    }

    #[test]
    fn a_connection_has_a_response_once_it_is_established() {
        let handle = Handle::new(Arc::new(Mailbox::shared()), usize::MAX);
        assert!(handle.response().is_none());
        for response in [None, Some(Arc::new(Response::new(200, std::iter::empty())))] {
            let (handle, _peer) = attached(response.clone(), false);
            let status = response.map_or(101, |response| response.status());
            assert_eq!(handle.response().unwrap().status(), status);
        }
    }

    #[test]
    fn a_connection_has_a_slot_from_its_beginning_to_its_end() {
        let handle = Handle::new(Arc::new(Mailbox::shared()), usize::MAX);
        assert_eq!(handle.key(), None);
        handle.set_key(5);
        assert_eq!(handle.key(), Some(5));
        handle.detach();
        assert_eq!(handle.key(), None);
    }

    #[test]
    fn what_was_queued_counts_as_sent() {
        let handle = Handle::new(Arc::new(Mailbox::shared()), usize::MAX);
        for size in [3, 4] {
            handle.amounts.add(size);
        }
        let sent = handle.sent();
        assert_eq!((sent.messages, sent.bytes), (2, 7));
    }
}
