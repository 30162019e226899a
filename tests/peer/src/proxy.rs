//! TCP proxies before the peer that are as bad as networks are: on demand they stop,
//! drop, delay, throttle and cut.
//!
//! Invariant: a byte is forwarded once and in order, or never.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::{Domain, SockRef, Socket, Type};

use crate::record::lock;

/// Read at once, in bytes.
const CHUNK: usize = 16 << 10;
/// How many chunks of a direction are on their way at most.
const ON_THEIR_WAY: usize = 64;
/// How long a write may block.
const WRITE_LIMIT: Duration = Duration::from_secs(30);

/// All proxies of a peer, by their ports.
#[derive(Default)]
pub(crate) struct Proxies(Mutex<BTreeMap<u16, Arc<Proxy>>>);

impl Proxies {
    /// Answers a request: `new`, or `PORT/COMMAND`. Gives JSON.
    pub(crate) fn answer(&self, request: &str, target: u16) -> Result<String, String> {
        if request == "new" {
            let proxy = Proxy::start(target).map_err(|error| error.to_string())?;
            let status = proxy.status();
            lock(&self.0).insert(proxy.port, proxy);
            return Ok(status);
        }
        let (port, command) = request.split_once('/').ok_or("PORT/COMMAND is missing")?;
        let port = port.parse().map_err(|_| format!("no port: {port}"))?;
        let found = match command {
            "end" => lock(&self.0).remove(&port),
            _ => lock(&self.0).get(&port).cloned(),
        };
        let proxy = found.ok_or_else(|| format!("no proxy at port {port}"))?;
        proxy.obey(command)?;
        Ok(proxy.status())
    }

    /// Ends all of them.
    pub(crate) fn end(&self) {
        for proxy in std::mem::take(&mut *lock(&self.0)).into_values() {
            proxy.stop();
        }
    }
}

/// One proxy.
struct Proxy {
    port: u16,
    target: u16,
    state: Mutex<State>,
    changed: Condvar,
    listening: Mutex<Option<JoinHandle<()>>>,
    /// Keeps the port while nobody listens: connections are refused then.
    _reserved: Socket,
}

#[derive(Default)]
struct State {
    /// Whether connections are accepted.
    listens: bool,
    /// Nothing is forwarded, in neither direction.
    holds: bool,
    /// How much later everything arrives.
    delay: Duration,
    /// Bytes per second, in each direction.
    rate: Option<u32>,
    pairs: Vec<Weak<Pair>>,
    /// How many connections were accepted so far.
    accepted: u64,
}

/// A connection: the two that it consists of.
struct Pair {
    client: TcpStream,
    peer: TcpStream,
    /// What it is given is silently dropped from now on.
    lost: AtomicBool,
    /// Both ends are reset.
    cut: AtomicBool,
}

/// What goes one way: bytes that were read at a time. No bytes: the end.
type Chunk = (Instant, Vec<u8>);

impl Proxy {
    fn start(target: u16) -> io::Result<Arc<Proxy>> {
        let reserved = bound(0)?;
        let port = reserved.local_addr()?.as_socket().map_or(0, |it| it.port());
        let proxy = Arc::new(Proxy {
            port,
            target,
            state: Mutex::default(),
            changed: Condvar::new(),
            listening: Mutex::default(),
            _reserved: reserved,
        });
        proxy.listen()?;
        Ok(proxy)
    }

    fn obey(self: &Arc<Self>, command: &str) -> Result<(), String> {
        let (name, number) = match command.split_once(':') {
            Some((name, number)) => (name, number.parse::<u32>().ok()),
            None => (command, None),
        };
        match (name, number) {
            ("status", None) => {}
            ("hold", None) => self.change(|state| state.holds = true),
            ("pass", None) => self.change(|state| {
                (state.holds, state.delay, state.rate) = (false, Duration::ZERO, None);
            }),
            ("delay", Some(time)) => self.change(|state| {
                state.delay = Duration::from_millis(time.into());
            }),
            ("throttle", Some(rate)) => self.change(|state| state.rate = Some(rate.max(1))),
            ("lose", None) => self.for_each(|pair| pair.lost.store(true, Ordering::SeqCst)),
            ("cut", None) => self.for_each(Pair::reset),
            ("fin", None) => self.for_each(|pair| {
                let _ = pair.client.shutdown(Shutdown::Write);
                let _ = pair.peer.shutdown(Shutdown::Write);
            }),
            ("stop" | "end", None) => self.stop(),
            ("start", None) => self.listen().map_err(|error| error.to_string())?,
            _ => return Err(format!("a proxy does not know `{command}`")),
        }
        Ok(())
    }

    fn status(&self) -> String {
        let state = lock(&self.state);
        let open = state.pairs.iter().filter(|pair| pair.strong_count() > 0);
        format!(
            "{{\"port\":{},\"accepted\":{},\"open\":{}}}",
            self.port,
            state.accepted,
            open.count()
        )
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut lock(&self.state));
        self.changed.notify_all();
    }

    fn for_each(&self, act: impl Fn(&Pair)) {
        let pairs: Vec<_> = lock(&self.state)
            .pairs
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        pairs.iter().for_each(|pair| act(pair));
        drop(pairs);
        self.changed.notify_all();
    }

    fn listen(self: &Arc<Self>) -> io::Result<()> {
        let mut listening = lock(&self.listening);
        if listening.is_some() {
            return Ok(());
        }
        let socket = bound(self.port)?;
        socket.listen(128)?;
        let listener = TcpListener::from(socket);
        lock(&self.state).listens = true;
        let proxy = self.clone();
        let accept = move || {
            while let Ok((client, _)) = listener.accept() {
                if !lock(&proxy.state).listens {
                    return;
                }
                // A client whose connection cannot be made sees it end.
                let _ = proxy.connect(client);
            }
        };
        *listening = Some(thread::Builder::new().name("proxy".into()).spawn(accept)?);
        Ok(())
    }

    /// Connections are refused from now on, and those that there are end.
    fn stop(self: &Arc<Self>) {
        lock(&self.state).listens = false;
        if let Some(thread) = lock(&self.listening).take() {
            // The listener looks up only for a connection.
            drop(TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)));
            let _ = thread.join();
        }
        self.for_each(Pair::reset);
    }

    fn connect(self: &Arc<Self>, client: TcpStream) -> io::Result<()> {
        let peer = TcpStream::connect((Ipv4Addr::LOCALHOST, self.target))?;
        for stream in [&client, &peer] {
            stream.set_nodelay(true)?;
            stream.set_write_timeout(Some(WRITE_LIMIT))?;
        }
        let pair = Arc::new(Pair {
            client,
            peer,
            lost: AtomicBool::new(false),
            cut: AtomicBool::new(false),
        });
        let mut state = lock(&self.state);
        state.accepted += 1;
        state.pairs.retain(|pair| pair.strong_count() > 0);
        state.pairs.push(Arc::downgrade(&pair));
        drop(state);
        for to_peer in [true, false] {
            let (sender, receiver) = sync_channel(ON_THEIR_WAY);
            let (proxy, reading, writing) = (self.clone(), pair.clone(), pair.clone());
            thread::Builder::new().spawn(move || reading.read(to_peer, &sender))?;
            thread::Builder::new().spawn(move || proxy.forward(&writing, to_peer, &receiver))?;
        }
        Ok(())
    }

    /// Writes what was read, when the network lets it through.
    fn forward(&self, pair: &Pair, to_peer: bool, chunks: &Receiver<Chunk>) {
        let mut target = if to_peer { &pair.peer } else { &pair.client };
        for (arrived, bytes) in chunks {
            let (delay, rate) = {
                let passes = |state: &State| !state.holds || pair.is_off();
                let state = self.wait(None, passes);
                (state.delay, state.rate)
            };
            let slow = rate.map_or(Duration::ZERO, |rate| {
                Duration::from_secs_f64(bytes.len() as f64 / f64::from(rate))
            });
            let due = (arrived + delay).max(Instant::now() + slow);
            drop(self.wait(Some(due), |_| pair.is_off()));
            if pair.cut.load(Ordering::SeqCst) {
                return;
            }
            let lost = pair.lost.load(Ordering::SeqCst);
            if bytes.is_empty() {
                // The peer has no other way to learn that a lost client is gone.
                if to_peer || !lost {
                    let _ = target.shutdown(Shutdown::Write);
                }
                return;
            }
            if !lost && target.write_all(&bytes).is_err() {
                return pair.reset();
            }
        }
    }

    /// Waits until that is so, at most until a time.
    fn wait(
        &self,
        until: Option<Instant>,
        is_so: impl Fn(&State) -> bool,
    ) -> MutexGuard<'_, State> {
        let mut state = lock(&self.state);
        while !is_so(&state) {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            state = match left {
                Some(Duration::ZERO) => return state,
                Some(left) => {
                    let waited = self.changed.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => {
                    let waited = self.changed.wait(state);
                    waited.unwrap_or_else(PoisonError::into_inner)
                }
            };
        }
        state
    }
}

impl Pair {
    fn is_off(&self) -> bool {
        self.lost.load(Ordering::SeqCst) || self.cut.load(Ordering::SeqCst)
    }

    /// Reads until the end, also what goes nowhere.
    fn read(&self, to_peer: bool, sender: &SyncSender<Chunk>) {
        let mut source = if to_peer { &self.client } else { &self.peer };
        let mut buffer = vec![0; CHUNK];
        loop {
            let count = source.read(&mut buffer).unwrap_or(0);
            let chunk = (Instant::now(), buffer[..count].to_vec());
            if sender.send(chunk).is_err() || count == 0 {
                return;
            }
        }
    }

    /// Resets both connections, as soon as no thread holds them.
    fn reset(&self) {
        self.cut.store(true, Ordering::SeqCst);
        for stream in [&self.client, &self.peer] {
            let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
            // It wakes who reads, and says nothing to the other end.
            let _ = stream.shutdown(Shutdown::Read);
        }
    }
}

/// A socket that shares its port with another that does not listen.
fn bound(port: u16) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    Ok(socket)
}
