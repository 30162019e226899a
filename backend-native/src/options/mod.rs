//! The options that only native sockets have, checked before a socket starts.
//!
//! In this folder: the extension of builders and attempts (`mod.rs`), the request headers of
//! the program (`headers.rs`), proxies, also those that the environment names
//! (`proxy.rs`, `no_proxy.rs`), the hook for the steps of connecting (`steps.rs`), the
//! program's TLS configuration (`tls_config.rs`), and the URL (`target.rs`).
//! Not in this folder: anything that connects, waits or speaks a protocol.
//! Invariant: options that `validate` accepted need no further check.

pub(crate) mod headers;
pub(crate) mod no_proxy;
pub(crate) mod proxy;
pub(crate) mod steps;
pub(crate) mod target;
#[cfg(any(feature = "tls", feature = "webpki-roots"))]
pub(crate) mod tls_config;

use std::time::Duration;

use isosocket_core::{Configure, NewError};

use crate::engine::keep_alive::KeepAliveTimes;
use crate::net::tls::TlsChoice;
use crate::options::headers::Headers;
use crate::options::proxy::{Proxy, from_environment};
use crate::options::steps::{ConnectStep, StepHook};
use crate::options::target::Target;
#[cfg(any(feature = "tls", feature = "webpki-roots"))]
use crate::options::tls_config::TlsConfig;
use crate::system::{self, TcpStream};
use crate::wire::deflate::Deflate;

/// The options that only this backend has; see [`BuilderExt`].
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct NativeOptions {
    pub(crate) headers: Headers,
    /// What is wrong with a header. `connect` reports it.
    invalid: Option<String>,
    pub(crate) tls: TlsChoice,
    pub(crate) receive_limit: usize,
    pub(crate) deflate: Deflate,
    pub(crate) keep_alive: Option<KeepAliveTimes>,
    pub(crate) allow_blocked_ports: bool,
    pub(crate) proxy: Option<Proxy>,
    proxy_from_environment: bool,
    pub(crate) on_step: Option<StepHook>,
    tcp: TcpOptions,
}

#[derive(Clone, Copy, Debug, Default)]
struct TcpOptions {
    keepalive: Option<Duration>,
    send_buffer: Option<usize>,
    receive_buffer: Option<usize>,
}

impl Default for NativeOptions {
    fn default() -> Self {
        NativeOptions {
            headers: Headers::default(),
            invalid: None,
            tls: TlsChoice::default(),
            receive_limit: 4 << 20,
            deflate: Deflate::default(),
            keep_alive: None,
            allow_blocked_ports: false,
            proxy: None,
            proxy_from_environment: false,
            on_step: None,
            tcp: TcpOptions::default(),
        }
    }
}

impl NativeOptions {
    fn add_header(&mut self, name: &str, value: &str) {
        if let Err(what) = self.headers.add(name, value) {
            self.invalid = Some(what);
        }
    }

    /// Checks the options. Takes the proxy from the environment, if that was asked for.
    pub(crate) fn validate(&mut self, target: &Target) -> Result<(), NewError> {
        if let Some(what) = self.invalid.take() {
            return Err(NewError::Option(what));
        }
        self.deflate.check().map_err(NewError::Option)?;
        self.check_times()
            .map_err(|what| NewError::Option(what.to_owned()))?;
        if let Some(proxy) = &self.proxy {
            let checked = proxy.check_server(target.host());
            checked.map_err(|what| NewError::Option(format!("proxy: {what}")))?;
        } else if self.proxy_from_environment {
            let variable = |name: &str| std::env::var(name).ok();
            self.proxy =
                from_environment(target.is_secure(), target.host(), target.port(), variable)?;
        }
        Ok(())
    }

    fn check_times(&self) -> Result<(), &'static str> {
        match self.tcp.keepalive.map(whole_seconds) {
            None | Some(1..=LONGEST_KEEPALIVE) => Ok(()),
            Some(_) => Err("tcp_keepalive: not between 1 s and 32767 s"),
        }
    }

    /// See [`Transport::set_pings`](isosocket_core::Transport::set_pings).
    pub(crate) fn set_pings(&mut self, times: Option<(Duration, Duration)>) {
        self.keep_alive = times.map(|(interval, timeout)| KeepAliveTimes { interval, timeout });
    }

    /// Sets up a socket that is about to be used. TCP_NODELAY always: a message
    /// is sent when it is sent.
    pub(crate) fn set_up(&self, tcp: &TcpStream) -> std::io::Result<()> {
        tcp.set_nodelay(true)?;
        if let Some(time) = self.tcp.keepalive {
            let time = Duration::from_secs(whole_seconds(time));
            system::set_keepalive(tcp, time)?;
        }
        if let Some(size) = self.tcp.send_buffer {
            system::set_send_buffer(tcp, size)?;
        }
        if let Some(size) = self.tcp.receive_buffer {
            system::set_receive_buffer(tcp, size)?;
        }
        Ok(())
    }
}

/// The longest time that Linux takes, in seconds; elsewhere it may be longer.
const LONGEST_KEEPALIVE: u64 = 32767;

/// In seconds, as systems want it, rounded up.
fn whole_seconds(time: Duration) -> u64 {
    let more = u64::from(time.subsec_nanos() > 0);
    time.as_secs().saturating_add(more)
}

/// The options that only native sockets have.
///
/// On the web this trait does not exist. So no option is ever ignored silently.
///
/// ```no_run
/// use std::time::Duration;
///
/// use isosocket::WebSocket;
/// use isosocket::native::{BuilderExt, Proxy};
///
/// # fn main() -> Result<(), isosocket::NewError> {
/// let socket = WebSocket::builder("wss://example.org/")
///     .header("Authorization", "Bearer abc")
///     .proxy(Proxy::new("socks5://127.0.0.1:1080")?)
///     .tcp_keepalive(Duration::from_secs(60))
///     .connect()?;
/// # Ok(())
/// # }
/// ```
///
/// A reconnecting socket can have other options for each attempt, in addition to those of its
/// builder, or in their place. Options that `connect` would refuse make the attempt fail.
///
/// ```no_run
/// use isosocket::Reconnecting;
/// use isosocket::native::BuilderExt;
///
/// # async fn fetch_token() -> Result<String, std::io::Error> { Ok("abc".to_owned()) }
/// # fn main() -> Result<(), isosocket::NewError> {
/// let socket = Reconnecting::builder("wss://example.org/feed")
///     .each_attempt(|next| async move {
///         Ok::<_, std::io::Error>(match fetch_token().await {
///             Ok(token) => next.header("Authorization", &format!("Bearer {token}")),
///             Err(error) => next.failed(error),
///         })
///     })
///     .connect()?;
/// # Ok(())
/// # }
/// ```
///
#[doc = concat!(
    "Guide: [native programs](https://docs.rs/isosocket/",
    env!("CARGO_PKG_VERSION"),
    "/isosocket/guide/native/)."
)]
pub trait BuilderExt: Sized {
    /// Adds a header to the request of the opening handshake. Its name is sent
    /// in this spelling, and several headers in this order.
    ///
    /// `connect` fails with [`NewError::Option`] for a name or value that is not
    /// valid HTTP, and for headers that the handshake owns: `Host`,
    /// `Connection`, `Upgrade`, `Content-Length`, `Transfer-Encoding`, `TE`,
    /// `Trailer`, and all that begin with `Sec-WebSocket-`.
    ///
    /// ```
    /// use isosocket::native::BuilderExt;
    /// use isosocket::{NewError, WebSocket};
    ///
    /// let builder = WebSocket::builder("wss://example.org/")
    ///     .header("Authorization", "Bearer abc")
    ///     .header("Origin", "https://example.org");
    ///
    /// let refused = WebSocket::builder("ws://localhost/").header("Host", "other").connect();
    /// assert!(matches!(refused, Err(NewError::Option(_))));
    /// ```
    fn header(self, name: &str, value: &str) -> Self;

    /// Connects through a proxy, which also resolves the server's name.
    ///
    /// ```
    /// use isosocket::WebSocket;
    /// use isosocket::native::{BuilderExt, Proxy};
    ///
    /// # fn main() -> Result<(), isosocket::NewError> {
    /// let tor = Proxy::new("socks5://127.0.0.1:9050")?;
    /// let builder = WebSocket::builder("wss://example.org/").proxy(tor);
    /// # Ok(())
    /// # }
    /// ```
    fn proxy(self, proxy: Proxy) -> Self;

    /// Connects through the proxy that the environment names, if it names one:
    /// `https_proxy` for `wss:`, `http_proxy` for `ws:`, else `all_proxy`, but
    /// not for hosts in `no_proxy`. `connect` fails with [`NewError::Option`]
    /// if what it names is no proxy, and says which variable that is.
    ///
    /// ```
    /// use isosocket::WebSocket;
    /// use isosocket::native::BuilderExt;
    ///
    /// // As curl does; without those variables it connects directly.
    /// let builder = WebSocket::builder("wss://example.org/").proxy_from_environment();
    /// ```
    fn proxy_from_environment(self) -> Self;

    /// Connects also to the ports that browsers block, such as 5060, 6000, 6667 and
    /// 10080 (the "bad ports" of the WHATWG Fetch standard). Without this the socket
    /// fails there, as it would in a page, and the error's cause says "port 6000 is
    /// blocked".
    ///
    /// ```
    /// use isosocket::WebSocket;
    /// use isosocket::native::BuilderExt;
    ///
    /// let builder = WebSocket::builder("ws://192.168.0.7:6000/").allow_blocked_ports();
    /// ```
    fn allow_blocked_ports(self) -> Self;

    /// Calls `hook` after each step of connecting: name, TCP, tunnel, TLS, handshake.
    /// Its second argument is the time since the connection was started. A later call
    /// replaces the hook.
    ///
    /// It is for logs, and for finding out which step takes long or fails: after a
    /// failure the last step that came is the last one that succeeded. A reconnecting
    /// socket calls the hook for each attempt, and time begins again with each.
    ///
    /// The hook runs where handlers run: on the event loop's thread, which serves other
    /// sockets too. So it must not block.
    ///
    /// ```no_run
    /// use isosocket::WebSocket;
    /// use isosocket::native::BuilderExt;
    ///
    /// # fn main() -> Result<(), isosocket::NewError> {
    /// let socket = WebSocket::builder("wss://example.org/")
    ///     .on_step(|step, time| println!("{time:?}: {step:?}"))
    ///     .connect()?;
    /// # Ok(())
    /// # }
    /// ```
    fn on_step(self, hook: impl Fn(ConnectStep, Duration) + Send + Sync + 'static) -> Self;

    /// How many bytes of messages may wait in a stream that nobody drains
    /// before the socket stops reading; each message counts for some 48 more
    /// than its payload has. Default: 4 MiB.
    ///
    /// ```
    /// use isosocket::WebSocket;
    /// use isosocket::native::BuilderExt;
    ///
    /// // A player that loads ahead, but not the whole film.
    /// let builder = WebSocket::builder("wss://example.org/film").receive_limit(32 << 20);
    /// ```
    fn receive_limit(self, bytes: usize) -> Self;

    /// How messages are compressed, or that they are not: see [`Deflate`].
    /// `connect` fails with [`NewError::Option`] for window bits and levels
    /// that do not exist.
    ///
    /// ```
    /// use isosocket::WebSocket;
    /// use isosocket::native::{BuilderExt, Deflate};
    ///
    /// let builder = WebSocket::builder("wss://example.org/").deflate(Deflate::default().level(9));
    /// ```
    #[cfg(feature = "deflate")]
    fn deflate(self, deflate: Deflate) -> Self;

    /// Has TCP itself probe a connection that was silent for `time`
    /// (`SO_KEEPALIVE`). Off by default. The time is rounded up to whole seconds;
    /// `connect` fails with [`NewError::Option`] unless these are 1 to 32767.
    ///
    /// ```
    /// use std::time::Duration;
    /// use isosocket::WebSocket;
    /// use isosocket::native::BuilderExt;
    ///
    /// // For a router between that forgets idle connections after five minutes.
    /// let builder = WebSocket::builder("wss://example.org/").tcp_keepalive(Duration::from_secs(240));
    /// ```
    fn tcp_keepalive(self, time: Duration) -> Self;

    /// The size of the system's send buffer, in bytes (`SO_SNDBUF`), for which the
    /// system has limits of its own: it takes the nearest size that it allows.
    ///
    /// ```
    /// use isosocket::WebSocket;
    /// use isosocket::native::BuilderExt;
    ///
    /// // Little between the program and the network, so that `buffered_amount` shows
    /// // early when the network is slow.
    /// let builder = WebSocket::builder("wss://example.org/").tcp_send_buffer(16 << 10);
    /// ```
    fn tcp_send_buffer(self, bytes: usize) -> Self;

    /// The size of the system's receive buffer, in bytes (`SO_RCVBUF`), within the
    /// system's limits as above.
    ///
    /// ```
    /// use isosocket::WebSocket;
    /// use isosocket::native::BuilderExt;
    ///
    /// // A fast network over a long way.
    /// let builder = WebSocket::builder("wss://example.org/").tcp_receive_buffer(4 << 20);
    /// ```
    fn tcp_receive_buffer(self, bytes: usize) -> Self;

    /// The TLS configuration for `wss:`, in place of the default's: a `ClientConfig` of
    /// rustls, or an `Arc` of one.
    ///
    /// A WebSocket begins with HTTP/1.1. So if the configuration offers protocols
    /// by ALPN, such as `h2`, the socket offers `http/1.1` in their place.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use isosocket::WebSocket;
    /// use isosocket::native::BuilderExt;
    /// use isosocket::native::rustls_0_23 as rustls;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // A company's own CA, and no other.
    /// let mut roots = rustls::RootCertStore::empty();
    /// # let certificates: Vec<rustls::pki_types::CertificateDer> = Vec::new();
    /// for certificate in certificates {
    ///     roots.add(certificate)?;
    /// }
    /// let provider = Arc::new(rustls::crypto::ring::default_provider());
    /// let config = rustls::ClientConfig::builder_with_provider(provider)
    ///     .with_safe_default_protocol_versions()?
    ///     .with_root_certificates(roots)
    ///     .with_no_client_auth();
    /// let builder = WebSocket::builder("wss://intranet/").tls_config(Arc::new(config));
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(any(feature = "tls", feature = "webpki-roots"))]
    fn tls_config(self, config: impl Into<TlsConfig>) -> Self;

    /// Does TLS by rustls, and trusts Mozilla's root certificates, which are built in,
    /// in place of the system's: for containers and devices without any.
    ///
    /// ```
    /// use isosocket::WebSocket;
    /// use isosocket::native::BuilderExt;
    ///
    /// let builder = WebSocket::builder("wss://example.org/").webpki_roots();
    /// ```
    #[cfg(feature = "webpki-roots")]
    fn webpki_roots(self) -> Self;

    /// Does TLS by the system's library, with this connector; `TlsConnector::new()?` is
    /// one without settings. It must not offer `h2` by ALPN, since a WebSocket begins with
    /// HTTP/1.1.
    ///
    /// ```
    /// use isosocket::WebSocket;
    /// use isosocket::native::{BuilderExt, native_tls};
    ///
    /// # fn main() -> Result<(), native_tls::Error> {
    /// let connector = native_tls::TlsConnector::builder()
    ///     .min_protocol_version(Some(native_tls::Protocol::Tlsv12))
    ///     .build()?;
    /// let builder = WebSocket::builder("wss://example.org/").native_tls(connector);
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "native-tls")]
    fn native_tls(self, connector: native_tls::TlsConnector) -> Self;
}

impl AsMut<NativeOptions> for NativeOptions {
    fn as_mut(&mut self) -> &mut NativeOptions {
        self
    }
}

/// For every socket that is native underneath, plain or reconnecting, and for each attempt
/// of one that reconnects.
impl<C> BuilderExt for C
where
    C: Configure<Options: AsMut<NativeOptions>>,
{
    fn header(mut self, name: &str, value: &str) -> Self {
        self.native_mut().as_mut().add_header(name, value);
        self
    }

    fn proxy(mut self, proxy: Proxy) -> Self {
        self.native_mut().as_mut().proxy = Some(proxy);
        self
    }

    fn proxy_from_environment(mut self) -> Self {
        self.native_mut().as_mut().proxy_from_environment = true;
        self
    }

    fn allow_blocked_ports(mut self) -> Self {
        self.native_mut().as_mut().allow_blocked_ports = true;
        self
    }

    fn on_step(mut self, hook: impl Fn(ConnectStep, Duration) + Send + Sync + 'static) -> Self {
        self.native_mut().as_mut().on_step = Some(StepHook::new(hook));
        self
    }

    fn receive_limit(mut self, bytes: usize) -> Self {
        self.native_mut().as_mut().receive_limit = bytes;
        self
    }

    #[cfg(feature = "deflate")]
    fn deflate(mut self, deflate: Deflate) -> Self {
        self.native_mut().as_mut().deflate = deflate;
        self
    }

    fn tcp_keepalive(mut self, time: Duration) -> Self {
        self.native_mut().as_mut().tcp.keepalive = Some(time);
        self
    }

    fn tcp_send_buffer(mut self, bytes: usize) -> Self {
        self.native_mut().as_mut().tcp.send_buffer = Some(bytes);
        self
    }

    fn tcp_receive_buffer(mut self, bytes: usize) -> Self {
        self.native_mut().as_mut().tcp.receive_buffer = Some(bytes);
        self
    }

    #[cfg(any(feature = "tls", feature = "webpki-roots"))]
    fn tls_config(mut self, config: impl Into<TlsConfig>) -> Self {
        self.native_mut().as_mut().tls = config.into().0;
        self
    }

    #[cfg(feature = "webpki-roots")]
    fn webpki_roots(self) -> Self {
        self.tls_config(crate::net::tls::rustls::webpki_config())
    }

    #[cfg(feature = "native-tls")]
    fn native_tls(mut self, connector: native_tls::TlsConnector) -> Self {
        self.native_mut().as_mut().tls = TlsChoice::NativeTls(connector);
        self
    }
}

#[cfg(test)]
#[path = "options_tests.rs"]
mod tests;
