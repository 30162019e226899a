//! Compresses messages before they enter the send queue, on the thread that sends them.
//!
//! Invariant: messages are queued in the order in which they were compressed, because each
//! one is compressed with the history of those before. An event loop never waits for another
//! thread's compression.

use std::cell::Cell;
use std::sync::{PoisonError, TryLockError};

use isosocket_core::{MessageRef, Refusal};

use super::Follow;
use super::sending::Step;
use crate::driver::current;
use crate::sync::TryMutex;
use crate::wire::deflate::{Agreed, Compressor};

/// How many bytes the buffer for compressed messages may keep.
const KEPT_CAPACITY: usize = 64 << 10;

thread_local! {
    /// The buffer for compressed messages.
    static PACKED: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The sending side of a connection that has agreed on compression.
#[derive(Debug)]
pub(crate) struct Packer {
    min_size: usize,
    compressor: TryMutex<Compressor>,
}

impl Packer {
    pub(crate) fn new(agreed: &Agreed) -> Self {
        let compressor = agreed.compressor();
        Packer {
            min_size: compressor.min_size(),
            compressor: TryMutex::new(compressor),
        }
    }

    /// Sends a message, compressed if that makes it smaller.
    pub(super) fn send(
        &self,
        message: MessageRef<'_>,
        mut step: impl FnMut(Step<'_>) -> Result<Follow, Refusal>,
    ) -> Result<Follow, Refusal> {
        if message.as_bytes().len() < self.min_size {
            return step(Step::Send(None));
        }
        let mut compressor = match self.compressor.try_lock() {
            Ok(compressor) => compressor,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Another thread is compressing. The event loop must not wait for it, and may send any
            // message uncompressed.
            Err(TryLockError::WouldBlock) if current::is_turn() => {
                return step(Step::Send(None));
            }
            Err(TryLockError::WouldBlock) => {
                let waited = self.compressor.lock();
                waited.unwrap_or_else(PoisonError::into_inner)
            }
        };
        // If the message will be refused, it need not be compressed.
        step(Step::Check)?;
        let mut packed = PACKED.try_with(Cell::take).unwrap_or_default();
        let sent = match compressor.compress(message, &mut packed) {
            true => step(Step::Send(Some(&packed))),
            false => step(Step::Send(None)),
        };
        if sent.is_err() {
            // Between the two steps the socket was closed, or another message filled the queue.
            // So this one was compressed and not sent.
            compressor.forget();
        }
        if packed.capacity() <= KEPT_CAPACITY {
            let _ = PACKED.try_with(|place| place.set(packed));
        }
        sent
    }

    /// Gives back the memory: the connection is over.
    pub(crate) fn release(&self) {
        match self.compressor.try_lock() {
            Ok(mut compressor) => compressor.release(),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().release(),
            // Another thread is sending. The memory is freed with the socket's last handle.
            Err(TryLockError::WouldBlock) => {}
        }
    }
}

#[cfg(all(test, feature = "deflate"))]
mod tests {
    use super::*;
    use crate::driver::current::InTurn;
    use crate::wire::deflate::{Deflate, Spare};

    /// As a server agrees on compression.
    fn agreed() -> Agreed {
        let reply = [&b"permessage-deflate"[..]];
        let agreed = Deflate::default().agree(reply.into_iter());
        agreed.unwrap().expect("the server chose it")
    }

    /// A handler sends while another thread compresses: it would hang.
    #[test]
    fn an_event_loop_waits_for_nobody_who_compresses() {
        let packer = Packer::new(&agreed());
        let text = "the same text, twice. ".repeat(20);
        let compressing = packer.compressor.lock().unwrap();
        let _turn = InTurn::new();
        let sent = packer.send(MessageRef::Text(&text), |step| match step {
            Step::Send(None) => Ok(Follow::Nothing),
            Step::Check | Step::Send(Some(_)) => Err(Refusal::Full),
        });
        assert!(sent.is_ok());
        drop(compressing);
    }

    /// Sends a text, and says whether it was compressed.
    fn is_packed(packer: &Packer, text: &str) -> bool {
        let mut is_packed = false;
        let sent = packer.send(MessageRef::Text(text), |step| {
            is_packed |= matches!(step, Step::Send(Some(_)));
            Ok(Follow::Nothing)
        });
        assert!(sent.is_ok());
        is_packed
    }

    #[test]
    fn messages_from_the_least_size_on_are_compressed() {
        let packer = Packer::new(&agreed());
        let text = "a".repeat(packer.min_size + 1);
        assert!(packer.min_size > 20);
        assert!(!is_packed(&packer, &text[2..]));
        assert!(is_packed(&packer, &text[1..]));
        assert!(is_packed(&packer, &text));
    }

    #[test]
    fn the_buffer_is_kept_unless_it_is_large() {
        let kept = || {
            let buffer = PACKED.take();
            let capacity = buffer.capacity();
            PACKED.set(buffer);
            capacity
        };
        let packer = Packer::new(&agreed());
        assert!(is_packed(&packer, &"a".repeat(1000)));
        assert!((1..=KEPT_CAPACITY).contains(&kept()));
        // It gets a little smaller, and stays large.
        let numbers = (0..100_000_u32).map(|n| n.wrapping_mul(0x9E37_79B9) >> 8);
        let large: String = numbers.map(|n| n.to_string()).collect();
        assert!(is_packed(&packer, &large));
        assert_eq!(kept(), 0);
    }

    #[test]
    fn what_was_compressed_and_not_sent_is_forgotten() {
        let agreed = agreed();
        let packer = Packer::new(&agreed);
        let text = "the same text, twice. ".repeat(20);
        let send = |refusal: Option<Refusal>| {
            let mut packed = None;
            let sent = packer.send(MessageRef::Text(&text), |step| match (step, refusal) {
                (Step::Check, _) => Ok(Follow::Nothing),
                (Step::Send(_), Some(refusal)) => Err(refusal),
                (Step::Send(payload), None) => {
                    packed = payload.map(<[u8]>::to_vec);
                    Ok(Follow::Nothing)
                }
            });
            (sent.is_ok(), packed)
        };
        // The socket was closed between the check and the queue.
        assert!(!send(Some(Refusal::Closing)).0);
        let (sent, packed) = send(None);
        assert!(sent);
        let packed = packed.expect("it gets smaller");
        // A peer that knows nothing of the first message reads the second.
        let mut inflated = Vec::new();
        let mut take = |piece: &[u8], _: bool| {
            inflated.extend_from_slice(piece);
            Ok(())
        };
        let mut inflater = agreed.inflater();
        let result = inflater.inflate(&packed, true, &mut Spare::default(), &mut take);
        assert!(result.is_ok());
        assert_eq!(inflated, text.as_bytes());
    }
}
