//! A socket whose every call comes from JavaScript: for pages in unusual situations, and
//! for stand-ins for WebSocket in Node.
//!
//! Invariant: the scripts decide what happens. Nothing here waits, and nothing here is
//! asserted.

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use isosocket::{Event, EventKind, Message, WebSocket};
use isosocket_tests::probe;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// Throws an exception. The script defines it.
    #[wasm_bindgen(js_name = throwOnPurpose)]
    fn throw_on_purpose();

    /// Called by each future of `run_two`. The script defines it.
    #[wasm_bindgen(js_name = futureRan)]
    fn future_ran();

    /// Called after each event of a client, and each wait for room. The script defines it.
    #[wasm_bindgen(js_name = eventCame)]
    fn event_came();
}

/// Whether there is a WebSocket.
#[wasm_bindgen]
pub fn supported() -> bool {
    isosocket::supported()
}

/// A socket, and what its handlers saw.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Client {
    socket: WebSocket,
    seen: Arc<Mutex<Vec<Event>>>,
    sent: Arc<AtomicU32>,
}

#[wasm_bindgen]
impl Client {
    /// Connects. The timeouts are in milliseconds.
    ///
    /// # Errors
    /// Those of the constructor, as text.
    #[wasm_bindgen(constructor)]
    pub fn new(
        url: &str,
        connect_timeout: Option<u32>,
        close_timeout: Option<u32>,
    ) -> Result<Client, JsError> {
        let mut builder = WebSocket::builder(url);
        if let Some(timeout) = connect_timeout {
            builder = builder.connect_timeout(Duration::from_millis(timeout.into()));
        }
        if let Some(timeout) = close_timeout {
            builder = builder.close_timeout(Duration::from_millis(timeout.into()));
        }
        let socket = builder.connect()?;
        let seen = Arc::<Mutex<Vec<Event>>>::default();
        for kind in EventKind::ALL {
            let seen = seen.clone();
            socket.bind(kind, move |_, event| {
                lock(&seen).push(event.clone());
                event_came();
            });
        }
        let sent = Arc::default();
        Ok(Client { socket, seen, sent })
    }

    /// The events so far, in the words of the suite: `open text("a") error close(..)`.
    pub fn trace(&self) -> String {
        probe::trace(&lock(&self.seen))
    }

    /// The binary messages so far: `VALUExLENGTH` if all bytes are the same.
    pub fn payloads(&self) -> String {
        let seen = lock(&self.seen);
        let payloads = seen.iter().filter_map(|event| match event {
            Event::Message(Message::Binary(data)) => Some(&data[..]),
            _ => None,
        });
        let words = payloads.map(|data| {
            let first = data.first().copied().unwrap_or_default();
            match data.iter().all(|byte| *byte == first) {
                true => format!("{first}x{}", data.len()),
                false => format!("mixed[{}]", data.len()),
            }
        });
        words.collect::<Vec<_>>().join(" ")
    }

    /// The kind and the text of the error event, if there was one.
    pub fn error(&self) -> Option<String> {
        lock(&self.seen).iter().find_map(|event| match event {
            Event::Error(error) => Some(format!("{:?}: {error:#}", error.kind())),
            _ => None,
        })
    }

    /// The ready state, as its number.
    pub fn state(&self) -> u8 {
        self.socket.ready_state() as u8
    }

    /// The buffered amount, in bytes.
    pub fn buffered(&self) -> usize {
        self.socket.buffered_amount()
    }

    /// Sends text. Gives why it was refused.
    pub fn send(&self, text: &str) -> Option<String> {
        self.socket.send(text).err().map(|error| error.to_string())
    }

    /// Sends so many bytes of one value, from memory that is used again afterwards.
    pub fn send_bytes(&self, value: u8, length: usize) -> Option<String> {
        let mut bytes = vec![value; length];
        let sent = self.socket.send(&bytes[..]);
        bytes.fill(0xee);
        sent.err().map(|error| error.to_string())
    }

    /// Sends so many messages of so many bytes, and waits for room after each. The bytes of
    /// each have its number as their value.
    pub fn send_when_ready(&self, count: u8, length: usize) {
        let (socket, sent) = (self.socket.clone(), self.sent.clone());
        isosocket::run(async move {
            for value in 0..count {
                if socket.send(vec![value; length]).is_err() {
                    return;
                }
                socket.send_ready().await;
                sent.fetch_add(1, Ordering::Relaxed);
                event_came();
            }
        });
    }

    /// How many of these were sent, and there was room for the next one.
    pub fn sent(&self) -> u32 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Closes without a code.
    pub fn close(&self) {
        self.socket.close();
    }

    /// Makes a handler throw a JavaScript exception for this message.
    pub fn throw_at(&self, text: String) {
        self.socket.on_message(move |_, message| {
            if *message == *text {
                throw_on_purpose();
            }
        });
    }

    /// Makes a handler panic for this message.
    pub fn panic_at(&self, text: String) {
        self.socket.on_message(move |_, message| {
            assert!(*message != *text, "on purpose");
        });
    }
}

/// Runs two futures, of which the first throws.
#[wasm_bindgen]
pub fn run_two() {
    for throws in [true, false] {
        isosocket::run(async move {
            future_ran();
            if throws {
                throw_on_purpose();
            }
        });
    }
}

/// Grows the memory of the program by so many bytes, which detaches views of it.
#[wasm_bindgen]
pub fn grow(bytes: usize) -> usize {
    std::hint::black_box(vec![0_u8; bytes]).len()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
