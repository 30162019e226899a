//! The headers of frames, and the rules that one header may break.

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::Decoder;
use crate::wire::frame::parse_header;
use crate::wire::violation::Violation;

/// The longest header of a frame from a server: two bytes and a length of eight.
pub(super) const MAX_HEADER: usize = 14;

/// Control frames carry at most this many bytes (RFC 6455, 5.5).
pub(super) const MAX_CONTROL: usize = 125;

/// The facts of a checked header that are still needed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) is_final: bool,
    /// It is part of a text message.
    pub(super) text: bool,
    /// It is part of a compressed message.
    pub(super) compressed: bool,
    pub(super) control: Option<Control>,
}

impl Decoder {
    /// The next frame's header, checked; `None` when more bytes are needed.
    #[inline]
    pub(super) fn next_header(
        &mut self,
        input: &mut &[u8],
    ) -> Result<Option<(Frame, u64)>, Violation> {
        let mut carried = 0;
        let parsed = match &mut self.partial {
            Some(partial) if partial.header_len > 0 => {
                carried = usize::from(partial.header_len);
                let fresh = input.len().min(MAX_HEADER - carried);
                partial.header[carried..carried + fresh].copy_from_slice(&input[..fresh]);
                parse_header(&partial.header[..carried + fresh])?
            }
            _ => parse_header(input)?,
        };
        let Some((header, length, size)) = parsed else {
            // Too short to be a header: keep all of it.
            if !input.is_empty() {
                let partial = self.partial();
                partial.header[carried..carried + input.len()].copy_from_slice(input);
                partial.header_len += input.len() as u8;
                *input = &[];
            }
            return Ok(None);
        };
        if let Some(partial) = &mut self.partial {
            partial.header_len = 0;
        }
        *input = &input[size - carried..];
        let frame = self.check_header(&header, length)?;
        Ok(Some((frame, length)))
    }

    /// RFC 6455, sections 5.2 to 5.5 (S90, S92, S93), and the size limit (S62).
    #[inline]
    fn check_header(&self, header: &FrameHeader, length: u64) -> Result<Frame, Violation> {
        // RFC 7692, 6: only the first frame of a message may have the bit.
        let begins_message = matches!(header.opcode, OpCode::Data(Data::Text | Data::Binary));
        let rsv1_is_used = self.inflater.is_some() && begins_message;
        if (header.rsv1 && !rsv1_is_used) || header.rsv2 || header.rsv3 {
            let what = "the peer set a reserved bit that no extension uses";
            return Err(Violation::protocol(what));
        }
        if header.mask.is_some() {
            return Err(Violation::protocol("the peer masked a frame"));
        }
        let (control, text, compressed) = match header.opcode {
            OpCode::Control(control) => {
                if !header.is_final {
                    let what = "the peer fragmented a control frame";
                    return Err(Violation::protocol(what));
                }
                if length > MAX_CONTROL as u64 {
                    let what = "the peer sent a control frame of more than 125 bytes";
                    return Err(Violation::protocol(what));
                }
                (Some(control), false, false)
            }
            OpCode::Data(kind) => {
                let (before, text, compressed) = match (self.message(), kind) {
                    (None, Data::Continue) => {
                        let what = "the peer continued a message that it had not begun";
                        return Err(Violation::protocol(what));
                    }
                    (Some(_), Data::Text | Data::Binary) => {
                        let what = "the peer began a message inside another";
                        return Err(Violation::protocol(what));
                    }
                    (Some(message), _) => (
                        message.data.len(),
                        message.utf8.is_some(),
                        message.compressed,
                    ),
                    (None, kind) => (0, kind == Data::Text, header.rsv1),
                };
                // For a compressed message the inflated size counts.
                if !compressed && length > (self.max_message_size - before) as u64 {
                    return Err(Violation::too_big());
                }
                (None, text, compressed)
            }
        };
        Ok(Frame {
            is_final: header.is_final,
            text,
            compressed,
            control,
        })
    }
}
