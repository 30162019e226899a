//! Listeners, threads and what they share.
//!
//! Invariant: a thread for each connection, all of them gone once the server
//! is stopped; a connection's failure concerns no other.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection};
use socket2::{Domain, Socket, Type};

use crate::proxy::Proxies;
use crate::record::{Store, lock};
use crate::request::{MAX_HEAD, Request};
use crate::tls::Ca;
use crate::wire::{Tcp, Wire};
use crate::{Ports, ReportHandler, service};

/// How long stopping waits for the threads of connections.
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// How long the stalling port keeps a connection.
const STALL_LIMIT: Duration = Duration::from_secs(600);

pub(crate) struct Server {
    shared: Arc<Shared>,
    listening: Vec<(u16, JoinHandle<()>)>,
    /// Bound and never listened on.
    _refused: Socket,
}

/// What every thread sees.
pub(crate) struct Shared {
    pub(crate) ports: Ports,
    pub(crate) store: Arc<Store>,
    pub(crate) proxies: Proxies,
    pub(crate) on_report: Option<ReportHandler>,
    errors: Mutex<Vec<String>>,
    life: Mutex<Life>,
    changed: Condvar,
}

#[derive(Default)]
struct Life {
    stopped: bool,
    /// Connections whose threads run.
    active: usize,
    sockets: Vec<Weak<TcpStream>>,
}

/// What a listener does with a connection.
#[derive(Clone)]
enum Kind {
    Plain,
    Tls(Arc<ServerConfig>),
    Garbage,
    Stall,
}

impl Server {
    pub(crate) fn start(
        base_port: u16,
        ca: &Ca,
        on_report: Option<ReportHandler>,
    ) -> io::Result<Server> {
        let configs = ca.server_configs().map_err(io::Error::other)?;
        let [good, expired, self_signed, wrong_name] = configs.map(Kind::Tls);
        let kinds = [
            Kind::Plain,
            good,
            expired,
            self_signed,
            wrong_name,
            Kind::Garbage,
            Kind::Stall,
        ];
        let address = |at: u16| {
            let port = if base_port == 0 {
                0
            } else {
                base_port.saturating_add(at)
            };
            SocketAddr::from((Ipv4Addr::LOCALHOST, port))
        };
        let mut listeners = Vec::new();
        let mut numbers = Vec::new();
        for (kind, at) in kinds.into_iter().zip(0..) {
            let listener = TcpListener::bind(address(at))?;
            numbers.push(listener.local_addr()?.port());
            listeners.push((listener, kind));
        }
        let refused = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        refused.bind(&address(numbers.len() as u16).into())?;
        let bound = refused.local_addr()?.as_socket();
        let ports = Ports {
            plain: numbers[0],
            tls: numbers[1],
            tls_expired: numbers[2],
            tls_self_signed: numbers[3],
            tls_wrong_name: numbers[4],
            tls_garbage: numbers[5],
            tls_stall: numbers[6],
            refused: bound.map_or(0, |address| address.port()),
        };
        let shared = Arc::new(Shared {
            ports,
            store: Arc::default(),
            proxies: Proxies::default(),
            on_report,
            errors: Mutex::default(),
            life: Mutex::default(),
            changed: Condvar::new(),
        });
        let mut server = Server {
            shared,
            listening: Vec::new(),
            _refused: refused,
        };
        for ((listener, kind), port) in listeners.into_iter().zip(numbers) {
            let shared = server.shared.clone();
            let name = "peer-listen".to_owned();
            let run = move || listen(&listener, &kind, &shared);
            server
                .listening
                .push((port, std::thread::Builder::new().name(name).spawn(run)?));
        }
        Ok(server)
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) fn stop(&mut self) {
        self.shared.proxies.end();
        let mut life = lock(&self.shared.life);
        life.stopped = true;
        for socket in life.sockets.drain(..).filter_map(|socket| socket.upgrade()) {
            let _ = socket.shutdown(std::net::Shutdown::Both);
        }
        drop(life);
        self.shared.changed.notify_all();
        for (port, thread) in self.listening.drain(..) {
            // A listener looks up only for a connection.
            drop(TcpStream::connect((Ipv4Addr::LOCALHOST, port)));
            let _ = thread.join();
        }
        let deadline = Instant::now() + STOP_LIMIT;
        self.shared.wait_until(deadline, |life| life.active == 0);
    }
}

impl Shared {
    /// Sleeps, but not beyond the peer's end.
    pub(crate) fn sleep(&self, time: Duration) {
        self.wait_until(Instant::now() + time, |life| life.stopped);
    }

    pub(crate) fn errors(&self) -> Vec<String> {
        lock(&self.errors).clone()
    }

    /// Notes that a client asked for what does not exist.
    pub(crate) fn error(&self, error: &str) {
        lock(&self.errors).push(error.to_owned());
    }

    fn wait_until(&self, deadline: Instant, reached: impl Fn(&Life) -> bool) {
        let mut life = lock(&self.life);
        while !reached(&life) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            life = match self.changed.wait_timeout(life, left) {
                Ok((life, _)) => life,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }
}

/// Counts a connection among the active ones while it lives.
struct Active(Arc<Shared>);

impl Active {
    /// `None` once the server is stopped.
    fn new(shared: &Arc<Shared>, tcp: &Arc<TcpStream>) -> Option<Active> {
        let mut life = lock(&shared.life);
        if life.stopped {
            return None;
        }
        life.active += 1;
        life.sockets.retain(|socket| socket.strong_count() > 0);
        life.sockets.push(Arc::downgrade(tcp));
        Some(Active(shared.clone()))
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        lock(&self.0.life).active -= 1;
        self.0.changed.notify_all();
    }
}

fn listen(listener: &TcpListener, kind: &Kind, shared: &Arc<Shared>) {
    loop {
        let accepted = listener.accept();
        if lock(&shared.life).stopped {
            return;
        }
        let Ok((tcp, _)) = accepted else {
            // Out of descriptors, most likely: let other threads free some.
            shared.sleep(Duration::from_millis(10));
            continue;
        };
        let tcp = Arc::new(tcp);
        let Some(active) = Active::new(shared, &tcp) else {
            return;
        };
        let (kind, shared) = (kind.clone(), shared.clone());
        let run = move || {
            let _active = active;
            connection(Tcp(tcp), kind, &shared);
        };
        // Without a thread the connection is dropped, which the client sees.
        let _ = std::thread::Builder::new()
            .name("peer".to_owned())
            .spawn(run);
    }
}

fn connection(tcp: Tcp, kind: Kind, shared: &Arc<Shared>) {
    let tls = match &kind {
        Kind::Tls(config) => match ServerConnection::new(config.clone()) {
            Ok(tls) => Some(tls),
            Err(_) => return,
        },
        _ => None,
    };
    let mut wire = Wire::new(tcp, tls, shared.clone());
    match kind {
        Kind::Plain | Kind::Tls(_) => {
            if let Some(request) = read_request(&mut wire) {
                service::serve(wire, request, shared);
            }
        }
        Kind::Garbage => {
            if wire.fill(None).is_ok() {
                let _ = wire
                    .push(b"\0\x01\x02 this is not TLS\r\n")
                    .and_then(|()| wire.flush());
            }
            wire.fin(false);
            drain(&mut wire, Instant::now() + STOP_LIMIT);
        }
        Kind::Stall => {
            wire.set_limit(STALL_LIMIT);
            drain(&mut wire, Instant::now() + STALL_LIMIT);
        }
    }
}

fn drain(wire: &mut Wire, deadline: Instant) {
    while wire.fill(Some(deadline)).is_ok() {
        let count = wire.input().len();
        wire.take(count);
    }
}

/// Reads the head of a request; `None` if there is none worth an answer.
fn read_request(wire: &mut Wire) -> Option<Request> {
    const HEAD_END: &[u8] = b"\r\n\r\n";
    loop {
        let input = wire.input();
        let end = input
            .windows(HEAD_END.len())
            .position(|window| window == HEAD_END);
        if let Some(end) = end {
            let request = Request::parse(&input[..end]);
            wire.take(end + HEAD_END.len());
            return request;
        }
        // What does not begin like HTTP, such as TLS on a plain port.
        let is_http = input.first().is_none_or(u8::is_ascii_alphabetic);
        if !is_http || input.len() > MAX_HEAD || wire.fill(None).is_err() {
            return None;
        }
    }
}
