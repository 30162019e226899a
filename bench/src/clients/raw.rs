//! Raw TCP: the floor. It writes frames that were made before, one write for
//! each message, and reads as little of what comes as one must to count it.
//!
//! Of a constructor that hands its work to a thread the floor is to wake it.

use std::io::{Error, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use isosocket_bench_server::buffer::Buffer;
use mio::{Events, Poll, Token, Waker};

use crate::job::{Job, Measured, Outcome, Workload};
use crate::pull::{self, Park, Socket};

pub fn measure(job: &Job) -> Outcome<Measured> {
    match job.workload {
        Workload::Construct(calls) => wake(calls).map(Measured::Nanoseconds),
        _ => pull::measure::<Raw, Park>(job),
    }
}

/// Wakes a thread that waits for events, with the pauses that constructors have.
fn wake(calls: usize) -> Outcome<Vec<f64>> {
    let mut poll = Poll::new()?;
    let waker = Waker::new(poll.registry(), Token(0))?;
    thread::spawn(move || {
        let mut events = Events::with_capacity(1);
        while poll.poll(&mut events, None).is_ok() {}
    });
    let mut samples = Vec::with_capacity(calls);
    for _ in 0..calls {
        thread::sleep(Duration::from_millis(1));
        let began = Instant::now();
        waker.wake()?;
        samples.push(began.elapsed().as_nanos() as f64);
    }
    Ok(samples)
}

pub struct Raw {
    stream: TcpStream,
    /// The frame that was sent last, and where its payload lies.
    frame: Vec<u8>,
    payload: (usize, usize),
    buffer: Buffer,
    start: usize,
    end: usize,
}

impl Socket for Raw {
    const BLOCKS: bool = true;

    async fn open(url: &str) -> Outcome<Self> {
        let (server, path) = url
            .strip_prefix("ws://")
            .and_then(|rest| rest.split_once('/'))
            .ok_or("the URL has no path")?;
        let mut stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        let request = format!(
            "GET /{path} HTTP/1.1\r\nHost: {server}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        );
        stream.write_all(request.as_bytes())?;
        let mut response = Vec::new();
        while !response.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            response.extend_from_slice(&byte);
        }
        Ok(Raw {
            stream,
            frame: Vec::new(),
            payload: (0, 0),
            buffer: Buffer::new(1 << 20),
            start: 0,
            end: 0,
        })
    }

    async fn send(&mut self, payload: &Bytes) -> Outcome<()> {
        let identity = (payload.as_ptr() as usize, payload.len());
        // What lies elsewhere, or is so short that it may be a request.
        if self.payload != identity || payload.len() < 32 {
            self.payload = identity;
            frame(&mut self.frame, payload);
        }
        self.stream.write_all(&self.frame)?;
        Ok(())
    }

    async fn receive(&mut self) -> Outcome<usize> {
        while self.end - self.start < 2 {
            self.fill()?;
        }
        let header = header_length(usize::from(self.buffer[self.start + 1]));
        while self.end - self.start < header {
            self.fill()?;
        }
        let extended = &self.buffer[self.start + 2..self.start + header];
        let payload = match header {
            2 => usize::from(self.buffer[self.start + 1]),
            _ => extended
                .iter()
                .fold(0, |length, byte| length << 8 | usize::from(*byte)),
        };
        self.consume(header + payload)?;
        Ok(payload)
    }

    /// Counts bytes, and looks at none.
    async fn receive_all(&mut self, count: u64, size: usize) -> Outcome<()> {
        let header = match size {
            0..=125 => 2,
            126..=0xffff => 4,
            _ => 10,
        };
        self.consume(count as usize * (header + size))
    }
}

impl Raw {
    fn fill(&mut self) -> Outcome<()> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        match self.stream.read(&mut self.buffer[self.end..])? {
            0 => Err(Error::from(ErrorKind::UnexpectedEof).into()),
            read => {
                self.end += read;
                Ok(())
            }
        }
    }

    fn consume(&mut self, mut bytes: usize) -> Outcome<()> {
        loop {
            let there = bytes.min(self.end - self.start);
            self.start += there;
            bytes -= there;
            if bytes == 0 {
                return Ok(());
            }
            self.fill()?;
        }
    }
}

fn header_length(second: usize) -> usize {
    match second {
        126 => 4,
        127 => 10,
        _ => 2,
    }
}

/// A client's frame, masked with zeros.
fn frame(frame: &mut Vec<u8>, payload: &[u8]) {
    frame.clear();
    frame.push(0x82);
    match payload.len() {
        length @ 0..=125 => frame.push(0x80 | length as u8),
        length @ 126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
}
