//! The known places where a host breaks a rule that holds everywhere else. No
//! library can repair these, because the host does not give it what it needs.
//!
//! Such a case runs all the same. If it fails, it is reported as a deviation
//! with the reason given here. If it passes, the entry is no longer needed.

use crate::harness;

/// A host's known deviation.
#[derive(Debug)]
pub struct Deviation {
    /// The beginning of the host's name in reports.
    pub host: &'static str,
    /// The rule.
    pub rule: &'static str,
    /// What the case's name, and its row's after a colon, has in it.
    pub case: &'static str,
    /// What the host does.
    pub reason: &'static str,
}

/// All of them, by host and rule.
pub const KNOWN: &[Deviation] = &[
    // Chromium 156, by its `WebSocketStream`.
    known("chromium-stream", "S86", "", VIOLATION),
    known("chromium-stream", "S90", "", VIOLATION),
    known("chromium-stream", "S91", "", VIOLATION),
    known("chromium-stream", "S92", "", VIOLATION),
    known("chromium-stream", "S94", "", VIOLATION),
    known(
        "chromium-stream",
        "S101",
        "a_late_stream_gets_everything",
        VIOLATION,
    ),
    known("chromium-stream", "S101", "all, backwards", VIOLATION),
    // Node 22: undici.
    known("node", "S12", "", "undici does not send user info"),
    known(
        "node",
        "S29",
        "Connection=close",
        "undici waits on after such a reply; the connect timeout ends it",
    ),
    known(
        "node",
        "S30",
        ",",
        "undici takes the value of Connection for one token",
    ),
    known(
        "node",
        "S32",
        "permessage-deflate%3B",
        "undici ignores bad parameters of permessage-deflate",
    ),
    known(
        "node",
        "S43",
        "every_frame_has_a_mask_of_its_own",
        "undici 6 has random keys for the first 4,096 frames of a process only, and then zeros",
    ),
    known(
        "node",
        "S46",
        "\u{feff}",
        "undici strips a leading byte order mark",
    ),
    known(
        "node",
        "S55",
        "%EF%BB%BF",
        "undici strips a leading byte order mark",
    ),
    known(
        "node",
        "S70",
        "4001",
        "undici strips a leading byte order mark",
    ),
    known(
        "node",
        "S80",
        "a_close_is_echoed",
        "undici answers with the code only",
    ),
    known(
        "node",
        "S82",
        "",
        "undici answers with the code only, and strips a leading byte order mark",
    ),
    known(
        "node",
        "S92",
        "",
        "undici accepts longer forms of the length",
    ),
    known(
        "node",
        "S94",
        "len16",
        "undici accepts longer forms of the length",
    ),
    known(
        "node",
        "S90",
        "with_compression",
        "undici takes RSV1 anywhere once compression is agreed on",
    ),
    // Deno 2.9: fastwebsockets.
    known(
        "deno",
        "S27",
        "",
        "Deno does not compare the choice with the offer",
    ),
    known(
        "deno",
        "S30",
        ",",
        "Deno takes the value of Connection for one token",
    ),
    known("deno", "S31", "", "Deno does not look at the accept key"),
    known("deno", "S32", "", "Deno does not look at the extensions"),
    known(
        "deno",
        "S62",
        "of_the_default_limit",
        "Deno has a limit of its own just below 64 MiB",
    ),
    known(
        "deno",
        "S75",
        "the_peer_reacts",
        "Deno reports a dropped connection as closed cleanly after close()",
    ),
    known("deno", "S90", "pong:*126", "Deno accepts it"),
    known("deno", "S90", "text:z:nofin", "Deno accepts it"),
    known(
        "deno",
        "S91",
        ":nofin;",
        "Deno accepts text that ends inside a character, in fragments",
    ),
    known("deno", "S92", "", "Deno accepts longer forms of the length"),
    known(
        "deno",
        "S94",
        "len16",
        "Deno accepts longer forms of the length",
    ),
    known(
        "deno",
        "S96",
        "",
        "Deno reports an error first, and only its text distinguishes a drop from a violation",
    ),
    // Bun 1.4.
    known(
        "bun",
        "S31",
        "+Sec-WebSocket-Accept",
        "Bun accepts a repeated header",
    ),
    known(
        "bun",
        "S48",
        "",
        "Bun hands data to the system inside send, and does not count it",
    ),
    known(
        "bun",
        "S49",
        "until_the_caller_yields",
        "Bun hands data to the system inside send, and does not count it",
    ),
    known("bun", "S92", "", "Bun accepts longer forms of the length"),
    known(
        "bun",
        "S94",
        "len16",
        "Bun accepts longer forms of the length",
    ),
    // WebKitGTK 2.50.
    known(
        "webkit",
        "S12",
        "%C3%A9",
        "WebKitGTK sends user info in Latin-1",
    ),
    known("webkit", "S28", "redirects", "WebKitGTK follows redirects"),
    known(
        "webkit",
        "S31",
        "=@swapped",
        "WebKitGTK compares the accept key without case",
    ),
    known(
        "webkit",
        "S31",
        "+Sec-WebSocket-Accept=@key",
        "WebKitGTK accepts a repeated header",
    ),
    known(
        "webkit",
        "S70",
        "3999",
        "WebKitGTK cuts a reason off at a NUL",
    ),
    known(
        "webkit",
        "S81",
        "",
        "WebKitGTK answers an empty Close with 1000",
    ),
    known("webkit", "S90", "pong:*126", "WebKitGTK accepts it"),
    known(
        "webkit",
        "S27",
        "protocol=A",
        "WebKitGTK compares the choice without case",
    ),
    known(
        "webkit",
        "S27",
        "+Sec-WebSocket-Protocol",
        "WebKitGTK accepts a repeated header",
    ),
    known(
        "webkit",
        "S82",
        "%00",
        "WebKitGTK cuts a reason off at a NUL",
    ),
    known("webkit", "S82", "1012", "WebKitGTK does not know the code"),
    known("webkit", "S82", "1013", "WebKitGTK does not know the code"),
    known(
        "webkit",
        "S90",
        "with_compression",
        "WebKitGTK delivers what it cannot decompress, and takes RSV1 anywhere",
    ),
];

const VIOLATION: &str =
    "WebSocketStream reports a violation of the protocol like a dropped connection";

const fn known(
    host: &'static str,
    rule: &'static str,
    case: &'static str,
    reason: &'static str,
) -> Deviation {
    Deviation {
        host,
        rule,
        case,
        reason,
    }
}

/// Why this case may fail here.
pub fn reason(rule: &str, case: &str) -> Option<&'static str> {
    let host = harness::host();
    KNOWN
        .iter()
        .find(|known| {
            known.rule == rule && host.starts_with(known.host) && case.contains(known.case)
        })
        .map(|known| known.reason)
}
