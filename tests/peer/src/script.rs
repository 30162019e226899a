//! The script language: what the peer does on a connection, step by step.
//!
//! Invariant: a script is parsed whole before the first byte is sent, so a
//! wrong one is refused and never half run. Separators are split first and
//! percent-encoding is undone last, so any byte can be written anywhere.

use std::time::Duration;

use crate::frame::{Width, op};
use crate::request::{hex_decode, percent_decode};

#[derive(Clone, Debug)]
pub(crate) enum Step {
    // The opening handshake.
    Accept(Vec<Edit>),
    Reply(String, Vec<Edit>),
    Http(Payload),
    NoHandshake,
    // Sending.
    Frame(Frame),
    Fragments { op: u8, payload: Payload, size: u64 },
    Raw(Payload),
    Answer,
    Cork,
    Uncork,
    Split { size: usize, pause: Duration },
    Cut { at: usize, pause: Duration },
    Repeat(u64, Vec<Step>),
    // Receiving and waiting.
    Wait(Goal),
    Echo(Option<u64>),
    Delay(Duration),
    Hold(Duration),
    Slow { size: usize, pause: Duration },
    ReceiveBuffer(usize),
    Limit(Duration),
    Quiet,
    // Ending.
    Fin,
    Drop,
    Rst,
}

/// What a wait is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    Messages(u64),
    Frames(u64),
    Close,
    End,
}

/// A change to the reply that would be sent.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    Status(String),
    Version(String),
    Protocol(Vec<u8>),
    FirstProtocol,
    LastProtocol,
    NoProtocol,
    Deflate,
    Lower,
    Upper,
    Body(Vec<u8>),
    Add(Vec<u8>, Vec<u8>),
    Set(Vec<u8>, Vec<u8>),
    Remove(Vec<u8>),
}

#[derive(Clone, Debug)]
pub(crate) enum Payload {
    Bytes(Vec<u8>),
    /// So many bytes of `frame::pattern`.
    Pattern(u64),
    /// The number of the round of the innermost `repeat`, in decimal.
    Round,
}

/// A frame to send, with what is to be unusual about it.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) op: u8,
    pub(crate) payload: Payload,
    pub(crate) fin: bool,
    pub(crate) rsv: u8,
    pub(crate) mask: bool,
    pub(crate) width: Option<Width>,
    pub(crate) claim: Option<u64>,
}

/// Deeper repeats are refused, so that no script exhausts the stack.
const MAX_DEPTH: usize = 8;

/// Parses a script; without a step for the opening handshake it gets `accept`.
pub(crate) fn parse(script: &str) -> Result<Vec<Step>, String> {
    // One list for each open `repeat`, with its count; the first is the script.
    let mut open: Vec<(u64, Vec<Step>)> = vec![(1, Vec::new())];
    for text in script.split(';').filter(|text| !text.is_empty()) {
        let fail = |why: &str| format!("{why} in step `{text}`");
        let args: Vec<&str> = text.split(':').collect();
        match args[0] {
            "repeat" if open.len() > MAX_DEPTH => return Err(fail("too deep")),
            "repeat" => open.push((
                number(args.get(1).unwrap_or(&"")).map_err(|why| fail(&why))?,
                vec![],
            )),
            "next" => {
                let (count, steps) = open.pop().expect("the script itself is never popped");
                let outer = open.last_mut().ok_or_else(|| fail("no repeat"))?;
                outer.1.push(Step::Repeat(count, steps));
            }
            _ => {
                let steps = &mut open
                    .last_mut()
                    .expect("the script itself is never popped")
                    .1;
                steps.extend(step(&args).map_err(|why| fail(&why))?);
            }
        }
    }
    let (_, mut steps) = open.pop().expect("the script itself is never popped");
    if !open.is_empty() {
        return Err("repeat without next".into());
    }
    let opens = |step: &Step| {
        matches!(
            step,
            Step::Accept(_) | Step::Reply(..) | Step::Http(_) | Step::NoHandshake
        )
    };
    if !steps.iter().any(opens) {
        steps.insert(0, Step::Accept(Vec::new()));
    }
    Ok(steps)
}

fn step(args: &[&str]) -> Result<Vec<Step>, String> {
    let (name, args) = (args[0], &args[1..]);
    let arg = |at: usize| args.get(at).copied().unwrap_or("");
    let most = |count: usize| match args.len() <= count {
        true => Ok(()),
        false => Err("too many arguments".to_owned()),
    };
    let millis = |at: usize| number_or(arg(at), 0).map(Duration::from_millis);
    let size = |at: usize| number(arg(at)).map(|size| usize::try_from(size).unwrap_or(usize::MAX));
    // Steps that take edits or flags use any number of arguments.
    let limit = match name {
        "accept" | "with101" | "reply" => usize::MAX,
        "frame" | "fragments" | "close" => 3,
        "answer" | "cork" | "uncork" | "nohandshake" | "quiet" | "fin" | "drop" | "rst" => 0,
        "raw" | "http" | "echo" | "delay" | "hold" | "rcvbuf" | "limit" => 1,
        _ => 2,
    };
    most(limit)?;
    let one = match name {
        "accept" => Step::Accept(edits(args)?),
        "with101" => return Ok(vec![Step::Cork, Step::Accept(edits(args)?)]),
        "reply" => Step::Reply(arg(0).to_owned(), edits(args.get(1..).unwrap_or(&[]))?),
        "http" => Step::Http(payload(arg(0))?),
        "nohandshake" => Step::NoHandshake,
        "text" | "binary" | "continuation" | "ping" | "pong" => {
            Step::Frame(frame(opcode(name)?, payload(arg(0))?, arg(1))?)
        }
        "close" if args.is_empty() => Step::Frame(frame(op::CLOSE, Payload::Bytes(vec![]), "")?),
        "close" => {
            let code = u16::try_from(number(arg(0))?).map_err(|_| "no 16-bit code")?;
            let mut body = code.to_be_bytes().to_vec();
            body.extend(percent_decode(arg(1)));
            Step::Frame(frame(op::CLOSE, Payload::Bytes(body), arg(2))?)
        }
        "frame" => Step::Frame(frame(opcode(arg(0))?, payload(arg(1))?, arg(2))?),
        "fragments" => {
            let (op, size) = (opcode(arg(0))?, number(arg(2))?.max(1));
            Step::Fragments {
                op,
                payload: payload(arg(1))?,
                size,
            }
        }
        "raw" => Step::Raw(payload(arg(0))?),
        "answer" => Step::Answer,
        "cork" => Step::Cork,
        "uncork" => Step::Uncork,
        "split" => Step::Split {
            size: size(0)?,
            pause: millis(1)?,
        },
        "cut" => Step::Cut {
            at: size(0)?,
            pause: millis(1)?,
        },
        "wait" => Step::Wait(match arg(0) {
            "message" => Goal::Messages(number_or(arg(1), 1)?),
            "frame" => Goal::Frames(number_or(arg(1), 1)?),
            "close" => Goal::Close,
            "end" => Goal::End,
            _ => return Err("nothing known to wait for".into()),
        }),
        "echo" if args.is_empty() => Step::Echo(None),
        "echo" => Step::Echo(Some(number(arg(0))?)),
        "delay" => Step::Delay(Duration::from_millis(number(arg(0))?)),
        "hold" => Step::Hold(Duration::from_millis(number(arg(0))?)),
        "slow" => Step::Slow {
            size: size(0)?.max(1),
            pause: millis(1)?,
        },
        "rcvbuf" => Step::ReceiveBuffer(size(0)?),
        "limit" => Step::Limit(Duration::from_millis(number(arg(0))?.max(1))),
        "quiet" => Step::Quiet,
        "fin" => Step::Fin,
        "drop" => Step::Drop,
        "rst" => Step::Rst,
        _ => return Err("unknown name".into()),
    };
    Ok(vec![one])
}

fn frame(op: u8, payload: Payload, flags: &str) -> Result<Frame, String> {
    let mut frame = Frame {
        op,
        payload,
        fin: true,
        rsv: 0,
        mask: false,
        width: None,
        claim: None,
    };
    for flag in flags.split(',').filter(|flag| !flag.is_empty()) {
        match flag {
            "nofin" => frame.fin = false,
            "rsv1" => frame.rsv |= 4,
            "rsv2" => frame.rsv |= 2,
            "rsv3" => frame.rsv |= 1,
            "mask" => frame.mask = true,
            "len16" => frame.width = Some(Width::Sixteen),
            "len64" => frame.width = Some(Width::SixtyFour),
            _ => match flag.strip_prefix("claim=") {
                Some(claim) => frame.claim = Some(number(claim)?),
                None => return Err(format!("unknown flag `{flag}`")),
            },
        }
    }
    Ok(frame)
}

fn edits(args: &[&str]) -> Result<Vec<Edit>, String> {
    args.iter()
        .filter(|text| !text.is_empty())
        .map(|text| edit(text))
        .collect()
}

fn edit(text: &str) -> Result<Edit, String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(percent_decode(value))),
        None => (text, None),
    };
    let text_of = |value: Vec<u8>| String::from_utf8_lossy(&value).into_owned();
    Ok(match (name, value) {
        ("status", Some(value)) => Edit::Status(text_of(value)),
        ("version", Some(value)) => Edit::Version(text_of(value)),
        ("protocol", Some(value)) => Edit::Protocol(value),
        ("body", Some(value)) => Edit::Body(value),
        ("first", None) => Edit::FirstProtocol,
        ("last", None) => Edit::LastProtocol,
        ("none", None) => Edit::NoProtocol,
        ("deflate", None) => Edit::Deflate,
        ("lower", None) => Edit::Lower,
        ("upper", None) => Edit::Upper,
        (name, Some(value)) => match name.strip_prefix('+') {
            Some(name) => Edit::Add(percent_decode(name), value),
            None => Edit::Set(percent_decode(name), value),
        },
        (name, None) => match name.strip_prefix('-') {
            Some(name) => Edit::Remove(percent_decode(name)),
            None => return Err(format!("unknown edit `{name}`")),
        },
    })
}

fn payload(text: &str) -> Result<Payload, String> {
    if let Some(hex) = text.strip_prefix("0x") {
        return hex_decode(hex)
            .map(Payload::Bytes)
            .ok_or_else(|| "bad hex".into());
    }
    match text.strip_prefix('*') {
        Some(size) => number(size).map(Payload::Pattern),
        None if text == "@n" => Ok(Payload::Round),
        None => Ok(Payload::Bytes(percent_decode(text))),
    }
}

fn opcode(text: &str) -> Result<u8, String> {
    Ok(match text {
        "continuation" => op::CONTINUATION,
        "text" => op::TEXT,
        "binary" => op::BINARY,
        "close" => op::CLOSE,
        "ping" => op::PING,
        "pong" => op::PONG,
        _ => match u8::from_str_radix(text, 16) {
            Ok(op) if op < 16 => op,
            _ => return Err("no opcode".into()),
        },
    })
}

fn number_or(text: &str, default: u64) -> Result<u64, String> {
    if text.is_empty() {
        Ok(default)
    } else {
        number(text)
    }
}

/// A number in decimal, with `k` or `M` for KiB and MiB, or in hex after `0x`.
fn number(text: &str) -> Result<u64, String> {
    let scaled = |digits: &str, shift: u32| digits.parse::<u64>().ok()?.checked_mul(1 << shift);
    let value = if let Some(hex) = text.strip_prefix("0x") {
        u64::from_str_radix(hex, 16).ok()
    } else if let Some(digits) = text.strip_suffix('k') {
        scaled(digits, 10)
    } else if let Some(digits) = text.strip_suffix('M') {
        scaled(digits, 20)
    } else {
        scaled(text, 0)
    };
    value.ok_or_else(|| format!("no number `{text}`"))
}
