//! The TLS configuration of sockets that choose none: rustls with the system's root
//! certificates if the feature `tls` is enabled, and otherwise none. Other features do not
//! change it, because any crate of a program may enable them.
//!
//! Loading takes milliseconds, because it reads the system's root certificates. So a
//! short-lived thread loads, while another thread looks up the name.
//! Invariant: a failure is not remembered. The next socket tries again.

use std::io;
use std::mem;
use std::sync::{Mutex, MutexGuard};
use std::thread;

use isosocket_core::guard;

use super::TlsChoice;
use crate::per_process::PerProcess;

static DEFAULT: PerProcess<Mutex<Loader>> = PerProcess::new(Mutex::default);

#[derive(Default)]
struct Loader {
    loaded: Option<TlsChoice>,
    /// A thread loads it, and then calls those who wait.
    loading: bool,
    waiting: Vec<Ready>,
}

type Ready = Box<dyn FnOnce(io::Result<()>) + Send>;

/// Loads the default on another thread, and then calls `ready`. If there is
/// nothing to load, or no thread can be started, `ready` is called here.
pub(crate) fn prepare(ready: impl FnOnce(io::Result<()>) + Send + 'static) {
    let ready: Ready = Box::new(ready);
    let mut loader = loader();
    if loader.loaded.is_some() {
        drop(loader);
        return answer(vec![ready], &Ok(()));
    }
    loader.waiting.push(ready);
    if loader.loading {
        return;
    }
    let thread = thread::Builder::new().name("isosocket-tls".to_owned());
    match thread.spawn(load_and_tell) {
        Ok(_) => loader.loading = true,
        // There are no threads here.
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {
            drop(loader);
            load_and_tell();
        }
        Err(error) => {
            let waiting = mem::take(&mut loader.waiting);
            drop(loader);
            let message = format!("no thread can be started to load root certificates: {error}");
            answer(waiting, &Err(io::Error::new(error.kind(), message)));
        }
    }
}

/// The default, which [`prepare`] has loaded; otherwise this takes a while.
pub(super) fn load() -> io::Result<TlsChoice> {
    if let Some(loaded) = &loader().loaded {
        return Ok(loaded.clone());
    }
    let loaded = load_now()?;
    loader().loaded = Some(loaded.clone());
    Ok(loaded)
}

fn load_and_tell() {
    let loaded = guard("loading root certificates", load_now)
        .unwrap_or_else(|| Err(io::Error::other("loading root certificates panicked")));
    let (waiting, result) = {
        let mut loader = loader();
        let result = loaded.map(|loaded| loader.loaded = Some(loaded));
        loader.loading = false;
        (mem::take(&mut loader.waiting), result)
    };
    answer(waiting, &result);
}

fn load_now() -> io::Result<TlsChoice> {
    #[cfg(feature = "tls")]
    return super::rustls::default_config().map(TlsChoice::Rustls);
    #[cfg(not(feature = "tls"))]
    {
        let message = "isosocket was built without the feature `tls`, which is the default for \
                       wss:; enable it, or choose another way by the builder: `webpki_roots`, \
                       `native_tls` or `tls_config`, each with its feature";
        Err(io::Error::new(io::ErrorKind::Unsupported, message))
    }
}

fn answer(waiting: Vec<Ready>, result: &io::Result<()>) {
    for ready in waiting {
        let result = match result {
            Ok(()) => Ok(()),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        };
        guard("what waits for root certificates", || ready(result));
    }
}

fn loader() -> MutexGuard<'static, Loader> {
    DEFAULT
        .get()
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn everybody_who_waits_is_called_and_a_panic_stops_nobody() {
        let (sender, calls) = channel();
        for _ in 0..3 {
            let sender = sender.clone();
            prepare(move |result| sender.send(result.is_ok()).unwrap());
            prepare(|_| panic!("on purpose"));
        }
        drop(sender);
        let calls: Vec<bool> = calls.iter().collect();
        // A machine may have no roots, and then a build without its own fails.
        assert_eq!(calls, vec![load().is_ok(); 3]);
    }

    /// Any crate of a program may enable features, and must not change the TLS of others.
    #[test]
    fn only_the_feature_tls_makes_a_default() {
        match load() {
            #[cfg(feature = "tls")]
            Ok(TlsChoice::Rustls(_)) => {}
            Ok(choice) => panic!("{choice:?} is no default"),
            // A machine may have no roots.
            Err(error) if cfg!(feature = "tls") => {
                assert_eq!(error.kind(), io::ErrorKind::NotFound, "{error}");
            }
            Err(error) => assert!(error.to_string().contains("`tls`"), "{error}"),
        }
    }
}
