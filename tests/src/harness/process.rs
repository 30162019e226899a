//! What the suite needs of a system with threads and processes.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex, OnceLock, mpsc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use isosocket_peer::{Peer, PeerOptions};

/// Whether a case can run in a process of its own.
pub const PROCESSES: bool = true;

/// Whether each case runs inside `isosocket::run`, whose loop serves its
/// sockets on the case's own thread. Otherwise the shared thread does.
pub fn own_thread() -> bool {
    std::env::var_os("ISOSOCKET_RUN").is_some()
}

/// Runs a case to its end.
#[cfg(test)]
pub fn block_on(case: impl Future<Output = ()> + 'static) {
    match own_thread() {
        true => isosocket::run(case),
        false => crate::blocking::block_on(case),
    }
}

/// Where the peer is, as `HOST:PORT`. Without a peer from outside one is
/// started here.
pub fn peer() -> &'static str {
    static ADDRESS: LazyLock<String> = LazyLock::new(|| {
        std::env::var("ISOSOCKET_PEER")
            .unwrap_or_else(|_| format!("127.0.0.1:{}", own_peer().ports().plain))
    });
    &ADDRESS
}

fn own_peer() -> &'static Peer {
    static PEER: OnceLock<Peer> = OnceLock::new();
    PEER.get_or_init(|| Peer::start(PeerOptions::default()).expect("the peer starts"))
}

/// What was asked for and does not exist; of a peer from outside its owner asks.
pub fn complaints() -> Vec<String> {
    match std::env::var_os("ISOSOCKET_PEER") {
        Some(_) => Vec::new(),
        None => own_peer().errors(),
    }
}

/// The body of what the peer answers to a GET. Another thread waits for it,
/// because this one may have to drive its sockets meanwhile.
pub async fn get(path: &str) -> Result<String, String> {
    let (path, waiting) = (path.to_owned(), Arc::new(Mutex::new(Waiting::default())));
    let answered = waiting.clone();
    let ask = move || {
        let body = wait_for(&path);
        let mut waiting = answered.lock().expect("nobody panics with it");
        waiting.body = Some(body);
        if let Some(waker) = waiting.waker.take() {
            waker.wake();
        }
    };
    let thread = thread::Builder::new().name(TIMER.to_owned());
    thread.spawn(ask).expect("there is room for a thread");
    std::future::poll_fn(|context| {
        let mut waiting = waiting.lock().expect("nobody panics with it");
        if let Some(body) = waiting.body.take() {
            return Poll::Ready(body);
        }
        waiting.waker = Some(context.waker().clone());
        Poll::Pending
    })
    .await
}

/// An answer that is awaited.
#[derive(Default)]
struct Waiting {
    body: Option<Result<String, String>>,
    waker: Option<Waker>,
}

fn wait_for(path: &str) -> Result<String, String> {
    let text = |error: std::io::Error| format!("GET {path}: {error}");
    let mut stream = TcpStream::connect(peer()).map_err(text)?;
    stream
        .set_read_timeout(Some(Duration::from_secs(15)))
        .map_err(text)?;
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        peer()
    );
    stream.write_all(head.as_bytes()).map_err(text)?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply).map_err(text)?;
    match reply.split_once("\r\n\r\n") {
        Some((_, body)) => Ok(body.to_owned()),
        None => Err(format!("GET {path}: no reply")),
    }
}

/// How the threads behind [`sleep`] and [`get`] are called.
const TIMER: &str = "suite-timer";

/// Waits so many milliseconds. For deadlines, not for results.
pub async fn sleep(milliseconds: u32) {
    let duration = Duration::from_millis(milliseconds.into());
    let end = Instant::now() + duration;
    // Its thread ends with this future.
    let mut timer: Option<(mpsc::Sender<()>, Waker)> = None;
    std::future::poll_fn(|context| {
        if Instant::now() >= end {
            return Poll::Ready(());
        }
        let waker = context.waker().clone();
        if matches!(&timer, Some((_, known)) if known.will_wake(&waker)) {
            return Poll::Pending;
        }
        let (sender, receiver) = mpsc::channel::<()>();
        timer = Some((sender, waker.clone()));
        let wait = move || {
            let left = end.saturating_duration_since(Instant::now());
            if receiver.recv_timeout(left) == Err(mpsc::RecvTimeoutError::Timeout) {
                waker.wake();
            }
        };
        let timer = thread::Builder::new().name(TIMER.to_owned());
        timer.spawn(wait).expect("there is room for a thread");
        Poll::Pending
    })
    .await;
}

/// What tells a process that runs one case alone.
const ALONE: &str = "ISOSOCKET_ALONE";

/// Whether this process runs one case alone.
pub fn is_alone() -> bool {
    std::env::var_os(ALONE).is_some()
}

/// Runs one case in a process of its own.
pub fn run_alone(name: &str) -> Result<String, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    // Where a processor is emulated, the emulator runs the program. Wine starts it itself.
    let wrapper = std::env::var("ISOSOCKET_WRAPPER").ok();
    let wrapper = wrapper.filter(|_| cfg!(unix)).unwrap_or_default();
    let wrapper = wrapper.split_whitespace().map(OsString::from);
    let mut words = wrapper.chain([program.into_os_string()]);
    let output = Command::new(words.next().expect("there is a program"))
        .args(words)
        .args(["--exact", "--nocapture", &format!("mounted::{name}")])
        .env(ALONE, "1")
        .env("ISOSOCKET_PEER", peer())
        .output()
        .map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let text = format!("{text}{}", String::from_utf8_lossy(&output.stderr));
    match output.status.success() && text.contains("1 passed") {
        true => Ok("the same as before".to_owned()),
        false => Err(text),
    }
}

/// How many threads, our timers apart, and file descriptors this process
/// has; zero where the system does not say.
pub fn resources() -> (usize, usize) {
    let entries = |folder| std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_timer = |task: &std::fs::DirEntry| {
        let name = std::fs::read_to_string(task.path().join("comm"));
        name.is_ok_and(|name| name.trim() == TIMER)
    };
    let threads = entries("/proc/self/task").filter(|task| !is_timer(task));
    (threads.count(), entries("/proc/self/fd").count())
}

/// Makes a socket trust the peer's CA.
#[cfg(feature = "tls")]
pub fn trusting(builder: isosocket::Builder) -> isosocket::Builder {
    use isosocket::native::BuilderExt;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    let certificate = match std::env::var_os("ISOSOCKET_PEER_CA") {
        Some(file) => CertificateDer::from_pem_file(file).expect("the CA is a PEM file"),
        None => CertificateDer::from(own_peer().ca_der().to_vec()),
    };
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).expect("the CA is a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    builder.tls_config(Arc::new(config))
}

/// Without TLS there is nobody to trust anything.
#[cfg(not(feature = "tls"))]
pub fn trusting(builder: isosocket::Builder) -> isosocket::Builder {
    builder
}
