//! The list of hosts that are reached without the environment's proxy.
//!
//! Invariant: addresses are compared as addresses and not as text. Names are compared
//! case-insensitively and without the dot at their end. A name that ends in two dots is
//! compared as it stands.

use std::net::IpAddr;

use crate::url::Host;

/// Whether a `no_proxy` list names this host: by `*`, by its name or a domain
/// above it, by its address or a range around it; each perhaps with a port.
pub(crate) fn is_exempt(list: &str, host: &Host, port: u16) -> bool {
    list.split(|char: char| char == ',' || char.is_whitespace())
        .any(|entry| match Entry::parse(entry) {
            Some((entry, only)) => only.is_none_or(|only| only == port) && entry.covers(host),
            // A word that means nothing cannot be reported to anybody.
            None => false,
        })
}

enum Entry {
    All,
    /// An address, and how many of its bits count.
    Range(IpAddr, u32),
    /// A name with all below it.
    Domain(String),
}

impl Entry {
    /// An entry, and its port if it has one.
    fn parse(text: &str) -> Option<(Self, Option<u16>)> {
        if let Some(entry) = Entry::without_port(text) {
            return Some((entry, None));
        }
        let (host, port) = text.rsplit_once(':')?;
        Some((Entry::without_port(host)?, Some(port.parse().ok()?)))
    }

    fn without_port(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Entry::All);
        }
        let (whole, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        if let Some(address) = address(whole) {
            return Entry::range(address, bits);
        }
        let name = text.strip_prefix("*.").unwrap_or(text);
        let name = name.strip_prefix('.').unwrap_or(name);
        // As in a URL: with international names and odd forms of addresses.
        match Host::parse(without_dot(name)).ok()? {
            Host::Domain(name) => Some(Entry::Domain(name)),
            Host::Ipv4(address) => Entry::range(address.into(), None),
            Host::Ipv6(address) => Entry::range(address.into(), None),
        }
    }

    fn range(address: IpAddr, bits: Option<&str>) -> Option<Self> {
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= most)?,
            None => most,
        };
        // `::ffff:10.0.0.0/104` is `10.0.0.0/8`.
        match address.to_canonical() {
            IpAddr::V4(inner) if address.is_ipv6() && bits >= 96 => {
                Some(Entry::Range(inner.into(), bits - 96))
            }
            _ => Some(Entry::Range(address, bits)),
        }
    }

    fn covers(&self, host: &Host) -> bool {
        let address = host.address().map(|address| address.to_canonical());
        match (self, address, host) {
            (Entry::All, ..) => true,
            (Entry::Range(IpAddr::V4(range), bits), Some(IpAddr::V4(address)), _) => {
                let differ = u32::from(*range) ^ u32::from(address);
                // A shift by all bits is none in Rust.
                differ.checked_shr(32 - bits).unwrap_or(0) == 0
            }
            (Entry::Range(IpAddr::V6(range), bits), Some(IpAddr::V6(address)), _) => {
                let differ = u128::from(*range) ^ u128::from(address);
                differ.checked_shr(128 - bits).unwrap_or(0) == 0
            }
            (Entry::Domain(domain), _, Host::Domain(name)) => {
                let rest = without_dot(name).strip_suffix(domain.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            _ => false,
        }
    }
}

/// An address with or without the brackets of a URL.
fn address(text: &str) -> Option<IpAddr> {
    let inner = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    match inner {
        Some(inner) => inner.parse().ok().filter(IpAddr::is_ipv6),
        None => text.parse().ok(),
    }
}

/// Of `1..` no dot may go: `1.` is an address, and `1..` is a name.
fn without_dot(name: &str) -> &str {
    let rest = name.strip_suffix('.').filter(|rest| !rest.ends_with('.'));
    rest.unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_hosts_in_many_forms() {
        let table = [
            ("*", "h", true),
            ("", "h", false),
            (" , ,", "h", false),
            // Names.
            ("example.org", "example.org", true),
            ("example.org", "a.example.org", true),
            ("example.org", "badexample.org", false),
            ("example.org", "example.org.", true),
            ("example.org.", "example.org", true),
            ("EXAMPLE.org", "example.org", true),
            (".example.org", "a.example.org", true),
            (".example.org", "example.org", true),
            ("*.example.org", "a.b.example.org", true),
            ("*.example.org", "badexample.org", false),
            (
                "b\u{fc}cher.example",
                "xn--bcher-kva.example",
                cfg!(feature = "idna"),
            ),
            ("xn--bcher-kva.example", "xn--bcher-kva.example", true),
            ("localhost", "localhost.", true),
            ("localhost.", "localhost", true),
            ("1..", "1..", true),
            ("1.", "1..", false),
            ("a..", "a..", true),
            ("A..", "b.a..", true),
            ("a", "a..", false),
            ("a.", "a..", false),
            ("a..", "a.", false),
            // Lists.
            (".example.org , x", "a.example.org", true),
            ("x example.org\ty", "example.org", true),
            ("x,\n127.0.0.1", "127.0.0.1", true),
            // Ports; the connection's is 80.
            ("example.org:80", "example.org", true),
            ("example.org:81", "example.org", false),
            ("*:80", "h", true),
            ("*:81", "h", false),
            ("127.0.0.1:80", "127.0.0.1", true),
            ("[::1]:80", "[::1]", true),
            ("[::1]:81", "[::1]", false),
            ("10.0.0.0/8:80", "10.1.2.3", true),
            ("h:port", "h", false),
            // Addresses.
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("0.1", "10.0.0.1", false),
            ("0x7f.1", "127.0.0.1", true),
            ("::1", "[::1]", true),
            ("[::1]", "[::1]", true),
            ("0:0:0:0:0:0:0:1", "[::1]", true),
            ("[0:0::1]", "[::1]", true),
            ("::ffff:127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "[::ffff:7f00:1]", true),
            ("::ffff:127.0.0.1", "[::ffff:7f00:1]", true),
            ("::2", "[::1]", false),
            // Ranges.
            ("10.0.0.0/8", "10.255.1.2", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.9.9.9/8", "10.1.1.1", true),
            ("10.0.0.0/8", "a10.0.0.example", false),
            ("0.0.0.0/0", "1.2.3.4", true),
            ("0.0.0.0/0", "[::1]", false),
            ("192.168.1.128/25", "192.168.1.127", false),
            ("192.168.1.128/25", "192.168.1.129", true),
            ("127.0.0.1/32", "127.0.0.1", true),
            ("10.0.0.0/33", "10.0.0.0", false),
            ("10.0.0.0/x", "10.0.0.0", false),
            ("::ffff:10.0.0.0/104", "10.255.1.2", true),
            ("::ffff:10.0.0.0/104", "11.0.0.1", false),
            ("::ffff:10.0.0.0/90", "10.0.0.1", false),
            ("fd00::/8", "[fd12:3456::1]", true),
            ("fd00::/8", "[fe80::1]", false),
            ("[fd00::]/8", "[fd12:3456::1]", true),
            ("::/0", "[2001:db8::1]", true),
            ("::1/128", "[::1]", true),
            ("::ffff:10.0.0.0/104", "10.1.2.3", true),
            ("fd00::/129", "[fd00::]", false),
            ("example.org/8", "example.org", false),
        ];
        for (list, host, exempt) in table {
            let host = Host::parse(host).unwrap();
            assert_eq!(is_exempt(list, &host, 80), exempt, "{list:?} {host}");
        }
    }
}
