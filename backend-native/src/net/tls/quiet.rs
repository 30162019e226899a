//! Writes several buffers with one system call, and never raises a signal.
//!
//! `write_vectored` of a TCP stream is `writev`, which raises SIGPIPE if the peer has reset
//! the connection. That signal ends the process, unless its `main` is written in Rust
//! (S114). A flag of `sendmsg` prevents the signal.

use std::io::{self, IoSlice, Write};

use crate::system::TcpStream;
use socket2::SockRef;

/// The flag MSG_NOSIGNAL. Where a system has none, mio has set up the socket itself
/// when it was made (SO_NOSIGPIPE), or there is no such signal.
const FLAGS: i32 = match std::env::consts::OS.as_bytes() {
    b"linux" | b"android" => 0x4000,
    b"freebsd" | b"dragonfly" => 0x2_0000,
    b"netbsd" | b"openbsd" => 0x400,
    _ => 0,
};

/// A TCP stream that raises no signal.
pub(super) struct Quiet<'a>(pub(super) &'a TcpStream);

impl Write for Quiet<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut tcp = self.0;
        tcp.write(bytes)
    }

    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        // By way of `try_io` mio learns when the stream is full.
        self.0
            .try_io(|| SockRef::from(self.0).send_vectored_with_flags(buffers, FLAGS))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
