//! One connection's bytes: TCP or TLS below, pacing and splitting above.
//!
//! Invariant: every wait has a limit, and stopping the peer ends it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{ServerConnection, StreamOwned};
use socket2::SockRef;

use crate::Shared;

/// How long a wait lasts while nothing arrives, unless the script says so.
const DEFAULT_LIMIT: Duration = Duration::from_secs(30);
/// Held output is written when it reaches this many bytes.
const MAX_HELD: usize = 64 * 1024;

/// Why no bytes came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Fin,
    Rst,
    /// The deadline has passed, or the idle limit.
    Timeout,
}

/// The stream, counted once: the only other references are weak, so that
/// dropping the wire closes the socket and a reset can be sent.
pub(crate) struct Tcp(pub(crate) Arc<TcpStream>);

impl Read for Tcp {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self.0).read(buffer)
    }
}

impl Write for Tcp {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

enum Stream {
    Plain(Tcp),
    Tls(Box<StreamOwned<ServerConnection, Tcp>>),
}

pub(crate) struct Wire {
    stream: Stream,
    shared: Shared,
    /// Received and not yet taken.
    input: Vec<u8>,
    taken: usize,
    held: Vec<u8>,
    pub(crate) corked: bool,
    pub(crate) split: Option<(usize, Duration)>,
    pub(crate) cut: Option<(usize, Duration)>,
    pub(crate) slow: Option<(usize, Duration)>,
    pub(crate) limit: Duration,
    /// Bytes written so far.
    pub(crate) written: u64,
    buffer: Vec<u8>,
}

impl Wire {
    pub(crate) fn new(tcp: Tcp, tls: Option<ServerConnection>, shared: Shared) -> Wire {
        // Splitting would be undone by Nagle's algorithm.
        let _ = tcp.0.set_nodelay(true);
        let _ = tcp.0.set_write_timeout(Some(DEFAULT_LIMIT));
        let stream = match tls {
            Some(tls) => Stream::Tls(Box::new(StreamOwned::new(tls, tcp))),
            None => Stream::Plain(tcp),
        };
        Wire {
            stream,
            shared,
            input: Vec::new(),
            taken: 0,
            held: Vec::new(),
            corked: false,
            split: None,
            cut: None,
            slow: None,
            limit: DEFAULT_LIMIT,
            written: 0,
            buffer: vec![0; MAX_HELD],
        }
    }

    pub(crate) fn is_tls(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }

    pub(crate) fn tcp(&self) -> &TcpStream {
        match &self.stream {
            Stream::Plain(tcp) => &tcp.0,
            Stream::Tls(tls) => &tls.sock.0,
        }
    }

    pub(crate) fn set_limit(&mut self, limit: Duration) {
        self.limit = limit;
        let _ = self.tcp().set_write_timeout(Some(limit));
    }

    pub(crate) fn set_receive_buffer(&self, size: usize) {
        let _ = SockRef::from(self.tcp()).set_recv_buffer_size(size);
    }

    /// What was received and not yet taken.
    pub(crate) fn input(&self) -> &[u8] {
        &self.input[self.taken..]
    }

    pub(crate) fn take(&mut self, count: usize) {
        self.taken += count;
        if self.taken == self.input.len() {
            self.input.clear();
            self.taken = 0;
        }
    }

    /// Waits for more input, until the deadline or else for the idle limit.
    pub(crate) fn fill(&mut self, deadline: Option<Instant>) -> Result<(), End> {
        let mut size = self.buffer.len();
        if let Some((slow, pause)) = self.slow {
            size = size.min(slow);
            self.sleep(pause);
        }
        let deadline = deadline.unwrap_or_else(|| Instant::now() + self.limit);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(End::Timeout);
            }
            let _ = self.tcp().set_read_timeout(Some(left));
            let buffer = &mut self.buffer[..size];
            let result = match &mut self.stream {
                Stream::Plain(tcp) => tcp.read(buffer),
                Stream::Tls(tls) => tls.read(buffer),
            };
            match result {
                Ok(0) => return Err(End::Fin),
                Ok(count) => {
                    self.input.drain(..self.taken);
                    self.taken = 0;
                    self.input.extend(&self.buffer[..count]);
                    return Ok(());
                }
                Err(error) => match error.kind() {
                    // The deadline is looked at again.
                    ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut => {}
                    // TLS ended without its own goodbye.
                    ErrorKind::UnexpectedEof => return Err(End::Fin),
                    _ => return Err(End::Rst),
                },
            }
        }
    }

    /// Appends to what is held back.
    ///
    /// # Errors
    ///
    /// If it had to be written and could not be.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.held.extend(bytes);
        if self.held.len() >= MAX_HELD {
            self.write_held()
        } else {
            Ok(())
        }
    }

    /// Writes what is held back, unless a cork is in.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if self.corked {
            Ok(())
        } else {
            self.write_held()
        }
    }

    /// Takes the cork out and writes what is held back.
    pub(crate) fn uncork(&mut self) -> io::Result<()> {
        self.corked = false;
        self.write_held()
    }

    fn write_held(&mut self) -> io::Result<()> {
        let bytes = std::mem::take(&mut self.held);
        let mut rest = &bytes[..];
        if let Some((at, pause)) = self.cut.take_if(|_| !rest.is_empty()) {
            let (head, tail) = rest.split_at(at.min(rest.len()));
            self.write_now(head)?;
            self.sleep(pause);
            rest = tail;
        }
        match self.split {
            Some((size, pause)) if size > 0 => {
                for piece in rest.chunks(size) {
                    self.write_now(piece)?;
                    self.sleep(pause);
                }
            }
            _ => self.write_now(rest)?,
        }
        Ok(())
    }

    fn write_now(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        match &mut self.stream {
            Stream::Plain(tcp) => tcp.write_all(bytes)?,
            Stream::Tls(tls) => {
                tls.write_all(bytes)?;
                tls.flush()?;
            }
        }
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Sleeps without reading, until the peer is stopped.
    pub(crate) fn sleep(&self, time: Duration) {
        self.shared.sleep(time);
    }

    /// Ends the writing side: with TLS's own goodbye if `notify`.
    pub(crate) fn fin(&mut self, notify: bool) {
        if let (Stream::Tls(tls), true) = (&mut self.stream, notify) {
            tls.conn.send_close_notify();
            let _ = tls.flush();
        }
        let _ = self.tcp().shutdown(Shutdown::Write);
    }

    /// Makes the closing of the socket, when the wire is dropped, a reset.
    pub(crate) fn reset_on_drop(&self) {
        let _ = SockRef::from(self.tcp()).set_linger(Some(Duration::ZERO));
    }
}
