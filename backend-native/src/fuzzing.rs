//! Private parts of this crate, made public for the targets in `fuzz/`.
//!
//! Invariant: this exists only in a build with `--cfg fuzzing`, and adds no behaviour. The
//! checks are in `fuzz/`.

use std::time::SystemTime;

use isosocket_core::{ErrorEvent, Message, MessageRef, Report};

use crate::engine::opening::{self, Progress, Setup};
use crate::engine::session::SessionOptions;
use crate::options::NativeOptions;
use crate::options::headers::Headers;
use crate::options::no_proxy;
use crate::options::proxy::Proxy;
use crate::options::target::Target;
use crate::response::ErrorEventExt;
use crate::url::Host;
use crate::wire::decoder::{self, Arena, Flow, Output};
use crate::wire::deflate::{Compressor, Deflate};
use crate::wire::frame;

/// What a decoder found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A ping.
    Ping(Vec<u8>),
    /// A pong.
    Pong,
    /// A Close frame.
    Close(Option<(u16, String)>),
}

impl From<Message> for Item {
    fn from(message: Message) -> Self {
        match message.as_text() {
            Some(text) => Item::Text(text.to_owned()),
            None => Item::Binary(message.as_bytes().to_vec()),
        }
    }
}

/// What both sides agreed on about compression.
#[derive(Clone, Copy, Debug)]
pub struct Compression {
    /// The window of both sides, in bits: 8 to 15.
    pub window: u8,
    /// Both sides keep their context.
    pub takes_over: bool,
}

impl Compression {
    fn agreed(self) -> crate::wire::deflate::Agreed {
        let Compression { window, takes_over } = self;
        let mut reply = format!(
            "permessage-deflate; server_max_window_bits={window}; client_max_window_bits={window}"
        );
        if !takes_over {
            reply += "; server_no_context_takeover; client_no_context_takeover";
        }
        let agreed = Deflate::default().agree(std::iter::once(reply.as_bytes()));
        agreed.expect("it is valid").expect("it is an agreement")
    }
}

/// The receiving half of a connection, fed as an event loop does.
pub struct Decoder {
    decoder: decoder::Decoder,
    arena: Arena,
}

/// Gathers items, and stops after each if that is wanted.
struct Gather<'a> {
    items: &'a mut Vec<Item>,
    stops: bool,
}

impl Gather<'_> {
    fn add(&mut self, item: Item) -> Flow {
        self.items.push(item);
        match self.stops {
            true => Flow::Stop,
            false => Flow::GoOn,
        }
    }
}

impl Output for Gather<'_> {
    fn message(&mut self, message: Message) -> Flow {
        self.add(message.into())
    }

    fn item(&mut self, item: decoder::Item) -> Flow {
        self.add(match item {
            decoder::Item::Message(message) => message.into(),
            decoder::Item::Ping(payload) => Item::Ping(payload.to_vec()),
            decoder::Item::Pong => Item::Pong,
            decoder::Item::Close(frame) => Item::Close(frame),
        })
    }
}

impl Decoder {
    /// A decoder that accepts messages of at most so many bytes.
    pub fn new(max_message_size: usize, compression: Option<Compression>) -> Self {
        let mut decoder = decoder::Decoder::new(max_message_size);
        if let Some(compression) = compression {
            decoder.set_inflater(compression.agreed().inflater());
        }
        Decoder {
            decoder,
            arena: Arena::default(),
        }
    }

    /// Takes in what arrived. With `stops` it is called again after each item, as for a
    /// program that is slow. The error is the code of the Close frame.
    pub fn feed(
        &mut self,
        mut piece: &[u8],
        stops: bool,
        items: &mut Vec<Item>,
    ) -> Result<(), u16> {
        while !piece.is_empty() {
            if let Some((data, most)) = self.decoder.room() {
                let (here, rest) = piece.split_at(most.min(piece.len()));
                data.extend_from_slice(here);
                piece = rest;
                let message = self.decoder.appended(here.len());
                items.extend(message.map_err(|violation| violation.code)?.map(Item::from));
                continue;
            }
            let mut gather = Gather { items, stops };
            let used = self.decoder.decode(piece, &mut self.arena, &mut gather);
            let used = used.map_err(|violation| violation.code)?;
            assert!(used > 0, "decoding goes on");
            piece = &piece[used..];
        }
        Ok(())
    }
}

/// The sending half's compression.
pub struct Packer(Compressor);

impl Packer {
    /// The sending half of what was agreed on.
    pub fn new(compression: Compression) -> Self {
        Packer(compression.agreed().compressor())
    }

    /// The compressed payload, if it is worth it.
    pub fn compress(&mut self, message: &Message) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let packed = self.0.compress(
            match message.as_text() {
                Some(text) => MessageRef::Text(text),
                None => MessageRef::Binary(message.as_bytes()),
            },
            &mut out,
        );
        packed.then_some(out)
    }

    /// The message that was compressed last was not sent.
    pub fn forget(&mut self) {
        self.0.forget();
    }
}

/// What became of an opening when bytes arrived.
#[derive(Debug)]
pub enum Step {
    /// More bytes are needed.
    More,
    /// The tunnel is open.
    Tunnel,
    /// The connection is established.
    Established {
        /// The subprotocol.
        protocol: String,
        /// The extensions.
        extensions: String,
        /// How many bytes of the input belonged to the reply.
        used: usize,
    },
    /// It failed.
    Failed(ErrorEvent),
}

/// A connection that is not established.
pub struct Opening(Option<opening::Opening>);

impl Opening {
    /// The bytes of the key in the request.
    pub const KEY: [u8; 16] = *b"the sample nonce";

    fn setup(url: &str, subprotocols: &[&str], native: NativeOptions) -> Option<Setup> {
        Some(Setup {
            target: Target::parse(url).ok()?,
            subprotocols: subprotocols.iter().map(|&name| name.to_owned()).collect(),
            native,
            session: SessionOptions {
                max_message_size: 1 << 20,
                close_timeout: None,
                keep_alive: None,
                receive_limit: 1 << 20,
            },
        })
    }

    /// Asks a server for a WebSocket; `None` for a malformed URL.
    pub fn server(url: &str, subprotocols: &[&str], compresses: bool) -> Option<Self> {
        let mut native = NativeOptions::default();
        native.deflate = match compresses {
            true => Deflate::default(),
            false => Deflate::off(),
        };
        let setup = Self::setup(url, subprotocols, native)?;
        Some(Opening(Some(opening::Opening::handshake(setup, Self::KEY))))
    }

    /// The same with headers of the program, of which the invalid ones are refused.
    pub fn with_headers(url: &str, headers: &[(&str, &str)]) -> Option<Self> {
        let mut valid = Headers::default();
        for (name, value) in headers {
            let _ = valid.add(name, value);
        }
        let mut native = NativeOptions::default();
        native.headers = valid;
        let setup = Self::setup(url, &[], native)?;
        Some(Opening(Some(opening::Opening::handshake(setup, Self::KEY))))
    }

    /// Asks a proxy for a tunnel.
    pub fn proxy(proxy: &str, url: &str) -> Option<Self> {
        let proxy = Proxy::new(proxy).ok()?;
        let setup = Self::setup(url, &[], NativeOptions::default())?;
        Some(Opening(Some(opening::Opening::tunnel(proxy, setup))))
    }

    /// What is to be written, which is taken as written.
    pub fn write(&mut self) -> Vec<u8> {
        let Some(opening) = &mut self.0 else {
            return Vec::new();
        };
        let outgoing = opening.outgoing().to_vec();
        opening.advance(outgoing.len());
        outgoing
    }

    /// Takes in what arrived, while more is needed.
    pub fn receive(&mut self, piece: &[u8]) -> Step {
        let opening = self.0.take().expect("more bytes are needed");
        match opening.receive(piece, SystemTime::UNIX_EPOCH) {
            Ok(Progress::More(opening)) => {
                self.0 = Some(opening);
                Step::More
            }
            Ok(Progress::TunnelIsOpen(_)) => Step::Tunnel,
            Ok(Progress::Established { reply, used, .. }) => {
                let Report::Established {
                    protocol,
                    extensions,
                } = reply.established
                else {
                    unreachable!("it is established");
                };
                Step::Established {
                    protocol,
                    extensions,
                    used,
                }
            }
            Err(failure) => Step::Failed(failure.into_event()),
        }
    }

    /// The peer ends the stream while more bytes are needed.
    pub fn end(&mut self) -> ErrorEvent {
        let opening = self.0.take().expect("more bytes are needed");
        opening
            .into_failure(None, SystemTime::UNIX_EPOCH)
            .into_event()
    }
}

/// What a program reads of a refusal: its headers, and the start of its body.
pub fn refusal(error: &ErrorEvent) -> Option<(usize, Vec<u8>)> {
    let response = error.response()?;
    Some((response.headers().count(), response.body().to_vec()))
}

/// A URL as the socket shows it, its `Host` header, and the request's resource.
pub fn target(url: &str) -> Option<(String, String, String)> {
    let target = Target::parse(url).ok()?;
    let shown = target.serialized().to_owned();
    Some((
        shown,
        target.authority().to_owned(),
        target.resource().to_owned(),
    ))
}

/// Whether a `no_proxy` list names a host; `None` for a host that is none.
pub fn is_exempt(list: &str, host: &str, port: u16) -> Option<bool> {
    let host = Host::parse(host).ok()?;
    Some(no_proxy::is_exempt(list, &host, port))
}

/// What is agreed on by these `Sec-WebSocket-Extensions` lines, as the socket shows it.
pub fn agree(lines: &[&[u8]]) -> Result<Option<String>, ()> {
    let agreed = Deflate::default().agree(lines.iter().copied());
    agreed
        .map(|agreed| agreed.map(|agreed| agreed.to_string()))
        .map_err(|_| ())
}

/// Whether a proxy's URL is accepted.
pub fn is_proxy(url: &str) -> bool {
    Proxy::new(url).is_ok()
}

/// The code and reason in a Close frame; the error is the code of the answer.
pub fn parse_close(payload: &[u8]) -> Result<Option<(u16, String)>, u16> {
    frame::parse_close(payload).map_err(|violation| violation.code)
}

/// A client's frame.
pub fn encode(opcode: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let mut out = Vec::new();
    frame::encode_header(&mut out, opcode.into(), false, payload.len() as u64, mask);
    frame::encode_payload(&mut out, payload, mask);
    out
}
