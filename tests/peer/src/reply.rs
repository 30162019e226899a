//! The HTTP replies: a correct one first, then spoilt as the script says.
//!
//! Invariant: without edits the 101 is what RFC 6455, section 4.2.2 asks for.

use tungstenite::handshake::derive_accept_key;

use crate::request::Request;
use crate::script::Edit;

struct Reply {
    version: String,
    status: String,
    lines: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
}

/// The 101 for this request.
pub(crate) fn accept(request: &Request, edits: &[Edit]) -> Vec<u8> {
    let mut reply = Reply::new("101");
    reply.add("Upgrade", "websocket");
    reply.add("Connection", "Upgrade");
    reply.add("Sec-WebSocket-Accept", "@key");
    let protocols = request.subprotocols();
    let mut protocol = protocols.first().map(|name| name.as_bytes().to_vec());
    for edit in edits {
        match edit {
            Edit::Protocol(name) => protocol = Some(name.clone()),
            Edit::LastProtocol => protocol = protocols.last().map(|name| name.as_bytes().to_vec()),
            Edit::NoProtocol => protocol = None,
            _ => {}
        }
    }
    if let Some(protocol) = protocol {
        reply
            .lines
            .push((b"Sec-WebSocket-Protocol".to_vec(), protocol));
    }
    reply.edit(request, edits);
    reply.encode(request)
}

/// A reply that refuses, or anything else that is complete HTTP.
pub(crate) fn refuse(request: &Request, status: &str, edits: &[Edit]) -> Vec<u8> {
    let mut reply = Reply::new(status);
    let body = edits.iter().find_map(|edit| match edit {
        Edit::Body(body) => Some(body.len()),
        _ => None,
    });
    reply.add("Content-Length", &body.unwrap_or(0).to_string());
    reply.add("Connection", "close");
    reply.edit(request, edits);
    reply.encode(request)
}

/// A page for a client that speaks plain HTTP.
pub(crate) fn page(request: &Request, status: &str, kind: &str, body: &str) -> Vec<u8> {
    let set = |name: &str, value: &str| Edit::Set(name.into(), value.into());
    let edits = [
        set("Content-Type", kind),
        set("Access-Control-Allow-Origin", "*"),
        Edit::Body(body.into()),
    ];
    refuse(request, status, &edits)
}

/// Puts what this request's accept key must be where `@key` is, and
/// the same with the case of its letters swapped in that of `@swapped`.
pub(crate) fn fill_in(request: &Request, bytes: &[u8]) -> Vec<u8> {
    let key = derive_accept_key(request.header("Sec-WebSocket-Key").unwrap_or("").as_bytes());
    let swapped: Vec<u8> = key
        .bytes()
        .map(|byte| {
            if byte.is_ascii_alphabetic() {
                byte ^ 0x20
            } else {
                byte
            }
        })
        .collect();
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, tail)) = rest.split_first() {
        if let Some(tail) = rest.strip_prefix(b"@key") {
            out.extend(key.as_bytes());
            rest = tail;
        } else if let Some(tail) = rest.strip_prefix(b"@swapped") {
            out.extend(&swapped);
            rest = tail;
        } else {
            out.push(first);
            rest = tail;
        }
    }
    out
}

impl Reply {
    fn new(status: &str) -> Reply {
        let (version, status) = ("HTTP/1.1".to_owned(), status.to_owned());
        Reply {
            version,
            status,
            lines: Vec::new(),
            body: Vec::new(),
        }
    }

    fn add(&mut self, name: &str, value: &str) {
        self.lines.push((name.into(), value.into()));
    }

    fn edit(&mut self, request: &Request, edits: &[Edit]) {
        for edit in edits {
            match edit {
                Edit::Status(status) => self.status = status.clone(),
                Edit::Version(version) => self.version = version.clone(),
                Edit::Body(body) => self.body = body.clone(),
                Edit::Add(name, value) => self.lines.push((name.clone(), value.clone())),
                Edit::Remove(name) => self.lines.retain(|line| !line.0.eq_ignore_ascii_case(name)),
                Edit::Set(name, value) => {
                    let new = (name.clone(), value.clone());
                    match self
                        .lines
                        .iter_mut()
                        .find(|line| line.0.eq_ignore_ascii_case(name))
                    {
                        Some(line) => *line = new,
                        None => self.lines.push(new),
                    }
                }
                Edit::Deflate => {
                    let offered = request.header("Sec-WebSocket-Extensions").unwrap_or("");
                    if offered.contains("permessage-deflate") {
                        self.add("Sec-WebSocket-Extensions", "permessage-deflate");
                    }
                }
                Edit::Lower => self
                    .lines
                    .iter_mut()
                    .for_each(|line| line.0.make_ascii_lowercase()),
                Edit::Upper => self
                    .lines
                    .iter_mut()
                    .for_each(|line| line.0.make_ascii_uppercase()),
                Edit::Protocol(_) | Edit::FirstProtocol | Edit::LastProtocol | Edit::NoProtocol => {
                }
            }
        }
    }

    fn encode(self, request: &Request) -> Vec<u8> {
        let mut out = format!("{} {}", self.version, self.status).into_bytes();
        if !self.status.contains(' ') {
            out.extend(format!(" {}", reason_phrase(&self.status)).bytes());
        }
        out.extend(b"\r\n");
        for (name, value) in &self.lines {
            out.extend(name);
            out.extend(b": ");
            out.extend(fill_in(request, value));
            out.extend(b"\r\n");
        }
        out.extend(b"\r\n");
        out.extend(&self.body);
        out
    }
}

fn reason_phrase(status: &str) -> &'static str {
    match status {
        "101" => "Switching Protocols",
        "200" => "OK",
        "301" => "Moved Permanently",
        "302" => "Found",
        "400" => "Bad Request",
        "401" => "Unauthorized",
        "403" => "Forbidden",
        "404" => "Not Found",
        "500" => "Internal Server Error",
        "503" => "Service Unavailable",
        _ => "Other",
    }
}
