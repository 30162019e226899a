//! A host: a name or an address, in each form that a URL may give it (S11).

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use percent_encoding::percent_decode_str;

use super::UrlError;

/// Where to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// In lower case and ASCII.
    Domain(String),
    Ipv4(Ipv4Addr),
    Ipv6(Ipv6Addr),
}

impl Host {
    /// The host parser of the WHATWG URL standard, for special schemes.
    pub(crate) fn parse(text: &str) -> Result<Self, UrlError> {
        if let Some(rest) = text.strip_prefix('[') {
            let address = rest.strip_suffix(']').and_then(|inner| inner.parse().ok());
            return address.map(Host::Ipv6).ok_or(UrlError::Ipv6);
        }
        let decoded: Cow<'_, [u8]> = percent_decode_str(text).into();
        if decoded.iter().any(is_forbidden) {
            return Err(UrlError::Character);
        }
        let name = domain_to_ascii(&decoded)?;
        if name.is_empty() {
            return Err(UrlError::EmptyHost);
        }
        match ends_in_a_number(&name) {
            true => parse_ipv4(&name).map(Host::Ipv4).ok_or(UrlError::Ipv4),
            false => Ok(Host::Domain(name)),
        }
    }

    /// `None` for a name.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        match self {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some((*address).into()),
            Host::Ipv6(address) => Some((*address).into()),
        }
    }
}

/// In the form of a URL: an IPv6 address in brackets.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Domain(name) => name.fmt(f),
            Host::Ipv4(address) => address.fmt(f),
            // The standard library would write the end in decimal.
            Host::Ipv6(address) if address.to_ipv4_mapped().is_some() => {
                let [.., high, low] = address.segments();
                write!(f, "[::ffff:{high:x}:{low:x}]")
            }
            Host::Ipv6(address) => write!(f, "[{address}]"),
        }
    }
}

/// Domain to ASCII.
#[cfg(feature = "idna")]
fn domain_to_ascii(name: &[u8]) -> Result<String, UrlError> {
    let ascii = idna::domain_to_ascii_cow(name, idna::AsciiDenyList::URL);
    ascii
        .map(Cow::into_owned)
        .map_err(|_| UrlError::International)
}

/// Domain to ASCII, for names that are. Punycode is taken as it is: nobody checks that it
/// stands for a name.
#[cfg(not(feature = "idna"))]
fn domain_to_ascii(name: &[u8]) -> Result<String, UrlError> {
    let name = String::from_utf8_lossy(name);
    match name.is_ascii() {
        true => Ok(name.to_ascii_lowercase()),
        false => Err(UrlError::NotAscii(name.into_owned())),
    }
}

/// A forbidden domain code point. It stays what it is on the way to ASCII.
fn is_forbidden(c: &u8) -> bool {
    *c <= b' ' || *c == 0x7f || b"#%/:<>?@[\\]^|".contains(c)
}

/// The ends-in-a-number checker: then it must be an IPv4 address.
fn ends_in_a_number(name: &str) -> bool {
    let last = name.strip_suffix('.').unwrap_or(name).rsplit('.').next();
    let last = last.unwrap_or_default();
    let are_digits = |text: &str| text.bytes().all(|c| c.is_ascii_digit());
    match hexadecimal(last) {
        Some(digits) => digits.bytes().all(|c| c.is_ascii_hexdigit()),
        None => !last.is_empty() && are_digits(last),
    }
}

/// The IPv4 parser: up to four numbers, of which the last fills the rest.
fn parse_ipv4(name: &str) -> Option<Ipv4Addr> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let numbers: Option<Vec<u32>> = name.split('.').map(parse_number).collect();
    let numbers = numbers?;
    let (last, first) = numbers.split_last()?;
    let rest = 4_u32
        .checked_sub(u32::try_from(first.len()).ok()?)
        .filter(|rest| *rest > 0)?;
    if first.iter().any(|number| *number > 255) || u64::from(*last) >= 1 << (8 * rest) {
        return None;
    }
    let mut address = *last;
    for (number, place) in first.iter().zip([24, 16, 8]) {
        address |= number << place;
    }
    Some(address.into())
}

/// The IPv4 number parser: decimal, `0x` hexadecimal, `0` octal.
fn parse_number(text: &str) -> Option<u32> {
    let (digits, radix) = match (hexadecimal(text), text.strip_prefix('0')) {
        (Some(digits), _) => (digits, 16),
        (None, Some(digits)) => (digits, 8),
        (None, None) => (text, 10),
    };
    match digits {
        // `0x` and `0` are zero.
        "" if text.is_empty() => None,
        "" => Some(0),
        // `from_str_radix` would take a sign.
        _ if digits.starts_with('+') => None,
        _ => u32::from_str_radix(digits, radix).ok(),
    }
}

/// The digits behind `0x`. The name is in lower case.
fn hexadecimal(text: &str) -> Option<&str> {
    text.strip_prefix("0x")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The standard's forbidden domain code points.
    #[test]
    fn forbidden_characters_are_those_of_the_standard() {
        let forbidden =
            |c: &u8| matches!(c, 0..=0x20 | 0x7f) || "#%/:<>?@[\\]^|".contains(char::from(*c));
        for c in 0..=u8::MAX {
            assert_eq!(is_forbidden(&c), forbidden(&c), "{:?}", char::from(c));
        }
    }

    #[test]
    fn an_address_has_four_numbers_at_most() {
        for (name, address) in [
            ("1.2.3.4", Some([1, 2, 3, 4])),
            ("1.2.3.4.", Some([1, 2, 3, 4])),
            ("1.2.772", Some([1, 2, 3, 4])),
            ("0x1020304", Some([1, 2, 3, 4])),
            ("1.2.3.256", None),
            ("1.2.65536", None),
            ("256.1", None),
            ("1.2.3.4.0", None),
            ("1.2.3.4.5", None),
        ] {
            assert_eq!(parse_ipv4(name), address.map(Ipv4Addr::from), "{name}");
        }
    }
}
