//! What the suite needs of a system with one thread and no processes: WASI.
//!
//! The harness drives an event loop, as a program with a loop of its own does, and has
//! timers beside it.

use std::cell::RefCell;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::LazyLock;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

/// Whether a case can run in a process of its own.
pub const PROCESSES: bool = false;

thread_local! {
    /// When somebody is to be woken.
    static TIMERS: RefCell<Vec<(Instant, Waker)>> = const { RefCell::new(Vec::new()) };
}

/// There is one thread.
pub fn own_thread() -> bool {
    true
}

/// Runs a case to its end. Without sockets nothing has to be waited for.
#[cfg(all(test, any(not(feature = "native"), target_env = "p1")))]
pub fn block_on(case: impl Future<Output = ()> + 'static) {
    crate::blocking::block_on(case);
}

/// Runs a case to its end.
#[cfg(all(test, feature = "native", not(target_env = "p1")))]
pub fn block_on(case: impl Future<Output = ()> + 'static) {
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    use std::task::{Context, Wake};

    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Relaxed);
        }
    }

    let mut event_loop = isosocket::native::EventLoop::new().expect("there is room for a loop");
    let woken = Arc::new(Woken(AtomicBool::new(true)));
    let waker = Waker::from(woken.clone());
    let mut case = pin!(case);
    loop {
        if woken.0.swap(false, Relaxed) {
            let _entered = event_loop.enter();
            let polled = case.as_mut().poll(&mut Context::from_waker(&waker));
            if polled.is_ready() {
                return;
            }
        }
        let timeout = match woken.0.load(Relaxed) {
            true => Some(Duration::ZERO),
            false => until_the_first_timer(),
        };
        event_loop.turn(timeout);
        fire();
    }
}

#[cfg(all(test, feature = "native", not(target_env = "p1")))]
fn until_the_first_timer() -> Option<Duration> {
    let first = TIMERS.with_borrow(|timers| timers.iter().map(|(when, _)| *when).min());
    first.map(|when| when.saturating_duration_since(Instant::now()))
}

/// Wakes whoever waited for a time that is over.
#[cfg(all(test, feature = "native", not(target_env = "p1")))]
fn fire() {
    let now = Instant::now();
    let due: Vec<_> =
        TIMERS.with_borrow_mut(|timers| timers.extract_if(.., |(when, _)| *when <= now).collect());
    for (_, waker) in due {
        waker.wake();
    }
}

/// Waits so many milliseconds. For deadlines, not for results.
pub async fn sleep(milliseconds: u32) {
    let end = Instant::now() + Duration::from_millis(milliseconds.into());
    std::future::poll_fn(|context| {
        if Instant::now() >= end {
            return Poll::Ready(());
        }
        TIMERS.with_borrow_mut(|timers| {
            let waker = context.waker();
            let is_known =
                |(when, known): &(Instant, Waker)| *when == end && known.will_wake(waker);
            if !timers.iter().any(is_known) {
                timers.push((end, waker.clone()));
            }
        });
        Poll::Pending
    })
    .await;
}

/// Where the peer is, as `HOST:PORT`: one from outside, since none can run here.
pub fn peer() -> &'static str {
    static ADDRESS: LazyLock<String> =
        LazyLock::new(|| std::env::var("ISOSOCKET_PEER").expect("a peer from outside"));
    &ADDRESS
}

/// The peer's owner asks for these.
pub fn complaints() -> Vec<String> {
    Vec::new()
}

/// The body of what the peer answers to a GET. Meanwhile the sockets are served.
pub async fn get(path: &str) -> Result<String, String> {
    let text = |error: std::io::Error| format!("GET {path}: {error}");
    let mut stream = TcpStream::connect(peer()).map_err(text)?;
    let host = peer();
    let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).map_err(text)?;
    stream.set_nonblocking(true).map_err(text)?;
    let (mut reply, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => reply.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => sleep(1).await,
            Err(error) => return Err(text(error)),
        }
    }
    let reply = String::from_utf8_lossy(&reply);
    match reply.split_once("\r\n\r\n") {
        Some((_, body)) => Ok(body.to_owned()),
        None => Err(format!("GET {path}: no reply")),
    }
}

/// There is one process for all cases.
pub fn is_alone() -> bool {
    false
}

/// There is one process for all cases.
pub fn run_alone(name: &str) -> Result<String, String> {
    Err(format!("{name} needs a process of its own"))
}

/// Neither threads nor descriptors can be counted.
pub fn resources() -> (usize, usize) {
    (0, 0)
}

/// There is no TLS, so nobody to trust.
pub fn trusting(builder: isosocket::Builder) -> isosocket::Builder {
    builder
}
