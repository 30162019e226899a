//! What a program asks for when it opens a socket, checked before a backend sees it.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use crate::SyntaxError;
use crate::base::rare::{Rare, is_used};

/// The options that every target honours. It has the fields of [`OptionValues`].
///
/// A page whose program sets none of them has the usual values in its code, as constants.
#[derive(Clone, Default)]
pub struct Options(Rare<Box<OptionValues>>);

crate::feature!(Box<OptionValues>);

impl Deref for Options {
    type Target = OptionValues;

    #[inline(always)]
    fn deref(&self) -> &OptionValues {
        self.0
            .as_ref()
            .map_or(&OptionValues::USUAL, |values| values)
    }
}

impl DerefMut for Options {
    fn deref_mut(&mut self) -> &mut OptionValues {
        self.0.get_or_insert_with(|| Box::new(OptionValues::USUAL))
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        OptionValues::fmt(self, f)
    }
}

impl PartialEq for Options {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Options {}

/// The values of [`Options`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OptionValues {
    /// How long the opening handshake may take, from the constructor's call to the
    /// `Open` event. Default: 20 s. `None`: as long as the host allows.
    pub connect_timeout: Option<Duration>,
    /// How long the peer may take to answer a Close frame. Default: 10 s. `None`: as
    /// long as the host allows.
    pub close_timeout: Option<Duration>,
    /// The largest message that is delivered, in bytes; a larger one fails the
    /// connection. Default: 64 MiB.
    pub max_message_size: usize,
    /// How many bytes may be buffered before `send` refuses with `Full`. If nothing is buffered,
    /// one message of any size is accepted. Default: 64 MiB.
    pub send_limit: usize,
    /// How many bytes of messages are kept while nobody listens for messages. Default:
    /// 64 MiB.
    pub backlog_limit: usize,
}

impl OptionValues {
    pub(crate) const USUAL: Self = OptionValues {
        connect_timeout: Some(Duration::from_secs(20)),
        close_timeout: Some(Duration::from_secs(10)),
        max_message_size: 64 << 20,
        send_limit: 64 << 20,
        backlog_limit: 64 << 20,
    };
}

/// A request to open a socket, as a backend gets it. Core has checked the URL and the
/// subprotocols by the rules that are the same on every target.
#[derive(Clone)]
#[non_exhaustive]
pub struct Request<O> {
    /// The URL: absolute, of scheme `ws:` or `wss:`, without a fragment, else as the
    /// program wrote it. The backend parses it by the WHATWG rules, which strip white space
    /// at its end.
    pub url: String,
    /// Valid tokens without a duplicate, in the program's order.
    pub subprotocols: Subprotocols,
    /// The options that every target honours.
    pub options: Options,
    /// The options that only this backend has.
    pub native: O,
}

/// Without what may be a secret. A subprotocol may be one: pages have no other header.
impl<O: fmt::Debug> fmt::Debug for Request<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("url", &Shown(&self.url))
            .field("subprotocols", &self.subprotocols.len())
            .field("options", &self.options)
            .field("native", &self.native)
            .finish()
    }
}

impl<O> Request<O> {
    pub(crate) fn new(
        url: &str,
        asked: Rare<Asked>,
        options: Options,
        native: O,
    ) -> Result<Self, SyntaxError> {
        let url = check_url(url)?;
        Ok(Request {
            url,
            subprotocols: Subprotocols::new(asked)?,
            options,
            native,
        })
    }
}

/// The part of URL checking in which hosts differ, so that all agree: WHATWG WebSockets
/// constructor, steps 2 to 5, without a base URL (S2–S5).
///
/// It looks at bytes and not at characters, because every page loads it.
pub(crate) fn check_url(url: &str) -> Result<String, SyntaxError> {
    let mut scheme = String::new();
    for (at, byte) in url.bytes().enumerate() {
        match byte {
            b':' if !scheme.is_empty() => {
                return with_scheme(scheme, url.get(at..).unwrap_or_default());
            }
            // S9: what the URL parser strips and removes before it begins.
            b'\t' | b'\n' | b'\r' => {}
            ..=b' ' if scheme.is_empty() => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' | b'A'..=b'Z' | b'a'..=b'z'
                if !scheme.is_empty() || byte.is_ascii_alphabetic() =>
            {
                scheme.push(byte.to_ascii_lowercase().into());
            }
            _ => break,
        }
    }
    Err(SyntaxError::RelativeUrl)
}

/// The rest of the check, for a URL with this scheme and this rest, which begins with a colon.
fn with_scheme(mut scheme: String, rest: &str) -> Result<String, SyntaxError> {
    // S2: mapped here, because a browser resolves `http:host` against its page.
    let mapped = match &*scheme {
        "ws" | "http" => "ws",
        "wss" | "https" => "wss",
        _ => return Err(SyntaxError::Scheme(scheme)),
    };
    if rest.bytes().any(|byte| byte == b'#') {
        return Err(SyntaxError::Fragment);
    }
    scheme.clear();
    // Not by `concat`, which has a panic, and with it a text and a path.
    scheme.push_str(mapped);
    scheme.push_str(rest);
    Ok(scheme)
}

/// A URL as `Debug` shows it, whoever reads the log: without what may be a secret, which
/// is the login and the query. It may be one that nobody has parsed.
pub(crate) struct Shown<'a>(pub(crate) &'a str);

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((scheme, rest)) = self.0.split_once(':') else {
            return f.write_str("a URL without a scheme");
        };
        let slashes = |c| c == '/' || c == '\\';
        let behind = rest.trim_start_matches(slashes);
        let before = &rest[..rest.len() - behind.len()];
        let end = behind.find(['?', '#']).unwrap_or(behind.len());
        let (shown, hidden) = behind.split_at(end);
        let end = shown.find(slashes).unwrap_or(shown.len());
        let (authority, path) = shown.split_at(end);
        let (login, host) = match authority.rsplit_once('@') {
            Some((_, host)) => ("***@", host),
            None => ("", authority),
        };
        let query = if hidden.is_empty() { "" } else { "?***" };
        fmt::Debug::fmt(&format!("{scheme}:{before}{login}{host}{path}{query}"), f)
    }
}

/// A URL as a log shows it: without what may be a secret, which is the login and
/// the query.
pub(crate) fn without_secrets(url: &str) -> String {
    let url = url.split('?').next().unwrap_or_default();
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    [scheme, "://", host, path].concat()
}

/// What a program asks for, or the first that it must not ask for.
pub(crate) type Asked = Result<Vec<String>, SyntaxError>;

crate::feature!(Asked);

/// The subprotocols of a [`Request`]: a list of strings.
///
/// A page whose program asks for none has no code for the list, nor for freeing it.
#[derive(Clone, Default)]
pub struct Subprotocols(Rare<Asked>);

impl Subprotocols {
    fn new(asked: Rare<Asked>) -> Result<Self, SyntaxError> {
        // Without this match a page that asks for none is 45 bytes larger (brotli).
        match asks_for_subprotocols() {
            true => Subprotocols::check(asked),
            false => Ok(Subprotocols(Rare::NONE)),
        }
    }

    fn check(mut asked: Rare<Asked>) -> Result<Self, SyntaxError> {
        if let Some(Err(_)) = asked.as_ref() {
            asked.take().transpose()?;
        }
        Ok(Subprotocols(asked))
    }

    /// The same as what a program asks for, which may ask for more.
    pub(crate) fn asked(&self) -> Rare<Asked> {
        self.0.clone()
    }

    /// Takes all of them out.
    pub fn take(&mut self) -> Vec<String> {
        self.0.take().and_then(Result::ok).unwrap_or_default()
    }
}

impl Deref for Subprotocols {
    type Target = [String];

    fn deref(&self) -> &[String] {
        match self.0.as_ref() {
            Some(Ok(list)) => list,
            _ => &[],
        }
    }
}

/// Whether the program asks for subprotocols, of any socket.
#[doc(hidden)]
#[inline(always)]
pub fn asks_for_subprotocols() -> bool {
    is_used::<Asked>()
}

/// WHATWG WebSockets constructor, step 7 (S16, S17): for one more. Checked when it is
/// asked for, so that a page that asks for none does not load the check.
pub(crate) fn ask_for(subprotocol: String, asked: &mut Rare<Asked>) {
    let asked = asked.get_or_insert_with(|| Ok(Vec::new()));
    let Ok(list) = asked else { return };
    if !is_token(&subprotocol) {
        *asked = Err(SyntaxError::Subprotocol(subprotocol));
    } else if list.contains(&subprotocol) {
        *asked = Err(SyntaxError::DuplicateSubprotocol(subprotocol));
    } else {
        list.push(subprotocol);
    }
}

/// RFC 6455 section 4.1, item 10: characters from 0x21 to 0x7E without the
/// separators of RFC 2616.
fn is_token(value: &str) -> bool {
    !value.is_empty()
        && value
            .bytes()
            .all(|c| c.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_checked_alike_on_every_target() {
        let ok = [
            ("ws://h/", "ws://h/"),
            ("WSS://h", "wss://h"),
            ("http://h/x", "ws://h/x"),
            ("Https:h", "wss:h"),
            (" \u{1}w\ts:\n//h\t/ ", "ws:\n//h\t/ "),
        ];
        for (given, expected) in ok {
            assert_eq!(check_url(given).as_deref(), Ok(expected), "{given:?}");
        }
        let bad = [
            ("", SyntaxError::RelativeUrl),
            ("/path", SyntaxError::RelativeUrl),
            ("//host/path", SyntaxError::RelativeUrl),
            ("host", SyntaxError::RelativeUrl),
            ("?x:y", SyntaxError::RelativeUrl),
            ("1ws://h", SyntaxError::RelativeUrl),
            (":", SyntaxError::RelativeUrl),
            ("ftp://h/", SyntaxError::Scheme("ftp".into())),
            ("FILE:x", SyntaxError::Scheme("file".into())),
            ("ws://h/#", SyntaxError::Fragment),
            ("ws://h#a", SyntaxError::Fragment),
        ];
        for (given, expected) in bad {
            assert_eq!(check_url(given), Err(expected), "{given:?}");
        }
    }

    #[test]
    fn subprotocols_are_tokens_without_duplicates() {
        let check = |list: &[&str]| {
            let mut asked = Rare::NONE;
            for subprotocol in list {
                ask_for((*subprotocol).to_owned(), &mut asked);
            }
            Subprotocols::new(asked).map(|mut subprotocols| subprotocols.take())
        };
        assert_eq!(check(&[]), Ok(vec![]));
        let good = ["chat", "Chat", "v1.0", "!#$%&'*+-.^_`|~"];
        assert_eq!(check(&good), Ok(good.map(str::to_owned).to_vec()));
        for bad in [
            "", " ", "a b", "a,b", "a\r\nb", "é", "a\u{7f}", "(", "\"", "=", "{",
        ] {
            assert_eq!(
                check(&["ok", bad]),
                Err(SyntaxError::Subprotocol(bad.into()))
            );
        }
        assert_eq!(
            check(&["a", "b", "a"]),
            Err(SyntaxError::DuplicateSubprotocol("a".into()))
        );
    }

    #[test]
    fn a_url_is_logged_without_its_secrets() {
        for (url, shown) in [
            ("wss://h/p", "wss://h/p"),
            ("wss://user:secret@h:444/p?token=x#", "wss://h:444/p"),
            ("ws://h", "ws://h"),
            ("ws://h?a@b/", "ws://h"),
        ] {
            assert_eq!(without_secrets(url), shown);
        }
    }

    #[test]
    fn a_url_is_shown_without_login_and_query() {
        for (url, shown) in [
            ("ws://u:secret@h/p?q=a:b@c", "ws://***@h/p?***"),
            ("wss:\\\\u:a@b@h", "wss:\\\\***@h"),
            ("ws:u:secret@h", "ws:***@h"),
            ("ws://u@h:80/a:b@c", "ws://***@h:80/a:b@c"),
            ("ws://h?token", "ws://h?***"),
            ("ws://h/p#token", "ws://h/p?***"),
            ("ws://h:1/p", "ws://h:1/p"),
        ] {
            assert_eq!(format!("{:?}", Shown(url)), format!("{shown:?}"));
        }
        assert_eq!(format!("{:?}", Shown("token")), "a URL without a scheme");
    }

    #[test]
    fn a_request_shows_no_secrets() {
        let request = Request::new(
            "ws://u:secret@h/?secret",
            Rare::new(Ok(vec!["secret".into()])),
            Options::default(),
            (),
        );
        let shown = format!("{request:?}");
        assert!(
            shown.contains("ws://***@h/?***") && !shown.contains("secret"),
            "{shown}"
        );
    }
}
