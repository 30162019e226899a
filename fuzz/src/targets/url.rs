//! URLs: against the steps of the standard by the crate `url` alone, and the request that
//! comes of them.

use isosocket_core::fuzzing::check_url;
use isosocket_native::fuzzing::{self, Opening};
use url::Url;

pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let found = check_url(&text).ok().and_then(|url| fuzzing::target(&url));
    let expected = by_the_standard(&text);
    if has_drive(&text) {
        // The crate `url` keeps `/a|/..` in all schemes. In the standard only `file:` does.
        return;
    }
    assert_eq!(
        found.as_ref().map(|found| found.0.clone()),
        expected,
        "{text:?}"
    );
    fuzzing::is_proxy(&text);
    let Some((shown, authority, resource)) = found else {
        return;
    };
    // It is what it says it is.
    assert_eq!(check_url(&shown).as_deref(), Ok(&*shown));
    assert_eq!(
        fuzzing::target(&shown).map(|target| target.0).as_ref(),
        Some(&shown)
    );
    // Nothing in it can break the request.
    let request = Opening::server(&shown, &[], true)
        .expect("it is valid")
        .write();
    let mut headers = [httparse::EMPTY_HEADER; 16];
    let mut parsed = httparse::Request::new(&mut headers);
    let status = parsed.parse(&request).expect("it is a request");
    assert_eq!(status, httparse::Status::Complete(request.len()));
    assert_eq!(
        (parsed.method, parsed.path),
        (Some("GET"), Some(&*resource))
    );
    let hosts: Vec<_> = parsed
        .headers
        .iter()
        .filter(|it| it.name == "Host")
        .collect();
    assert_eq!(hosts.len(), 1);
    assert_eq!(hosts[0].value, authority.as_bytes());
    assert!(!authority.contains('@'), "no login in {authority:?}");
    let has_login = parsed
        .headers
        .iter()
        .any(|header| header.name == "Authorization");
    assert_eq!(parsed.headers.len(), 6 + usize::from(has_login));
}

/// WHATWG WebSockets, the constructor, steps 1 to 6, without a base URL.
fn by_the_standard(text: &str) -> Option<String> {
    let mut url = Url::parse(text).ok()?;
    let scheme = match url.scheme() {
        "http" | "ws" => "ws",
        "https" | "wss" => "wss",
        _ => return None,
    };
    url.set_scheme(scheme).ok()?;
    if url.fragment().is_some() {
        return None;
    }
    // The crate `url` does not encode this in paths yet, as the standard does since 2023.
    let text = String::from(url);
    let query = text.find('?').unwrap_or(text.len());
    Some(text[..query].replace('^', "%5E") + &text[query..])
}

/// Whether a segment looks like a drive of Windows.
fn has_drive(text: &str) -> bool {
    let text: Vec<char> = text.chars().filter(|c| !"\t\n\r".contains(*c)).collect();
    let is_end = |c: &char| "/\\?".contains(*c);
    text.split(is_end)
        .any(|segment| matches!(segment, [letter, ':' | '|'] if letter.is_ascii_alphabetic()))
}
