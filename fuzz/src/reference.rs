//! A second decoder of frames, written from RFC 6455 and RFC 7692 alone: it has the whole
//! stream at once, and is as simple as possible.

use isosocket_native::fuzzing::{Compression, Item};

use crate::inflate::{Corrupt, Inflater};

/// How a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// More may follow.
    Open,
    /// By a Close frame.
    Closed,
    /// By a violation, with the code of the answer.
    Violation(u16),
}

/// A message that is not complete.
struct Message {
    text: bool,
    compressed: bool,
    payload: Vec<u8>,
}

/// Decodes a server's stream.
pub fn decode(stream: &[u8], max: usize, compression: Option<Compression>) -> (Vec<Item>, End) {
    let mut items = Vec::new();
    let end = frames(stream, max, compression, &mut items).err();
    (items, end.unwrap_or(End::Open))
}

fn frames(
    mut rest: &[u8],
    max: usize,
    compression: Option<Compression>,
    items: &mut Vec<Item>,
) -> Result<(), End> {
    const PROTOCOL: End = End::Violation(1002);
    let mut message: Option<Message> = None;
    let mut inflater = compression.map(|compression| Receiver {
        takes_over: compression.takes_over,
        ..Receiver::default()
    });
    loop {
        // 5.2: the header, judged once it is complete.
        let (&[first, second], after) = match rest.split_first_chunk::<2>() {
            Some(split) => split,
            None => return Ok(()),
        };
        let extra = match second & 0x7F {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        if after.len() < extra {
            return Ok(());
        }
        let (extended, after) = after.split_at(extra);
        let length = match extra {
            0 => u64::from(second & 0x7F),
            _ => extended
                .iter()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        };
        let (is_final, opcode) = (first & 0x80 != 0, first & 0x0F);
        let is_control = opcode & 8 != 0;
        let is_shortest = match extra {
            2 => length > 125,
            8 => length > 0xFFFF && length < 1 << 63,
            _ => true,
        };
        let is_known = matches!(opcode, 0..=2 | 8..=10);
        // RFC 7692, 6: only in the first frame of a message.
        let may_be_compressed = inflater.is_some() && matches!(opcode, 1 | 2);
        let is_compressed = first & 0x40 != 0;
        let reserved = first & 0x30 != 0 || (is_compressed && !may_be_compressed);
        let is_masked = second & 0x80 != 0;
        if !is_known || !is_shortest || reserved || is_masked {
            return Err(PROTOCOL);
        }
        if is_control && (!is_final || length > 125) {
            return Err(PROTOCOL);
        }
        let is_continued = opcode == 0;
        if !is_control && is_continued != message.is_some() {
            return Err(PROTOCOL);
        }
        let here = usize::try_from(length).map_or(after.len(), |length| length.min(after.len()));
        let (payload, next) = after.split_at(here);
        let is_whole = here as u64 == length;
        if is_control {
            if !is_whole {
                return Ok(());
            }
            items.push(match opcode {
                8 => {
                    let close = close(payload).map_err(End::Violation)?;
                    items.push(Item::Close(close));
                    return Err(End::Closed);
                }
                9 => Item::Ping(payload.to_vec()),
                _ => Item::Pong,
            });
            rest = next;
            continue;
        }
        let current = message.get_or_insert_with(|| Message {
            text: opcode == 1,
            compressed: is_compressed,
            payload: Vec::new(),
        });
        let is_last = is_final && is_whole;
        let before = current.payload.len();
        match &mut inflater {
            Some(inflater) if current.compressed => {
                let added = inflater.add(payload, is_last, &mut current.payload);
                // Whatever comes first is the reason.
                if current.text {
                    check_utf8(&current.payload, false)?;
                }
                if current.payload.len() > max {
                    return Err(End::Violation(1009));
                }
                added.map_err(|Corrupt| PROTOCOL)?;
            }
            _ => {
                if length > (max - before) as u64 {
                    return Err(End::Violation(1009));
                }
                current.payload.extend_from_slice(payload);
            }
        }
        if current.text {
            check_utf8(&current.payload, is_last)?;
        }
        if !is_whole {
            return Ok(());
        }
        if is_last {
            if let Some(Message { text, payload, .. }) = message.take() {
                items.push(match text {
                    true => Item::Text(String::from_utf8(payload).expect("it was checked")),
                    false => Item::Binary(payload),
                });
            }
        }
        rest = next;
    }
}

/// 8.1: a byte that cannot be part of UTF-8 fails the connection at once.
fn check_utf8(bytes: &[u8], is_whole: bool) -> Result<(), End> {
    match std::str::from_utf8(bytes) {
        Ok(_) => Ok(()),
        Err(error) if error.error_len().is_none() && !is_whole => Ok(()),
        Err(_) => Err(End::Violation(1007)),
    }
}

/// 5.5.1, 7.4: the payload of a Close frame.
pub fn close(payload: &[u8]) -> Result<Option<(u16, String)>, u16> {
    match payload {
        [] => Ok(None),
        [_] => Err(1002),
        [high, low, reason @ ..] => {
            let code = u16::from(*high) << 8 | u16::from(*low);
            // IANA's registry, without those that an endpoint must not set.
            let is_registered =
                (1000..=1014).contains(&code) && ![1004, 1005, 1006].contains(&code);
            if !is_registered && !(3000..5000).contains(&code) {
                return Err(1002);
            }
            match std::str::from_utf8(reason) {
                Ok(reason) => Ok(Some((code, reason.to_owned()))),
                Err(_) => Err(1007),
            }
        }
    }
}

/// RFC 7692, 7.2.2.
#[derive(Default)]
struct Receiver {
    takes_over: bool,
    inflater: Inflater,
}

impl Receiver {
    fn add(&mut self, payload: &[u8], is_last: bool, out: &mut Vec<u8>) -> Result<(), Corrupt> {
        self.inflater.add(payload, out)?;
        if is_last {
            if self.inflater.inside {
                // An empty block, unless the message ended inside of one.
                let before = out.len();
                self.inflater.add(&[0, 0, 0xFF, 0xFF], out)?;
                if out.len() != before {
                    return Err(Corrupt);
                }
            }
            self.inflater.inside = false;
            if !self.takes_over {
                self.inflater = Inflater::default();
            }
        }
        Ok(())
    }
}
