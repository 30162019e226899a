//! The real system: types of mio, and what mio does not have.

use std::io;
use std::mem::MaybeUninit;
use std::time::{Duration, Instant, SystemTime};

#[cfg(any(unix, windows))]
pub(crate) use mio::Waker;
pub(crate) use mio::event::Event;
pub(crate) use mio::net::TcpStream;
pub(crate) use mio::{Events, Interest, Poll, Token};
use socket2::{SockRef, TcpKeepalive};

/// Elsewhere (WASI) there is one thread, which wakes nobody that waits. What the loop must
/// not sleep over stands in its mailbox.
#[cfg(not(any(unix, windows)))]
#[derive(Debug)]
pub(crate) struct Waker;

#[cfg(not(any(unix, windows)))]
impl Waker {
    pub(crate) fn new(_: &mio::Registry, _: Token) -> io::Result<Self> {
        Ok(Waker)
    }

    pub(crate) fn wake(&self) -> io::Result<()> {
        Ok(())
    }
}

/// The time.
#[inline(always)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The date, which may be wrong.
pub(crate) fn wall_clock() -> SystemTime {
    SystemTime::now()
}

/// Reads once into memory that need not be cleared.
pub(crate) fn receive(tcp: &TcpStream, room: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
    // By way of `try_io` mio learns when there is nothing left.
    tcp.try_io(|| SockRef::from(tcp).recv(room))
}

/// How many bytes the system holds at most that were not read.
pub(crate) fn receive_buffer(tcp: &TcpStream) -> usize {
    SockRef::from(tcp).recv_buffer_size().unwrap_or(0)
}

/// Has TCP ask a silent peer after so much time.
pub(crate) fn set_keepalive(tcp: &TcpStream, time: Duration) -> io::Result<()> {
    SockRef::from(tcp).set_tcp_keepalive(&TcpKeepalive::new().with_time(time))
}

pub(crate) fn set_send_buffer(tcp: &TcpStream, size: usize) -> io::Result<()> {
    SockRef::from(tcp).set_send_buffer_size(size)
}

pub(crate) fn set_receive_buffer(tcp: &TcpStream, size: usize) -> io::Result<()> {
    SockRef::from(tcp).set_recv_buffer_size(size)
}
