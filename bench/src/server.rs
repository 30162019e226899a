//! The peer of every client: little work for each message, and nothing that
//! could tell one client from another.
//!
//! Invariant: what it does depends on the URL's path and on what is sent alone.

mod crowd;
mod frames;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tungstenite::handshake::derive_accept_key;

use crate::job::Outcome;
use frames::{Frames, push_header};

/// The message that has the server under `/swallow` swallow this many messages
/// and then answer with one.
pub fn swallow_request(count: u64) -> Bytes {
    Bytes::copy_from_slice(&count.to_le_bytes())
}

/// The message that has the server under `/blast` send this many messages of
/// this size.
pub fn blast_request(count: u64, size: usize) -> Bytes {
    let mut request = count.to_le_bytes().to_vec();
    request.extend_from_slice(&(size as u64).to_le_bytes());
    request.into()
}

/// Serves until the process is ended.
pub fn run() -> Outcome<Value> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    println!("{}", listener.local_addr()?);
    let crowd = crowd::start()?;
    for stream in listener.incoming() {
        let mut stream = stream?;
        stream.set_nodelay(true)?;
        match shake_hands(&mut stream) {
            Ok(path) if path == "/crowd" => crowd.take(stream)?,
            Ok(path) => drop(thread::spawn(move || serve(stream, &path))),
            Err(error) => eprintln!("opening handshake: {error}"),
        }
    }
    Ok(Value::Null)
}

/// Reads the request and accepts it; its path.
fn shake_hands(stream: &mut TcpStream) -> io::Result<String> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    // A client sends nothing more before it has the answer.
    let mut lines = BufReader::new(&*stream).lines();
    let request = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut accept = None;
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("sec-websocket-key")
        {
            accept = Some(derive_accept_key(value.trim().as_bytes()));
        }
    }
    let accept = accept.ok_or_else(|| io::Error::other(format!("no key in `{request}`")))?;
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(response.as_bytes())?;
    stream.set_read_timeout(None)?;
    Ok(path)
}

fn serve(stream: TcpStream, path: &str) {
    let served = match path {
        "/echo" => echo(stream),
        "/swallow" => swallow(stream),
        "/blast" => blast(stream),
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
        frames.skip(count)?;
        (&stream).write_all(&[0x82, 1, b'!'])?;
    }
}

fn blast(stream: TcpStream) -> io::Result<()> {
    let mut frames = Frames::new(&stream);
    // As many whole frames as a write should have; the same ones for every
    // request of the same size.
    let (mut block, mut block_size, mut frame) = (Vec::new(), usize::MAX, 0);
    loop {
        let request = frames.next_payload()?;
        let (count, size) = (number(request, 0)?, number(request, 8)? as usize);
        if size != block_size {
            block.clear();
            loop {
                push_header(&mut block, size);
                block.resize(block.len() + size, b'x');
                if frame == 0 || block_size != size {
                    frame = block.len();
                    block_size = size;
                }
                if block.len() + frame > 256 << 10 {
                    break;
                }
            }
        }
        let whole = block.len() / frame;
        let mut left = count as usize;
        while left > 0 {
            let now = left.min(whole);
            (&stream).write_all(&block[..now * frame])?;
            left -= now;
        }
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
