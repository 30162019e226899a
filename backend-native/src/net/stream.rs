//! A connected stream, plain or TLS, with non-blocking reads and writes. Two threads may use
//! it at the same time: the event loop reads, and a thread that sends writes.

use std::io::{self, Read, Write};
use std::net::Shutdown;

use bytes::BytesMut;

use crate::net::tls::Tls;
use crate::system::{self, TcpStream};

/// A byte stream to the peer.
#[derive(Debug)]
pub(crate) struct Stream {
    tcp: TcpStream,
    tls: Option<Tls>,
}

impl Stream {
    pub(crate) fn new(tcp: TcpStream, tls: Option<Tls>) -> Self {
        Stream { tcp, tls }
    }

    /// The TCP stream, to make it known to an event loop.
    pub(crate) fn tcp_mut(&mut self) -> &mut TcpStream {
        &mut self.tcp
    }

    /// The TCP stream, for TLS over it.
    pub(crate) fn into_tcp(self) -> TcpStream {
        self.tcp
    }

    /// How many bytes the system holds at most that were not read.
    pub(crate) fn receive_buffer(&self) -> usize {
        system::receive_buffer(&self.tcp)
    }

    /// Reads once; `Ok(0)` is the peer's end of stream. `Interrupted` means that there
    /// may be more: other sockets have their turn first (S110).
    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match &self.tls {
            None => (&self.tcp).read(buffer),
            Some(tls) => tls.read(&self.tcp, buffer),
        }
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether [`append`](Self::append) can be used.
    pub(crate) fn can_append(&self) -> bool {
        // TLS decrypts to memory of its own.
        !self.is_tls()
    }

    /// Reads once, at most `most` bytes, to the end of `data`, which has room for
    /// them. That is a sixth faster than to clear the room first.
    #[allow(unsafe_code, reason = "the kernel fills memory that was not cleared")]
    pub(crate) fn append(&self, data: &mut BytesMut, most: usize) -> io::Result<usize> {
        let read = retry(|| {
            let room = data.spare_capacity_mut();
            let most = most.min(room.len());
            let room = &mut room[..most];
            system::receive(&self.tcp, room)
        })?;
        // SAFETY: `recv` has written this many bytes, and there is room for them.
        unsafe { data.set_len(data.len() + read) };
        Ok(read)
    }

    /// Writes some of `data`, which is not empty. Returns how much of it the
    /// network has taken, which is at least one byte.
    ///
    /// After `WouldBlock` the next call must begin with the same bytes.
    pub(crate) fn write(&self, data: &[u8]) -> io::Result<usize> {
        let written = retry(|| match &self.tls {
            None => (&self.tcp).write(data),
            Some(tls) => tls.write(&self.tcp, data),
        })?;
        match written {
            // S104: a stream that takes nothing now is tried again later.
            0 if !data.is_empty() => Err(io::ErrorKind::WouldBlock.into()),
            written => Ok(written),
        }
    }

    /// Pushes on what TLS itself has to say: handshake, alerts, key updates.
    pub(crate) fn flush_tls(&self) -> io::Result<()> {
        match &self.tls {
            None => Ok(()),
            Some(tls) => retry(|| tls.flush(&self.tcp)),
        }
    }

    /// Whether a read that did not fill its buffer has emptied the stream.
    pub(crate) fn short_read_means_empty(&self) -> bool {
        // Elsewhere (Windows, WASI) new data is reported only after a read that would block.
        const ON_UNIX: bool = matches!(std::env::consts::FAMILY.as_bytes(), b"unix");
        self.tls.is_none() && ON_UNIX
    }

    /// Says that nothing more will be written.
    pub(crate) fn shutdown_write(&self) {
        if let Some(tls) = &self.tls {
            tls.send_close_notify(&self.tcp);
        }
        // A peer that is gone needs no goodbye.
        let _ = self.tcp.shutdown(Shutdown::Write);
    }
}

/// Interrupted system calls are made again.
fn retry<R>(mut call: impl FnMut() -> io::Result<R>) -> io::Result<R> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
