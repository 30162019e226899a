//! Connects to one of several addresses without blocking: attempts for both families (IPv6
//! and IPv4) start 250 ms apart, and the first one that succeeds wins (RFC 8305).

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::failure::of_lookup;
use crate::system::TcpStream;

/// How long an attempt has before the next one starts too (RFC 8305,
/// section 5).
pub(crate) const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Attempts to reach one of several addresses.
#[derive(Debug, Default)]
pub(crate) struct Dial {
    addresses: VecDeque<SocketAddr>,
    attempts: Vec<Attempt>,
    last_error: Option<io::Error>,
}

/// One attempt, known to the event loop by its token.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) address: SocketAddr,
    pub(crate) token: usize,
    pub(crate) tcp: TcpStream,
}

impl Dial {
    /// Takes the addresses to try, in the resolver's order of preference.
    pub(crate) fn set_addresses(&mut self, addresses: Vec<SocketAddr>) {
        self.addresses = interleave(addresses);
    }

    /// Starts the next attempt that can be started; `false` when no address is left.
    /// `register` makes the attempt known to the event loop and gives its token.
    pub(crate) fn start_next(
        &mut self,
        mut register: impl FnMut(&mut TcpStream) -> io::Result<usize>,
    ) -> bool {
        while let Some(address) = self.addresses.pop_front() {
            let started = TcpStream::connect(address).and_then(|mut tcp| {
                let token = register(&mut tcp)?;
                Ok(Attempt {
                    address,
                    token,
                    tcp,
                })
            });
            match started {
                Ok(attempt) => {
                    self.attempts.push(attempt);
                    return true;
                }
                Err(error) => self.last_error = Some(error),
            }
        }
        false
    }

    /// Looks at an attempt of which the event loop heard. Gives it if it is
    /// connected, and drops it if it failed.
    pub(crate) fn check(&mut self, token: usize) -> Option<Attempt> {
        let index = self
            .attempts
            .iter()
            .position(|attempt| attempt.token == token)?;
        let tcp = &self.attempts[index].tcp;
        let outcome = match tcp.take_error() {
            Ok(Some(error)) | Err(error) => Err(error),
            Ok(None) => tcp.peer_addr().map(drop),
        };
        match outcome {
            Ok(()) => Some(self.attempts.swap_remove(index)),
            // Not yet: the event was spurious.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => None,
            Err(error) => {
                self.attempts.swap_remove(index);
                self.last_error = Some(error);
                None
            }
        }
    }

    /// Whether an attempt with this token is under way.
    pub(crate) fn knows(&self, token: usize) -> bool {
        self.attempts.iter().any(|attempt| attempt.token == token)
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.attempts.is_empty()
    }

    pub(crate) fn has_addresses(&self) -> bool {
        !self.addresses.is_empty()
    }

    /// Calls `f` with each attempt. One for which it fails is given up.
    pub(crate) fn each_attempt(&mut self, mut f: impl FnMut(&mut Attempt) -> io::Result<()>) {
        let last_error = &mut self.last_error;
        self.attempts.retain_mut(|attempt| match f(attempt) {
            Ok(()) => true,
            Err(error) => {
                *last_error = Some(error);
                false
            }
        });
    }

    /// The tokens of all attempts, to be freed.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = usize> {
        self.attempts.iter().map(|attempt| attempt.token)
    }

    /// Why no attempt succeeded.
    pub(crate) fn into_error(mut self) -> io::Error {
        self.last_error
            .take()
            .unwrap_or_else(|| of_lookup(io::Error::other("the host has no address")))
    }
}

/// Families by turns, the preferred one first (RFC 8305, section 4).
fn interleave(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let preferred = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == preferred);
    let mut mixed = VecDeque::with_capacity(first.len() + second.len());
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    loop {
        match (first.next(), second.next()) {
            (None, None) => return mixed,
            pair => mixed.extend([pair.0, pair.1].into_iter().flatten()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns_and_the_preferred_one_begins() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let [a, b, c] = ["[::1]:1", "[::2]:1", "[::3]:1"].map(address);
        let d = address("1.1.1.1:1");
        assert_eq!(interleave(vec![a, b, c, d]), [a, d, b, c]);
        assert_eq!(interleave(vec![d, a, b]), [d, a, b]);
        assert_eq!(interleave(vec![]), []);
    }
}
