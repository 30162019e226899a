//! S1 to S14: the constructor checks the URL.

use isosocket::{NewError, ReadyState};

use crate::harness;
use crate::probe::{Probe, Via, fresh_id, new_socket, open_socket, socket_builder, url, with_id};
use crate::record::{record, records_now};
use crate::suite::{Seen, ensure, ensure_eq};

/// S1: the URL parser refuses these.
pub const MALFORMED: &[&str] = &[
    "ws://[",
    "ws://[::1",
    "ws://[::1/",
    "ws://[:::1]/",
    "ws://[1.2.3]/",
    "ws://%/",
    "ws://a%/",
    "ws://%zz/",
    "ws://a<b/",
    "ws://a>b/",
    "ws://a^b/",
    "ws://a|b/",
    "ws://a%00b/",
    "ws://a%2Fb/",
    "ws://user@/",
    "ws://user:password@/",
];

/// A syntax error, whatever kind of it.
fn refused(address: &str) -> Seen {
    match new_socket(address) {
        Err(NewError::Syntax(_)) => Ok("syntax error".into()),
        Err(error) => Err(format!("another error: {error:?}")),
        Ok(socket) => Err(format!("accepted as {}", socket.url())),
    }
}

/// The URL as the socket shows it. The socket is dropped at once.
fn shown(address: &str, expected: &str) -> Seen {
    let socket = new_socket(address).map_err(|error| format!("{address:?}: {error}"))?;
    ensure_eq!(socket.url(), expected, "the url of {address:?}");
    Ok(socket.url().to_owned())
}

pub async fn malformed_urls_are_syntax_errors(address: &'static str) -> Seen {
    refused(address)
}

pub async fn a_space_in_the_host_is_a_syntax_error() -> Seen {
    refused("ws://a b/")
}

/// S2.
pub const MAPPED: &[(&str, &str)] = &[
    ("http://isosocket.invalid/a", "ws://isosocket.invalid/a"),
    ("https://isosocket.invalid/a", "wss://isosocket.invalid/a"),
    ("HTTP://isosocket.invalid/", "ws://isosocket.invalid/"),
    ("hTTps://isosocket.invalid/", "wss://isosocket.invalid/"),
    ("http://isosocket.invalid:80/", "ws://isosocket.invalid/"),
    ("https://isosocket.invalid:443/", "wss://isosocket.invalid/"),
    ("http:isosocket.invalid", "ws://isosocket.invalid/"),
];

pub async fn http_is_mapped_to_ws((address, expected): (&'static str, &'static str)) -> Seen {
    shown(address, expected)
}

pub async fn an_http_url_connects() -> Seen {
    let address = url("/script?do=close:1000").replacen("ws:", "http:", 1);
    let probe = Probe::from_builder(Via::Stream, socket_builder(address));
    let mut probe = probe.map_err(|error| error.to_string())?;
    ensure!(
        probe.socket.url().starts_with("ws://"),
        "{:?}",
        probe.socket
    );
    probe.ends(r#"open close(1000 "" clean)"#).await
}

/// S3.
pub const OTHER_SCHEMES: &[&str] = &[
    "ftp://127.0.0.1/",
    "file:///etc/hosts",
    "about:blank",
    "data:,x",
    "javascript:0",
    "blob:http://127.0.0.1/x",
    "mailto:a@b.invalid",
    "urn:x",
    "ws2://127.0.0.1/",
    "wsx:127.0.0.1",
    "w://127.0.0.1/",
    "ws+unix:/x",
    "localhost:80/echo",
];

pub async fn other_schemes_are_syntax_errors(address: &'static str) -> Seen {
    refused(address)
}

/// S4.
pub const FRAGMENTS: &[&str] = &["#", "#a", "/#", "/echo#a", "/echo?a#", "/echo?a#b", "/#%23"];

/// Nothing is sent either: the peer sees no connection.
pub async fn a_fragment_is_a_syntax_error(end: &'static str) -> Seen {
    let id = fresh_id();
    let address = url(&with_id("/echo", &id));
    let seen = refused(&format!("{}{end}", url("")))?;
    refused(&format!("{address}{end}"))?;
    ensure!(records_now(&id).await?.is_empty(), "a connection was made");
    Ok(seen)
}

pub async fn an_escaped_hash_is_no_fragment() -> Seen {
    shown(
        "ws://isosocket.invalid/a%23b?c%23d",
        "ws://isosocket.invalid/a%23b?c%23d",
    )
}

/// S5.
pub const RELATIVE: &[&str] = &[
    "",
    " ",
    "/",
    "/echo",
    "//127.0.0.1/echo",
    "///",
    "echo",
    "./echo",
    "../echo",
    "?a",
    "?a:b",
    "127.0.0.1",
    "127.0.0.1/echo",
    "[::1]/",
    ":",
    "://",
    "é:",
    "1ws://127.0.0.1/",
    "w s://h/",
    "\\\\127.0.0.1\\echo",
];

pub async fn a_relative_url_is_a_syntax_error(address: &'static str) -> Seen {
    refused(address)
}

/// S6 to S11: what the socket shows.
pub const LOWER_CASE: &[(&str, &str)] = &[
    ("WS://IsoSocket.INVALID/", "ws://isosocket.invalid/"),
    (
        "Wss://ISOSOCKET.invalid/Path?Q",
        "wss://isosocket.invalid/Path?Q",
    ),
    ("wS://u:P@ISOSOCKET.invalid/", "ws://u:P@isosocket.invalid/"),
    ("ws://[::ABCD]/", "ws://[::abcd]/"),
    ("ws://%49soSocket.invalid/", "ws://isosocket.invalid/"),
];

pub async fn scheme_and_host_become_lower_case(
    (address, expected): (&'static str, &'static str),
) -> Seen {
    shown(address, expected)
}

pub const PATHS: &[(&str, &str)] = &[
    ("ws://isosocket.invalid", "ws://isosocket.invalid/"),
    ("ws://isosocket.invalid?a", "ws://isosocket.invalid/?a"),
    ("ws://isosocket.invalid:8?", "ws://isosocket.invalid:8/?"),
    (
        "ws://isosocket.invalid/a/../b/./c",
        "ws://isosocket.invalid/b/c",
    ),
    (
        "ws://isosocket.invalid/%2e%2E/b",
        "ws://isosocket.invalid/b",
    ),
    ("ws://isosocket.invalid//a//", "ws://isosocket.invalid//a//"),
];

pub async fn an_empty_path_becomes_a_slash(
    (address, expected): (&'static str, &'static str),
) -> Seen {
    shown(address, expected)
}

pub const PORTS: &[(&str, &str)] = &[
    ("ws://isosocket.invalid:80/", "ws://isosocket.invalid/"),
    ("wss://isosocket.invalid:443/", "wss://isosocket.invalid/"),
    ("ws://isosocket.invalid:0080/", "ws://isosocket.invalid/"),
    ("ws://isosocket.invalid:/", "ws://isosocket.invalid/"),
    ("ws://isosocket.invalid:81/", "ws://isosocket.invalid:81/"),
    (
        "ws://isosocket.invalid:65535/",
        "ws://isosocket.invalid:65535/",
    ),
    (
        "ws://isosocket.invalid:08080/",
        "ws://isosocket.invalid:8080/",
    ),
];

pub async fn the_default_port_is_omitted(
    (address, expected): (&'static str, &'static str),
) -> Seen {
    shown(address, expected)
}

pub const LENIENT: &[(&str, &str)] = &[
    ("  ws://isosocket.invalid/ ", "ws://isosocket.invalid/"),
    (
        "\u{1}\nws://isosocket.invalid/\0",
        "ws://isosocket.invalid/",
    ),
    ("ws://iso\tsocket.in\nvalid/\r", "ws://isosocket.invalid/"),
    (
        "w\ts:\n//isosocket.invalid/a\tb",
        "ws://isosocket.invalid/ab",
    ),
    ("ws:isosocket.invalid", "ws://isosocket.invalid/"),
    ("ws:/isosocket.invalid", "ws://isosocket.invalid/"),
    ("ws:////isosocket.invalid/", "ws://isosocket.invalid/"),
    (
        "ws:\\\\isosocket.invalid\\a\\b",
        "ws://isosocket.invalid/a/b",
    ),
    (
        "ws:/\\isosocket.invalid\\a?b\\c",
        "ws://isosocket.invalid/a?b\\c",
    ),
];

pub async fn white_space_and_slashes_are_forgiven(
    (address, expected): (&'static str, &'static str),
) -> Seen {
    shown(address, expected)
}

/// What is written after the host, and what becomes of it.
pub const ENCODED: &[(&str, &str)] = &[
    ("/a b", "/a%20b"),
    ("/é", "/%C3%A9"),
    ("/😀", "/%F0%9F%98%80"),
    ("/a\0b", "/a%00b"),
    ("/%zz", "/%zz"),
    ("/%", "/%"),
    ("/%c3%a9", "/%c3%a9"),
    ("/a\"b<c>d`e{f}", "/a%22b%3Cc%3Ed%60e%7Bf%7D"),
    ("/a'b;c:d@e!$&()*+,=~", "/a'b;c:d@e!$&()*+,=~"),
    ("/?a b", "/?a%20b"),
    ("/?é", "/?%C3%A9"),
    ("/?a\"b<c>d'e", "/?a%22b%3Cc%3Ed%27e"),
    ("/?a`b{c}|^", "/?a`b{c}|^"),
    ("/?\0%zz", "/?%00%zz"),
];

pub async fn path_and_query_are_percent_encoded(
    (end, expected): (&'static str, &'static str),
) -> Seen {
    shown(
        &format!("ws://isosocket.invalid{end}"),
        &format!("ws://isosocket.invalid{expected}"),
    )
}

/// The same on the wire.
pub const REQUESTED: &[(&str, &str)] = &[
    ("/echo/a b", "/echo/a%20b"),
    ("/echo/é😀", "/echo/%C3%A9%F0%9F%98%80"),
    ("/echo/%zz%00", "/echo/%zz%00"),
    ("/echo/a\\b/../c", "/echo/a/c"),
    ("/echo/'!$&()*+,=~", "/echo/'!$&()*+,=~"),
];

pub async fn what_is_shown_is_requested((path, expected): (&'static str, &'static str)) -> Seen {
    let id = fresh_id();
    let socket = open_socket(url(&with_id(path, &id))).await;
    let socket = socket.map_err(|error| error.to_string())?;
    ensure_eq!(socket.url(), url(&with_id(expected, &id)), "the url");
    drop(socket);
    let record = record(&id).await?;
    let line = format!("GET {} HTTP/1.1", with_id(expected, &id));
    ensure_eq!(record.request(), line, "the request");
    ensure_eq!(record.header("Host"), [harness::peer()], "the host");
    Ok(record.request().to_owned())
}

pub const HOSTS: &[(&str, &str)] = &[
    ("ws://bücher.invalid/", "ws://xn--bcher-kva.invalid/"),
    ("ws://BÜCHER.invalid/", "ws://xn--bcher-kva.invalid/"),
    ("ws://b%C3%BCcher.invalid/", "ws://xn--bcher-kva.invalid/"),
    ("ws://例え.invalid/", "ws://xn--r8jz45g.invalid/"),
    ("ws://isosocket。invalid/", "ws://isosocket.invalid/"),
    ("ws://127.1/", "ws://127.0.0.1/"),
    ("ws://2130706433/", "ws://127.0.0.1/"),
    ("ws://0x7f.1/", "ws://127.0.0.1/"),
    ("ws://0177.0.0.01/", "ws://127.0.0.1/"),
    ("ws://127.0.0.1./", "ws://127.0.0.1/"),
    ("ws://[0:0:0:0:0:0:0:1]/", "ws://[::1]/"),
    ("ws://[::127.0.0.1]/", "ws://[::7f00:1]/"),
];

pub async fn hosts_are_serialized((address, expected): (&'static str, &'static str)) -> Seen {
    shown(address, expected)
}

pub const BAD_HOSTS: &[&str] = &[
    "ws:",
    "ws:/",
    "ws://",
    "ws:///",
    "ws://?a",
    "ws://:80/",
    "ws://isosocket.invalid:65536/",
    "ws://isosocket.invalid:99999999999/",
    "ws://isosocket.invalid:-1/",
    "ws://isosocket.invalid:1a/",
    "ws://isosocket.invalid:8:8/",
    "ws://256.256.256.256/",
    "ws://127.0.0.1.5/",
    "ws://0x100000000/",
    "ws://1.2.3.08/",
];

pub async fn bad_hosts_and_ports_are_syntax_errors(address: &'static str) -> Seen {
    refused(address)
}

/// S12: user info, and the header that it becomes.
pub const USER_INFO: &[(&str, &str)] = &[
    ("user:secret", "Basic dXNlcjpzZWNyZXQ="),
    ("user", "Basic dXNlcjo="),
    ("us%20er:p%C3%A9%3A", "Basic dXMgZXI6cMOpOg=="),
];

/// The peer asks for it: some hosts send it only then, on another connection.
pub async fn user_info_is_sent_as_basic_authentication(
    (user, header): (&'static str, &'static str),
) -> Seen {
    let id = fresh_id();
    let path = with_id("/script?do=reply:401:WWW-Authenticate=Basic%20realm=x", &id);
    let address = url(&path).replacen("//", &format!("//{user}@"), 1);
    let socket = new_socket(&address).map_err(|error| error.to_string())?;
    ensure_eq!(socket.url(), address, "the url");
    // The case's own deadline bounds this.
    loop {
        // Asked before: what the peer has seen by then it knows.
        let over = socket.ready_state() == ReadyState::Closed;
        let headers: Vec<Vec<String>> = records_now(&id)
            .await?
            .iter()
            .map(|record| record.header("Authorization"))
            .collect();
        if let Some(at) = headers.iter().position(|values| !values.is_empty()) {
            ensure_eq!(headers[at], [header], "the header");
            let when = if at == 0 { "at once" } else { "when asked" };
            return Ok(format!("{header} {when}"));
        }
        if over {
            return Err(format!("not in {} requests", headers.len()));
        }
        harness::sleep(5).await;
    }
}

pub async fn without_user_info_there_is_no_authentication() -> Seen {
    let id = fresh_id();
    let address = url(&with_id("/close", &id));
    let socket = new_socket(&address).map_err(|error| error.to_string())?;
    let record = record(&id).await?;
    drop(socket);
    ensure!(record.header("Authorization").is_empty(), "{record:?}");
    Ok("no header".into())
}

/// S13: of the list in the Fetch standard the ends and a few between.
pub const BLOCKED: &[u16] = &[
    0, 1, 7, 22, 25, 53, 69, 110, 137, 143, 179, 389, 427, 465, 512, 548, 587, 601, 636, 993, 995,
    1719, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6669, 6679, 6697, 10080,
];

pub async fn a_blocked_port_fails_after_the_constructor(port: u16) -> Seen {
    let builder = socket_builder(format!("ws://127.0.0.1:{port}/"));
    let mut probe = Probe::from_builder(Via::Handlers, builder).map_err(|e| e.to_string())?;
    probe.ends("FAIL").await
}

/// S14.
pub const EITHER: &[&str] = &[
    "ws://127.0.0.1:443/",
    "wss://127.0.0.1:80/",
    "ws://isosocket.invalid:443/",
    "wss://isosocket.invalid:80/",
];

pub async fn ports_80_and_443_go_with_either_scheme(address: &'static str) -> Seen {
    let socket = new_socket(address).map_err(|error| error.to_string())?;
    ensure!(
        socket.ready_state() != ReadyState::Open,
        "something answers"
    );
    shown(address, address)
}
