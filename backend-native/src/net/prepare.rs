//! Gets what a connection needs before it can dial: addresses, and perhaps the default TLS
//! configuration. It gets both at the same time.
//!
//! Invariant: neither waits for the other, nor for the names of other sockets. If the URL has
//! an address instead of a name, nothing is looked up.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use isosocket_core::{ErrorKind, TlsFailure, drop_guarded, guard};

use super::resolve::{Lookup, lookup};
use super::tls::{TlsChoice, default};
use crate::failure::{kind_of, of_lookup, tag};
use crate::url::Host;

type Answer = Box<dyn FnOnce(io::Result<Vec<SocketAddr>>) + Send>;

/// Finds the addresses of `host`, and loads the TLS configuration if there is
/// one to load. Calls `answer` once both are done, or one has failed. `tls` is
/// `None` for a connection without TLS.
pub(crate) fn prepare(
    host: &Host,
    port: u16,
    tls: Option<&TlsChoice>,
    answer: impl FnOnce(io::Result<Vec<SocketAddr>>) + Send + 'static,
) -> Preparation {
    let loads = matches!(tls, Some(TlsChoice::Default));
    let address = host.address().map(|address| (address, port).into());
    let parts = Shared(Arc::new(Mutex::new(Some(Parts {
        addresses: address.map(|address| vec![address]),
        tls: !loads,
        answer: Box::new(answer),
    }))));
    if loads {
        let parts = parts.clone();
        default::prepare(move |loaded| {
            parts.update(|parts| {
                parts.tls = true;
                loaded.map_err(of_default_tls)
            });
        });
    }
    let lookup = match host {
        Host::Domain(name) => {
            let parts = parts.clone();
            Some(lookup(name, port, move |found| {
                parts.update(|parts| {
                    parts.addresses = Some(found.map_err(of_lookup)?);
                    Ok(())
                });
            }))
        }
        Host::Ipv4(_) | Host::Ipv6(_) => None,
    };
    parts.update(|_| Ok(()));
    Preparation { parts, lookup }
}

/// TLS cannot begin, unless the system ran out of something.
fn of_default_tls(error: io::Error) -> io::Error {
    match kind_of(&error) {
        ErrorKind::OutOfResources => tag(ErrorKind::OutOfResources, error),
        _ => tag(ErrorKind::Tls(TlsFailure::Other), error),
    }
}

/// A preparation that somebody waits for. Dropping it gives it up, and drops
/// its answer.
pub(crate) struct Preparation {
    parts: Shared,
    lookup: Option<Lookup>,
}

/// What is there already. `None` once it was answered or given up.
#[derive(Clone)]
struct Shared(Arc<Mutex<Option<Parts>>>);

struct Parts {
    addresses: Option<Vec<SocketAddr>>,
    tls: bool,
    answer: Answer,
}

impl Shared {
    /// Adds a part, and answers if nothing is missing or something has failed.
    fn update(&self, add: impl FnOnce(&mut Parts) -> io::Result<()>) {
        let (answer, result) = {
            let mut shared = self.0.lock().unwrap_or_else(|e| e.into_inner());
            let Some(mut parts) = shared.take() else {
                return;
            };
            match (add(&mut parts), parts) {
                (Err(error), Parts { answer, .. }) => (answer, Err(error)),
                (
                    Ok(()),
                    Parts {
                        addresses: Some(addresses),
                        tls: true,
                        answer,
                    },
                ) => (answer, Ok(addresses)),
                (Ok(()), incomplete) => {
                    *shared = Some(incomplete);
                    return;
                }
            }
        };
        guard("the answer of a preparation", || answer(result));
    }
}

impl Drop for Preparation {
    fn drop(&mut self) {
        self.lookup = None;
        let parts = self
            .parts
            .0
            .lock()
            .unwrap_or_else(|e| e.into_inner())
            .take();
        drop_guarded("the answer of a preparation", parts);
    }
}

impl fmt::Debug for Preparation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Preparation").field(&self.lookup).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn an_address_without_tls_is_answered_at_once() {
        let (sender, answers) = channel();
        let host = &Host::parse("[::1]").unwrap();
        let _prepared = prepare(host, 80, None, move |found| drop(sender.send(found)));
        let found = answers.try_recv().unwrap().unwrap();
        assert_eq!(found, ["[::1]:80".parse().unwrap()]);
    }

    #[test]
    fn a_secure_connection_waits_for_its_name_and_for_tls() {
        let (sender, answers) = channel();
        let answer = move |found| drop(sender.send(found));
        let host = &Host::parse("localhost").unwrap();
        let _prepared = prepare(host, 443, Some(&TlsChoice::Default), answer);
        match answers.recv().unwrap() {
            Ok(found) => assert!(found.iter().all(|address| address.port() == 443)),
            // Only where the machine has no root certificates.
            Err(error) => assert!(error.to_string().contains("root certificates")),
        }
    }

    #[test]
    fn what_is_given_up_is_dropped_at_once() {
        let (sender, answers) = channel::<io::Result<Vec<SocketAddr>>>();
        let answer = move |found| drop(sender.send(found));
        let host = &Host::parse("host.invalid").unwrap();
        drop(prepare(host, 443, Some(&TlsChoice::Default), answer));
        // Either it was answered before, or its sender is gone.
        assert!(answers.iter().count() <= 1);
    }
}
