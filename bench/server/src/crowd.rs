//! The sockets that come in thousands and say one small thing: one thread for
//! all of them.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::sync::Mutex;
use std::sync::{Arc, MutexGuard};
use std::thread;

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};

use crate::frames::{answer, parse, unmask};

/// Where the accepting thread leaves sockets.
pub struct Crowd {
    newcomers: Arc<Mutex<Vec<std::net::TcpStream>>>,
    waker: Waker,
}

const WAKER: Token = Token(usize::MAX);

/// Starts the thread.
pub fn start() -> io::Result<Crowd> {
    let poll = Poll::new()?;
    let crowd = Crowd {
        newcomers: Arc::default(),
        waker: Waker::new(poll.registry(), WAKER)?,
    };
    let newcomers = crowd.newcomers.clone();
    thread::spawn(move || {
        if let Err(error) = run(poll, &newcomers) {
            eprintln!("/crowd: {error}");
        }
    });
    Ok(crowd)
}

impl Crowd {
    /// Echoes whatever comes from this socket.
    pub fn take(&self, stream: std::net::TcpStream) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        lock(&self.newcomers).push(stream);
        self.waker.wake()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn run(mut poll: Poll, newcomers: &Mutex<Vec<std::net::TcpStream>>) -> io::Result<()> {
    let mut streams: HashMap<Token, TcpStream> = HashMap::new();
    let mut next = 0;
    let mut events = Events::with_capacity(1024);
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == WAKER {
                for stream in lock(newcomers).drain(..) {
                    let mut stream = TcpStream::from_std(stream);
                    let token = Token(next);
                    next += 1;
                    poll.registry()
                        .register(&mut stream, token, Interest::READABLE)?;
                    streams.insert(token, stream);
                }
            } else if let Some(stream) = streams.get_mut(&event.token())
                && !echo(stream)?
            {
                streams.remove(&event.token());
            }
        }
    }
}

/// Answers what came, a few small frames at most; whether there may be more.
fn echo(stream: &mut TcpStream) -> io::Result<bool> {
    let mut buffer = [0; 1024];
    loop {
        let read = match stream.read(&mut buffer) {
            Ok(0) => return Ok(false),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            // It is over, and was not measured.
            Err(_) => return Ok(false),
        };
        let mut start = 0;
        while let Ok(Some(header)) = parse(&buffer[start..read]) {
            let end = start + header.header + header.payload;
            if end > read {
                return Err(io::Error::other("a small frame came in pieces"));
            }
            unmask(&mut buffer[end - header.payload..end], header.mask);
            stream.write_all(answer(&mut buffer[..end], header))?;
            start = end;
        }
    }
}
