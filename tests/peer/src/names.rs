//! Short names for the common behaviours.
//!
//! Invariant: every name is only an abbreviation of a script, so nothing can
//! be done by name that `/script` cannot do.

use crate::request::Request;

/// What the page at `/` says; the complete reference is `README.md`.
pub(crate) const PAGE: &str = "\
isosocket-peer: a scripted WebSocket server. Behaviours:
/  /echo  /echo/anything  /echo-deflate  /protocol/NAME  /protocol
/text/TEXT  /send/COUNT/SIZE  /raw/HEX  /raw-with-101/HEX
/close  /close/CODE  /close/CODE/REASON  /fin  /rst
/on-close/never  /on-close/empty  /on-close/reply/CODE/REASON  /on-close/garbage
/on-close/fin  /on-close/rst  /on-close/late/MS  /on-close/data  /on-close/hold/MS
/refuse/STATUS  /redirect/STATUS/PATH  /garbage  /no-reply  /drop  /drop/rst
/silent  /slow-reader  /slow-reader/BYTES/MS  /stalled/MS
/script?do=STEP;STEP;..
Services: /record?id=ID  /open-gate?id=ID  /report?from=NAME  /ports  /proxy/new  /proxy/PORT/COMMAND
";

/// The script that a request asks for.
///
/// `before` is how many connections took a turn before it.
pub(crate) fn script(request: &Request, before: usize) -> Result<String, String> {
    // A name's arguments go into the script as they are, still encoded.
    let path = request.path().replace(':', "%3A").replace(';', "%3B");
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    Ok(match segments[..] {
        ["script"] => request
            .parameters("do")
            .take(before + 1)
            .last()
            .ok_or("no script in `do`")?
            .to_owned(),
        [] | [""] | ["echo", ..] => "echo".into(),
        ["echo-deflate"] => "accept:deflate;echo".into(),
        ["protocol"] => "accept:none;echo".into(),
        ["protocol", name] => format!("accept:protocol={name};echo"),
        ["text", text] => format!("text:{text}"),
        ["send", count, size] => format!("cork;repeat:{count};binary:*{size};next"),
        ["raw", hex] => format!("raw:0x{hex}"),
        ["raw-with-101", hex] => format!("with101;raw:0x{hex}"),
        ["close"] => "close".into(),
        ["close", code] => format!("close:{code}"),
        ["close", code, reason] => format!("close:{code}:{reason}"),
        ["fin"] => "fin".into(),
        ["rst"] => "rst".into(),
        ["on-close", "never"] => "echo;wait:end".into(),
        ["on-close", "empty"] => "echo;close".into(),
        ["on-close", "reply", code] => format!("echo;close:{code}"),
        ["on-close", "reply", code, reason] => format!("echo;close:{code}:{reason}"),
        ["on-close", "garbage"] => "echo;raw:0xffffffffffff;fin".into(),
        ["on-close", "fin"] => "echo;fin".into(),
        ["on-close", "rst"] => "echo;rst".into(),
        ["on-close", "late", ms] => format!("echo;delay:{ms};answer"),
        ["on-close", "data"] => "echo;text:late;binary:0x00ff;answer".into(),
        ["on-close", "hold", ms] => format!("echo;answer;hold:{ms}"),
        ["refuse", status] => format!("reply:{status}"),
        ["redirect", status, ref path @ ..] => {
            format!("reply:{status}:Location=/{}", path.join("/"))
        }
        ["garbage"] => "http:0x000102fffe0d0a0d0a".into(),
        ["no-reply"] => "nohandshake;limit:2500;wait:end".into(),
        ["drop"] => "nohandshake;fin".into(),
        ["drop", "rst"] => "nohandshake;rst".into(),
        ["silent"] => "quiet;wait:end".into(),
        ["slow-reader"] => "rcvbuf:65536;slow:16384:5".into(),
        ["slow-reader", size, ms] => format!("rcvbuf:65536;slow:{size}:{ms}"),
        ["stalled", ms] => format!("rcvbuf:65536;delay:{ms}"),
        _ => return Err(format!("no behaviour `{}`", request.path())),
    })
}
