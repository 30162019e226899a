//! The program's hook for the steps of connecting.
//!
//! Invariant: a panic of the hook, or of its destructor, ends here (S105), and no lock is held
//! while either runs.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use isosocket_core::{drop_guarded, guard};

use crate::system;

/// A step of connecting that has succeeded: what [`BuilderExt::on_step`] reports.
///
/// The steps come in the order in which they stand here. Each comes at most once for
/// one connection.
///
/// ```
/// use isosocket::native::ConnectStep;
///
/// fn name(step: ConnectStep) -> String {
///     match step {
///         ConnectStep::Name => "the name is resolved".into(),
///         ConnectStep::Tcp(address) => format!("connected to {address}"),
///         ConnectStep::Tls => "TLS is established".into(),
///         other => format!("{other:?}"),
///     }
/// }
/// # assert_eq!(name(ConnectStep::Handshake), "Handshake");
/// ```
///
/// [`BuilderExt::on_step`]: crate::BuilderExt::on_step
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectStep {
    /// The addresses of the server are known, or those of the proxy. For a name this is
    /// the end of the lookup. If the URL has an address, it takes no time. With `wss:` the
    /// first socket also reads the system's root certificates in this step.
    Name,
    /// TCP is connected to this address. It is the proxy's address, if there is a proxy.
    Tcp(SocketAddr),
    /// The proxy has opened a tunnel to the server.
    Tunnel,
    /// TLS is established, and the server's certificate is accepted. Only with `wss:`.
    Tls,
    /// The server accepted the opening handshake with the status 101. `Open` is next.
    Handshake,
}

/// The hook, as an option. It is shared by the attempts of a reconnecting socket.
#[derive(Clone)]
pub(crate) struct StepHook(Option<Arc<Hook>>);

type Hook = dyn Fn(ConnectStep, Duration) + Send + Sync;

const WHAT: &str = "a hook for the steps of connecting";

impl StepHook {
    pub(crate) fn new(hook: impl Fn(ConnectStep, Duration) + Send + Sync + 'static) -> Self {
        StepHook(Some(Arc::new(hook)))
    }
}

impl Drop for StepHook {
    fn drop(&mut self) {
        drop_guarded(WHAT, self.0.take());
    }
}

impl fmt::Debug for StepHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StepHook")
    }
}

/// The steps of one connection, if the program wants to know them.
#[derive(Debug)]
pub(crate) struct Steps(Option<(StepHook, Instant)>);

impl Steps {
    /// Time begins now.
    pub(crate) fn start(hook: Option<StepHook>) -> Self {
        Steps(hook.map(|hook| (hook, system::now())))
    }

    /// This step has just succeeded.
    pub(crate) fn done(&self, step: ConnectStep) {
        if let Some((StepHook(Some(hook)), start)) = &self.0 {
            let time = system::now().saturating_duration_since(*start);
            guard(WHAT, || hook(step, time));
        }
    }
}
