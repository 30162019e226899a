//! The URLs of mocked sockets and of peers, parsed just enough to compare them.

use crate::contract::request::check_url;
use crate::{NewError, SyntaxError};

/// The part of URL serialization that programs meet (S6–S8); the backends have
/// the whole of it.
pub(crate) fn normalize(url: &str) -> Result<String, NewError> {
    let mut url = check_url(url.trim_end_matches(|c| c <= ' '))?;
    url.retain(|c| !matches!(c, '\t' | '\n' | '\r'));
    let (scheme, rest) = url.split_once(':').unwrap_or_default();
    let rest = rest.trim_start_matches(['/', '\\']);
    let end = rest.find(['/', '\\', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (format!("{user}@"), host),
        None => (String::new(), authority),
    };
    let default = if scheme == "wss" { ":443" } else { ":80" };
    let host = host.strip_suffix(default).unwrap_or(host);
    if host.is_empty() || host.contains(char::is_whitespace) {
        return Err(SyntaxError::Url(format!("no host in {url:?}")).into());
    }
    let slash = if path.starts_with('/') { "" } else { "/" };
    let path = path.trim_start_matches('\\');
    let host = host.to_lowercase();
    Ok(format!("{scheme}://{user}{host}{slash}{path}"))
}

#[cfg(test)]
mod tests {
    use super::normalize;

    #[test]
    fn urls_are_serialized_as_far_as_programs_meet_it() {
        for (given, expected) in [
            ("ws://H", "ws://h/"),
            ("https://Host:443/A?b=C", "wss://host/A?b=C"),
            ("ws://host:8080?q", "ws://host:8080/?q"),
            ("wss://User:Pass@h:80/", "wss://User:Pass@h:80/"),
            ("ws:h/x", "ws://h/x"),
        ] {
            assert_eq!(normalize(given).as_deref(), Ok(expected), "{given}");
        }
        for bad in ["ws://", "h", "ws:///?x", "ftp://h", "ws://h#x", "ws://a b/"] {
            assert!(normalize(bad).is_err(), "{bad}");
        }
    }
}
