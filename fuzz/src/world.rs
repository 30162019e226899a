//! A system with one stream, for a whole client in simulated time. What happens on the
//! stream is decided from outside.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use isosocket_native::simulation::{News, System};

/// How the peer ended the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Shutdown,
    Reset,
}

/// The clock, and one stream.
#[derive(Debug, Default)]
pub struct World {
    pub now: Duration,
    /// What has arrived and was not read.
    pub arrived: VecDeque<u8>,
    pub end: Option<End>,
    /// All that the client has written.
    pub written: Vec<u8>,
    /// How many bytes the network still takes.
    pub window: usize,
    /// The client has ended its side, or dropped the stream.
    pub ended: bool,
    pub dropped: bool,
    reset_reported: bool,
    has_news: bool,
    streams: usize,
}

impl World {
    /// The client learns that something is new.
    pub fn news(&mut self) {
        self.has_news = true;
    }

    /// How many streams were opened.
    pub fn streams(&self) -> usize {
        self.streams
    }
}

impl System for World {
    fn now(&self) -> Duration {
        self.now
    }

    fn random(&mut self, bytes: &mut [u8]) {
        bytes.fill(0x2A);
    }

    fn connect(&mut self, _: SocketAddr) -> io::Result<usize> {
        self.streams += 1;
        Ok(0)
    }

    fn take_error(&mut self, _: usize) -> Option<io::Error> {
        None
    }

    fn is_connected(&self, _: usize) -> bool {
        true
    }

    fn read(&mut self, _: usize, buffer: &mut [u8]) -> io::Result<usize> {
        if self.arrived.is_empty() {
            return match self.end {
                None => Err(io::ErrorKind::WouldBlock.into()),
                Some(End::Reset) if !self.reset_reported => {
                    self.reset_reported = true;
                    Err(io::ErrorKind::ConnectionReset.into())
                }
                Some(_) => Ok(0),
            };
        }
        let size = self.arrived.len().min(buffer.len());
        for (place, byte) in buffer.iter_mut().zip(self.arrived.drain(..size)) {
            *place = byte;
        }
        Ok(size)
    }

    fn write(&mut self, _: usize, bytes: &[u8]) -> io::Result<usize> {
        if self.end == Some(End::Reset) || self.ended {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if self.window == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let size = self.window.min(bytes.len());
        self.window -= size;
        self.written.extend_from_slice(&bytes[..size]);
        Ok(size)
    }

    fn shutdown(&mut self, _: usize) {
        self.ended = true;
    }

    fn close(&mut self, _: usize) {
        self.dropped = true;
        self.has_news = false;
    }

    fn receive_buffer(&self) -> usize {
        1 << 16
    }

    fn watch(&mut self, _: usize) {
        self.has_news = true;
    }

    fn wait(&mut self, timeout: Option<Duration>) -> Vec<News> {
        if std::mem::take(&mut self.has_news) && !self.dropped {
            let reset = self.end == Some(End::Reset);
            return vec![News {
                stream: 0,
                readable: !self.arrived.is_empty() || self.end.is_some(),
                writable: self.window > 0 || reset,
                read_closed: self.end.is_some(),
                error: reset,
            }];
        }
        self.now += timeout.unwrap_or_default();
        Vec::new()
    }
}
