//! A small echo server on loopback, so that the example needs no other program.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::thread;

/// Starts the server in the background and gives its address.
pub fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let Ok(mut socket) = tungstenite::accept(stream) else {
                    return;
                };
                // Reading also answers pings and the Close frame; the error
                // that ends the loop is the connection's end.
                while let Ok(message) = socket.read() {
                    if (message.is_text() || message.is_binary()) && socket.send(message).is_err() {
                        return;
                    }
                }
            });
        }
    });
    Ok(address)
}
