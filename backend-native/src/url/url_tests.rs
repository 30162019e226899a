//! Tests that compare with the crate `url`: for each URL the result must be the same.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use url::Url as Reference;

use super::*;

fn parse(text: &str) -> Result<Url, UrlError> {
    Url::parse(text, |scheme| match scheme {
        "ws" | "http" => Some(80),
        "wss" => Some(443),
        _ => None,
    })
}

/// Both parse it to the same parts, or both refuse it.
fn compare(text: &str) {
    let theirs = Reference::parse(text).map(|mut url| {
        url.set_fragment(None);
        url
    });
    let ours = parse(text);
    // Without the feature, such names are a matter of tests of their own.
    #[cfg(not(feature = "idna"))]
    if matches!(ours, Err(UrlError::NotAscii(_))) || text.to_ascii_lowercase().contains("xn--") {
        return;
    }
    let (ours, theirs) = match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => (ours, theirs),
        (Err(_), Err(_)) => return,
        (ours, theirs) => panic!("{text:?}: {ours:?}, and the crate says {theirs:?}"),
    };
    // The standard encodes it in paths since 2024; the crate does not yet.
    let expected = theirs.path().replace('^', "%5E");
    let (start, end) = (url::Position::BeforePath, url::Position::AfterPath);
    let expected = [&theirs[..start], &*expected, &theirs[end..]].concat();
    assert_eq!(ours.as_str(), expected, "{text:?}");
    assert_eq!(
        ours.host().to_string(),
        theirs.host_str().unwrap(),
        "{text:?}"
    );
    assert_eq!(ours.port(), theirs.port_or_known_default(), "{text:?}");
    assert_eq!(ours.user(), theirs.username(), "{text:?}");
    assert_eq!(
        ours.password(),
        theirs.password().unwrap_or_default(),
        "{text:?}"
    );
    let (start, end) = (url::Position::BeforeHost, url::Position::AfterPort);
    assert_eq!(ours.authority(), &theirs[start..end], "{text:?}");
}

#[test]
fn urls_are_what_the_reference_says() {
    for scheme in ["ws", "WSS", "http"] {
        for rest in [
            "",
            "/",
            "//",
            "//h",
            "//h?",
            "//h?#",
            "//h#",
            "h",
            "\\h\\p",
            "///h//p/",
            // Login.
            "//u@h",
            "//u:@h",
            "//:p@h",
            "//:@h",
            "//@h",
            "//u:p:q@h",
            "//a@b@h",
            "//u:p@",
            "//u:p@:1",
            "//u%:[^|;=`{}]p@h",
            "//é:ü@h",
            "//a/b@h",
            "//a?b@h",
            // Port.
            "//h:",
            "//h:80",
            "//h:443",
            "//h:0",
            "//h:00080",
            "//h:65535",
            "//h:65536",
            "//h:+1",
            "//h:1:2",
            "//h: 1",
            "//h:1x",
            "//h:99999999999999999999",
            "//h:80@i:81",
            // Path and query.
            "//h/.",
            "//h/..",
            "//h/a/..",
            "//h/a/../",
            "//h/a/./b",
            "//h/%2e/%2E%2e/a",
            "//h/...",
            "//h/a/b/../../../c",
            "//h//..",
            "//h//../a",
            "//h/a\\..\\b",
            "//h/%2e%2e%2e",
            "//h/ \"#<>?`{}^|'%",
            "//h/a^b",
            "//h?'\"<>`^{}|\\ é",
            "//h/\u{0}\u{7f}\u{80}?\u{0}\u{7f}",
            "//h/?a?b",
            "//h/a?b#c?d",
            "//h/a#b?c",
            // Names.
            "//H.Ex",
            "//%41%2e",
            "//%",
            "//%zz",
            "//a%00",
            "//a b",
            "//a%20b",
            "//a<b",
            "//a>b",
            "//a^b",
            "//a|b",
            "//a`b{}\"",
            "//a_b!$&'()*+,;=",
            "//.",
            "//..",
            "//a..b",
            "//a.",
            "//%C3%BC",
            "//ü",
            "//%ff",
            "//\u{ad}",
            "//\u{2100}",
            "//-a-",
            "//xn--a",
            "//XN--zz",
            "//xn--bcher-kva.example",
            "//a]",
            "//a[:80",
            // IPv4.
            "//1",
            "//1.2",
            "//1.2.3",
            "//1.2.3.4",
            "//1.2.3.4.",
            "//1.2.3.4.5",
            "//1..2",
            "//09",
            "//0",
            "//0x",
            "//0X7f.1",
            "//0xg",
            "//a.0x",
            "//a.0xg",
            "//a.1",
            "//a.09",
            "//1.a",
            "//256",
            "//256.1",
            "//0x+1.1",
            "//+1.1",
            "//255.1.2.3",
            "//256.1.2.3",
            "//1.256",
            "//1.65536",
            "//1.2.65536",
            "//4294967295",
            "//4294967296",
            "//1.16777216",
            "//1.2.3.256",
            "//0377.0xff.255",
            "//0400.1",
            "//0x100000000",
            "//1.+2",
            "//99999999999999999999",
            "//0xffffffffffffffffffff",
            "//1.2.3.4..",
            "//.1",
            "//%31.2",
            // IPv6.
            "//[::]",
            "//[::1]:2",
            "//[1:2:3:4:5:6:7:8]",
            "//[1:2:3:4:5:6:7::]",
            "//[::2:3:4:5:6:7:8]",
            "//[1:0:0:4:0:0:0:8]",
            "//[1::4:0:0:8]",
            "//[1:0:3:0:5:0:7:0]",
            "//[::1.2.3.4]",
            "//[::ffff:1.2.3.4]",
            "//[::ffff:0:0]",
            "//[::ffff:0:1.2.3.4]",
            "//[1.2.3.4::]",
            "//[::1.2.3]",
            "//[::01.2.3.4]",
            "//[::1.2.3.256]",
            "//[00001::]",
            "//[ABCD::]",
            "//[]",
            "//[:]",
            "//[:1]",
            "//[1::2::3]",
            "//[::1%25eth0]",
            "//[::1",
            "//::1",
            "//[::1]x",
            "//x[::1]",
            "//[1:2:3:4:5:6:7:8:9]",
            "//[64:ff9b::1.2.3.4]",
            "//[%3A%3A]",
        ] {
            compare(&format!("{scheme}:{rest}"));
            compare(&format!(" \u{1f}{scheme}:{rest}\t\n "));
        }
    }
    for text in [
        "", ":", "//h", "h", "1a://h", "é://h", "w s://h", "w\ts://h", "ws", "a_b://h",
    ] {
        compare(text);
    }
}

/// URLs of random pieces, the same in each run.
#[test]
fn random_urls_are_what_the_reference_says() {
    let pieces: Vec<&str> = "a B z 0 1 9 08 0x7f 255 256 4294967296 . .. / // \\ : :: @ [ ] [::1] ? & = % \
        %41 %2e %2E %00 %c3%bc %25 ! $ ' ( ) * + , ; - _ ~ ` { } | ^ < > \" é ü 例 \u{ad} \u{3002} xn-- \
        xn--bcher-kva :80 :443 :65535 # 1.2.3.4 u:p@ localhost"
        .split_ascii_whitespace()
        .chain([" ", "\t", "\n", "\0", "\u{7f}", "\u{80}", "\u{10ffff}"])
        .collect();
    let mut random = StdRng::seed_from_u64(20);
    for _ in 0..50_000 {
        let mut text = ["ws:", "wss:", "http:"][random.random_range(0..3)].to_owned();
        if random.random_bool(0.9) {
            text.push_str("//");
        }
        for _ in 0..random.random_range(0..12) {
            text.push_str(pieces[random.random_range(0..pieces.len())]);
        }
        compare(&text);
    }
}

#[cfg(not(feature = "idna"))]
#[test]
fn a_name_that_is_not_ascii_needs_the_feature() {
    for text in ["ws://bücher.example/", "ws://u:p@b%C3%BCcher.example/"] {
        let error = parse(text).unwrap_err();
        assert_eq!(error, UrlError::NotAscii("bücher.example".to_owned()));
    }
    // Who knows the ASCII form can write it.
    let url = parse("ws://XN--bcher-kva.example/").unwrap();
    assert_eq!(url.as_str(), "ws://xn--bcher-kva.example/");
}

#[test]
fn a_scheme_that_is_not_of_the_web_is_parsed_as_the_others() {
    let url = parse("socks5://u:p@0x7f.1:1080").unwrap();
    assert_eq!((url.scheme(), url.port()), ("socks5", Some(1080)));
    assert_eq!((url.user(), url.password()), ("u", "p"));
    assert_eq!(url.authority(), "127.0.0.1:1080");
}

#[test]
fn neither_debug_nor_an_error_shows_a_secret() {
    let url = parse("ws://secret:secret@h:1/p?secret#secret").unwrap();
    assert_eq!(format!("{url:?}"), "ws://h:1/p");
    for text in [
        "ws://secret:secret@",
        "ws://secret:secret@h:x",
        "ws://secret:secret@a b/p?secret",
        "ws://secret:secret@[::1/",
        "ws://secret:secret@ü/p?secret",
        "ws://secret:secret@\u{ad}",
    ] {
        let shown = match parse(text) {
            Err(error) => format!("{error} {error:?}"),
            Ok(url) => format!("{url:?}"),
        };
        assert!(!shown.contains("secret"), "{shown}");
    }
}
