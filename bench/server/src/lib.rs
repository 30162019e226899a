//! The peer of every client: little work for each message, and nothing that
//! could distinguish one client from another.
//!
//! Invariant: what it does depends on the URL's path and on what is sent alone,
//! and, where the path is one for compression, on what is offered.

pub mod buffer;
pub mod content;
mod crowd;
mod frames;
mod packed;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use tungstenite::handshake::derive_accept_key;

use content::Content;
use frames::{BINARY, Frames, TEXT};
use packed::{Agreed, Block};

/// The message that has the server under `/swallow` swallow this many messages
/// and then answer with one.
pub fn swallow_request(count: u64) -> Bytes {
    Bytes::copy_from_slice(&count.to_le_bytes())
}

/// The message that has the server under `/blast` send this many binary messages
/// of this size, and under `/blast-text` this many text messages.
pub fn blast_request(count: u64, size: usize) -> Bytes {
    let mut request = count.to_le_bytes().to_vec();
    request.extend_from_slice(&(size as u64).to_le_bytes());
    request.into()
}

/// How many messages went over the wire last, for whoever swallows or is sent
/// many, and in how many bytes, headers included.
static MESSAGES: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

/// The server answers a request for this path with both numbers.
const WIRE: &str = "/wire";

/// Asks the server how many bytes a message had in the last batch.
///
/// # Errors
/// Where there is no such server.
pub fn bytes_on_the_wire(server: &str) -> io::Result<f64> {
    let mut stream = TcpStream::connect(server)?;
    stream.write_all(format!("GET {WIRE} HTTP/1.1\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let figures = answer.split_once(' ').and_then(|(bytes, messages)| {
        let (bytes, messages): (f64, f64) = (bytes.parse().ok()?, messages.parse().ok()?);
        Some(bytes / messages)
    });
    figures.ok_or_else(|| io::Error::other(format!("no figures: `{answer}`")))
}

fn went_over_the_wire(messages: u64, bytes: u64) {
    MESSAGES.store(messages, Ordering::Relaxed);
    BYTES.store(bytes, Ordering::Relaxed);
}

/// Serves until the process is ended.
///
/// # Errors
/// Where there is no port or no thread.
pub fn run() -> io::Result<()> {
    // What it could not raise shows when a socket cannot be opened.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    println!("{}", listener.local_addr()?);
    let crowd = crowd::start()?;
    for stream in listener.incoming() {
        let mut stream = stream?;
        stream.set_nodelay(true)?;
        match shake_hands(&mut stream) {
            Ok(request) if request.path == WIRE => {
                let (bytes, messages) = (&BYTES, &MESSAGES);
                let [bytes, messages] = [bytes, messages].map(|n| n.load(Ordering::Relaxed));
                write!(stream, "{bytes} {messages}")?;
            }
            Ok(request) if request.path.ends_with("crowd") => crowd.take(stream)?,
            Ok(request) => drop(thread::spawn(move || serve(stream, &request))),
            Err(error) => eprintln!("opening handshake: {error}"),
        }
    }
    Ok(())
}

/// What a client wants, and gets.
struct Request {
    path: String,
    content: Content,
    agreed: Agreed,
}

/// Reads the request and accepts it.
fn shake_hands(stream: &mut TcpStream) -> io::Result<Request> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    // A client sends nothing more before it has the answer.
    let mut lines = BufReader::new(&*stream).lines();
    let request = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let (content, _) = Content::split(path.trim_start_matches('/'));
    let (mut accept, mut agreed) = (None, Agreed::Nothing);
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or_default();
        if name.eq_ignore_ascii_case("sec-websocket-key") {
            accept = Some(derive_accept_key(value.trim().as_bytes()));
        }
        if name.eq_ignore_ascii_case("sec-websocket-extensions") && content != Content::Plain {
            agreed = Agreed::to(value);
        }
    }
    let wanted = Request {
        path,
        content,
        agreed,
    };
    if wanted.path == WIRE {
        return Ok(wanted);
    }
    let accept = accept.ok_or_else(|| io::Error::other(format!("no key in `{request}`")))?;
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{}\r\n",
        agreed.line()
    );
    stream.write_all(response.as_bytes())?;
    stream.set_read_timeout(None)?;
    Ok(wanted)
}

fn serve(stream: TcpStream, request: &Request) {
    let path = &request.path;
    let served = match Content::split(path.trim_start_matches('/')).1 {
        "echo" => echo(stream),
        "swallow" => swallow(stream),
        "blast" => blast(stream, request, BINARY),
        "blast-text" => blast(stream, request, TEXT),
        _ => Err(io::Error::other(format!("what is {path}?"))),
    };
    match served {
        // Measured clients do not close; they end.
        Err(error)
            if !matches!(
                error.kind(),
                io::ErrorKind::UnexpectedEof
                    | io::ErrorKind::ConnectionReset
                    | io::ErrorKind::BrokenPipe
            ) =>
        {
            eprintln!("{path}: {error}");
        }
        _ => {}
    }
}

fn echo(stream: TcpStream) -> io::Result<()> {
    let mut frames = Frames::new(&stream);
    loop {
        let answer = frames.next_as_answer()?;
        (&stream).write_all(answer)?;
    }
}

fn swallow(stream: TcpStream) -> io::Result<()> {
    let mut frames = Frames::new(&stream);
    loop {
        let count = number(frames.next_payload()?, 0)?;
        went_over_the_wire(count, frames.skip(count)?);
        (&stream).write_all(&[0x82, 1, b'!'])?;
    }
}

fn blast(stream: TcpStream, wanted: &Request, first: u8) -> io::Result<()> {
    let mut frames = Frames::new(&stream);
    // The same ones for every request of the same size.
    let (mut block, mut block_size) = (Block::default(), usize::MAX);
    loop {
        let request = frames.next_payload()?;
        let (count, size) = (number(request, 0)?, number(request, 8)? as usize);
        if size != block_size {
            block = Block::new(wanted.content, first, size, wanted.agreed);
            block_size = size;
        }
        let (mut left, mut from, mut bytes) = (count as usize, 0, 0);
        while left > 0 {
            let now = left.min(block.fitting(from));
            let some = block.frames(from, now);
            (&stream).write_all(some)?;
            bytes += some.len() as u64;
            left -= now;
            from = (from + now) % block.len();
        }
        went_over_the_wire(count, bytes);
    }
}

fn number(request: &[u8], at: usize) -> io::Result<u64> {
    let bytes = request
        .get(at..at + 8)
        .and_then(|bytes| bytes.try_into().ok());
    bytes
        .map(u64::from_le_bytes)
        .ok_or_else(|| io::Error::other("a request is too short"))
}

/// Fills `buffer` from `start` on with at least one byte.
fn read_some(mut stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    match stream.read(buffer)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        read => Ok(read),
    }
}
