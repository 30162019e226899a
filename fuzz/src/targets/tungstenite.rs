//! The decoder against tungstenite, which is laxer in a few places.

use std::io::{self, Read, Write};

use isosocket_native::fuzzing::{Decoder, Item};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Message, WebSocket};

use crate::frames;
use crate::input::{Input, Splits};

/// A stream that ends, and takes all that is written.
struct Stream<'a>(&'a [u8]);

impl Read for Stream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0 {
            [] => Err(io::ErrorKind::WouldBlock.into()),
            _ => self.0.read(buffer),
        }
    }
}

impl Write for Stream<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub fn run(data: &[u8]) {
    let mut input = Input(data);
    let splits = Splits::new(&mut input);
    let stream = frames::stream(&mut input);
    let mut decoder = Decoder::new(1 << 20, None);
    let mut items = Vec::new();
    let failed = splits
        .pieces(&stream)
        .find_map(|piece| decoder.feed(piece, false, &mut items).err());
    if items
        .iter()
        .any(|item| matches!(item, Item::Close(Some((1014, _)))))
    {
        // S84: it is registered since, and tungstenite makes 1002 of it.
        return;
    }
    let (others, accepts) = by_tungstenite(&stream);
    let others_messages = messages(&others);
    let own = messages(&items);
    match failed {
        // What we accept is accepted, and means the same.
        None => {
            assert!(accepts, "tungstenite refuses {items:?}");
            assert_eq!(items, others);
        }
        // What we refuse may be accepted, but what came before is the same.
        Some(_) => assert!(
            others_messages.starts_with(&own),
            "{own:?} and {others_messages:?}"
        ),
    }
}

fn messages(items: &[Item]) -> Vec<&Item> {
    let is_message = |item: &&Item| matches!(item, Item::Text(_) | Item::Binary(_));
    items.iter().filter(is_message).collect()
}

/// What tungstenite finds, and whether it accepts all of it.
fn by_tungstenite(stream: &[u8]) -> (Vec<Item>, bool) {
    let config = WebSocketConfig::default()
        .read_buffer_size(1 << 12)
        .max_message_size(Some(1 << 20))
        .max_frame_size(Some(1 << 20));
    let mut socket = WebSocket::from_raw_socket(Stream(stream), Role::Client, Some(config));
    let mut items = Vec::new();
    loop {
        items.push(match socket.read() {
            Ok(Message::Text(text)) => Item::Text(text.as_str().to_owned()),
            Ok(Message::Binary(data)) => Item::Binary(data.to_vec()),
            Ok(Message::Ping(payload)) => Item::Ping(payload.to_vec()),
            Ok(Message::Pong(_)) => Item::Pong,
            Ok(Message::Close(frame)) => {
                let frame = frame.map(|frame| (frame.code.into(), frame.reason.to_string()));
                items.push(Item::Close(frame));
                return (items, true);
            }
            Ok(Message::Frame(_)) => unreachable!("frames are not read"),
            Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                return (items, true);
            }
            Err(_) => return (items, false),
        });
    }
}
