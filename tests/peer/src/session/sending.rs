//! What a session sends, counted for its record.
//!
//! Invariant: no payload is held whole because it is large.

use std::io;
use std::ops::Range;

use super::Session;
use crate::frame::{self, Head, PATTERN_PIECE, op};
use crate::script::{Frame, Payload};

/// Every masked frame of the peer has this key, that of RFC 6455, section 5.7.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

impl Session {
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.wire.push(bytes)?;
        self.wire.flush()
    }

    /// Sends what replaces the 101; frames follow if it is one.
    pub(super) fn opening(&mut self, bytes: &[u8]) -> io::Result<()> {
        let status = bytes.split(|&byte| byte == b' ').nth(1);
        self.accepted = status == Some(b"101");
        self.record.entry().accepted = self.accepted;
        self.send(bytes)
    }

    pub(super) fn control(&mut self, op: u8, body: &[u8]) -> io::Result<()> {
        let mut bytes = Vec::new();
        Head::new(op, body.len() as u64).encode(&mut bytes);
        bytes.extend(body);
        self.sent(op);
        self.send(&bytes)
    }

    pub(super) fn sent(&mut self, op: u8) {
        self.close_sent |= op == op::CLOSE;
        self.record.entry().sent_frames += 1;
    }

    pub(super) fn frame(&mut self, frame: &Frame) -> io::Result<()> {
        let actual = self.length(&frame.payload);
        let len = frame.claim.unwrap_or(actual);
        let mut head = Head::new(frame.op, len);
        (head.fin, head.rsv) = (frame.fin, frame.rsv);
        head.mask = frame.mask.then_some(MASK);
        head.width = frame.width.unwrap_or(head.width);
        self.one(head, &frame.payload, 0..actual)
    }

    pub(super) fn fragments(&mut self, op: u8, payload: &Payload, size: u64) -> io::Result<()> {
        let len = self.length(payload);
        let mut at = 0;
        loop {
            let end = len.min(at + size);
            let mut head = Head::new(if at == 0 { op } else { op::CONTINUATION }, end - at);
            head.fin = end == len;
            self.one(head, payload, at..end)?;
            at = end;
            if head.fin {
                return Ok(());
            }
        }
    }

    pub(super) fn one(
        &mut self,
        head: Head,
        payload: &Payload,
        range: Range<u64>,
    ) -> io::Result<()> {
        let mut bytes = Vec::new();
        head.encode(&mut bytes);
        self.sent(head.op);
        self.wire.push(&bytes)?;
        self.payload(payload, range, head.mask)?;
        self.wire.flush()
    }

    pub(super) fn length(&self, payload: &Payload) -> u64 {
        match payload {
            Payload::Bytes(bytes) => bytes.len() as u64,
            Payload::Pattern(size) => *size,
            Payload::Round => self.round.to_string().len() as u64,
        }
    }

    /// Sends a part of a payload without ever holding a large one.
    pub(super) fn payload(
        &mut self,
        payload: &Payload,
        range: Range<u64>,
        mask: Option<[u8; 4]>,
    ) -> io::Result<()> {
        let mut at = range.start;
        while at < range.end {
            let end = range.end.min(at + PATTERN_PIECE);
            let part = |bytes: &[u8]| bytes[at as usize..end as usize].to_vec();
            let mut bytes: Vec<u8> = match payload {
                Payload::Bytes(bytes) => part(bytes),
                Payload::Round => part(self.round.to_string().as_bytes()),
                Payload::Pattern(_) => frame::pattern(at..end),
            };
            if let Some(key) = mask {
                frame::mask(key, at - range.start, &mut bytes);
            }
            self.wire.push(&bytes)?;
            self.record.entry().sent_bytes = self.wire.written;
            at = end;
        }
        Ok(())
    }
}
