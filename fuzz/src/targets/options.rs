//! What is parsed besides frames and heads: `no_proxy`, `Retry-After`, the parameters of
//! extensions, and a program's own headers.

use std::net::IpAddr;
use std::time::{Duration, UNIX_EPOCH};

use isosocket_core::retry_after;
use isosocket_native::fuzzing::{self, Opening};

use crate::input::Input;

pub fn run(data: &[u8]) {
    let mut input = Input(data);
    match input.byte() % 4 {
        0 => no_proxy(input),
        1 => retry(input),
        2 => extensions(input),
        _ => headers(input),
    }
}

fn no_proxy(mut input: Input<'_>) {
    let port = input.choose(&[80, 443, 8080]);
    let (first, second) = (input.text(), input.text());
    let host = String::from_utf8_lossy(input.0);
    let Some(by_first) = fuzzing::is_exempt(&first, &host, port) else {
        return;
    };
    let exempt = |list: &str| fuzzing::is_exempt(list, &host, port).expect("it is a host");
    // A list names what its parts name, in whatever case.
    let both = format!("{first},{second}");
    assert_eq!(exempt(&both), by_first || exempt(&second));
    assert_eq!(exempt(&first.to_ascii_uppercase()), by_first);
    assert!(exempt(&format!("{first} *")));
    // A host names itself.
    let is_plain = !host.contains(char::is_whitespace) && !host.contains(',');
    if is_plain && !host.starts_with(['*', '.']) {
        assert!(exempt(&host), "{host:?}");
    }
    // A range, bit by bit.
    let unbracketed = host.trim_start_matches('[').trim_end_matches(']');
    if let (Some((range, bits)), Ok(address)) =
        (first.split_once('/'), unbracketed.parse::<IpAddr>())
    {
        if let (Ok(range), Ok(bits)) = (range.parse::<IpAddr>(), bits.parse::<usize>()) {
            let is_mapped = |address: IpAddr| address.to_canonical() != address;
            if bits.to_string() == first[first.len() - bits.to_string().len()..]
                && !is_mapped(range)
                && !is_mapped(address)
            {
                let (range, address) = (bits_of(range), bits_of(address));
                let is_inside = range.len() == address.len()
                    && bits <= range.len()
                    && range[..bits] == address[..bits];
                assert_eq!(by_first, is_inside, "{first} {host}");
            }
        }
    }
}

fn bits_of(address: IpAddr) -> Vec<bool> {
    let bytes = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let bits = |byte: &u8| {
        (0..8)
            .rev()
            .map(|bit| byte >> bit & 1 == 1)
            .collect::<Vec<_>>()
    };
    bytes.iter().flat_map(bits).collect()
}

fn retry(mut input: Input<'_>) {
    let now = Duration::from_secs(u64::from(input.short()) * 1000);
    let date = input.text();
    let value = String::from_utf8_lossy(input.0);
    let date = (!date.is_empty()).then_some(&*date);
    let found = retry_after(&value, date, UNIX_EPOCH + now);
    if let Ok(seconds) = value.parse::<u64>() {
        if !value.starts_with('+') {
            assert_eq!(found, Some(Duration::from_secs(seconds)));
        }
        return;
    }
    // The form with two digits of the year is read as of this century.
    let is_short = value.contains('-');
    let base = date.is_none_or(|date| retry_after(date, None, UNIX_EPOCH).is_none());
    if let (Ok(until), true, false) = (httpdate::parse_http_date(&value), base, is_short) {
        let wait = until.duration_since(UNIX_EPOCH + now).unwrap_or_default();
        assert_eq!(found, Some(wait), "{value:?}");
    }
}

fn extensions(mut input: Input<'_>) {
    let (first, second) = (input.chunk(), input.0);
    let one = fuzzing::agree(&[first]);
    if let Ok(Some(agreed)) = &one {
        // What is shown means the same.
        assert_eq!(
            fuzzing::agree(&[agreed.as_bytes()]).as_ref(),
            Ok(&Some(agreed.clone()))
        );
        assert!(agreed.starts_with("permessage-deflate") && agreed.len() < 200);
        // Twice is once too often.
        assert!(fuzzing::agree(&[first, first]).is_err());
    }
    // Lines are one list, unless a quoted string spans them.
    let both = fuzzing::agree(&[first, second]);
    if both.is_ok() {
        assert_eq!(both, fuzzing::agree(&[&[first, second].join(&b","[..])]));
    }
}

fn headers(mut input: Input<'_>) {
    let mut given = Vec::new();
    while !input.is_empty() && given.len() < 20 {
        given.push((input.text(), input.text()));
    }
    let pairs: Vec<_> = given
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    let mut opening = Opening::with_headers("ws://u:p@h/", &pairs).expect("it is a URL");
    let request = opening.write();
    let mut parsed = [httparse::EMPTY_HEADER; 64];
    let mut parsed = httparse::Request::new(&mut parsed);
    let status = parsed.parse(&request).expect("it is a request");
    assert_eq!(status, httparse::Status::Complete(request.len()));
    // Nothing is there twice that the handshake sets, and what follows is the program's.
    for own in [
        "Host",
        "Connection",
        "Upgrade",
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Version",
    ] {
        let is_own = |header: &&httparse::Header<'_>| header.name.eq_ignore_ascii_case(own);
        assert_eq!(parsed.headers.iter().filter(is_own).count(), 1, "{own}");
    }
    let known = |header: &httparse::Header<'_>| {
        given.iter().any(|(name, value)| {
            let blank = |c| c == ' ' || c == '\t';
            header.name == name && header.value == value.trim_matches(blank).as_bytes()
        })
    };
    // The login of the URL, unless the program gave one that is valid.
    let login = |header: &httparse::Header<'_>| header.value == b"Basic dTpw";
    let own = 6 + usize::from(parsed.headers.get(6).is_some_and(login));
    assert!(parsed.headers.iter().skip(own).all(known));
}
