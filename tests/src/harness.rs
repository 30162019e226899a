//! What the suite needs from its target: a way to define tests, a clock, the
//! peer's address, plain HTTP. The only file of the suite that knows targets.
//!
//! Invariant: nothing here uses the library under test, but for
//! [`trusting`], which has it trust the suite's own CA.

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub use native::*;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
pub use web::*;

/// Mounts one case as a test of this target.
#[cfg(all(test, not(all(target_family = "wasm", target_os = "unknown"))))]
macro_rules! mount {
    ($name:ident, $case:expr) => {
        #[test]
        fn $name() {
            $crate::harness::block_on($crate::suite::run($case));
        }
    };
}

/// Mounts one case as a test of this target.
#[cfg(all(test, target_family = "wasm", target_os = "unknown"))]
macro_rules! mount {
    ($name:ident, $case:expr) => {
        #[wasm_bindgen_test::wasm_bindgen_test]
        async fn $name() {
            $crate::suite::run($case).await;
        }
    };
}

#[cfg(test)]
pub(crate) use mount;

// The executors on which the bodies of `runtimes` are mounted.
#[cfg(all(test, not(all(target_family = "wasm", target_os = "unknown"))))]
#[path = "runtimes/native.rs"]
mod executors;
#[cfg(all(test, target_family = "wasm", target_os = "unknown"))]
#[path = "runtimes/web.rs"]
mod executors;

#[cfg(all(test, feature = "web", target_family = "wasm", target_os = "unknown"))]
#[path = "web_objects.rs"]
mod web_objects;

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
mod native {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::sync::{Arc, LazyLock, Mutex, OnceLock, mpsc};
    use std::task::{Poll, Waker};
    use std::thread;
    use std::time::{Duration, Instant};

    use isosocket_peer::{Peer, PeerOptions};

    /// Whether this is the web, where N rules are recorded and not asserted.
    pub const WEB: bool = false;

    /// Whether there should be a WebSocket, asked independently of the library.
    pub fn has_web_socket() -> bool {
        cfg!(feature = "native")
    }

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

    /// The name of this run in reports.
    pub fn host() -> String {
        let name = if own_thread() { "native-run" } else { "native" };
        name.to_owned()
    }

    /// Whether anybody reads reports.
    pub fn has_readers() -> bool {
        std::env::var_os("ISOSOCKET_PEER").is_some()
    }

    /// Shows a line to whoever runs the suite.
    pub fn print(line: &str) {
        println!("{line}");
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

    /// A number that a run which began at the same moment does not have.
    pub fn salt() -> u64 {
        use std::hash::{BuildHasher, RandomState};
        RandomState::new().hash_one(0)
    }

    /// Milliseconds since some moment.
    pub fn now() -> f64 {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        START.elapsed().as_secs_f64() * 1000.0
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

    /// The variable by which a process runs one case alone.
    const ALONE: &str = "ISOSOCKET_ALONE";

    /// Whether this process runs one case alone.
    pub fn is_alone() -> bool {
        std::env::var_os(ALONE).is_some()
    }

    /// Runs one case in a process of its own.
    pub fn run_alone(name: &str) -> Result<String, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let output = std::process::Command::new(program)
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

    /// A process has memory that is not this thread's: see the native crate's
    /// own test of leaks.
    pub fn memory() -> usize {
        0
    }

    /// Makes a socket trust the peer's CA.
    #[cfg(feature = "native")]
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

    /// An attempt whose request has one more header.
    #[cfg(feature = "native")]
    pub fn with_header(
        next: isosocket::NextAttempt,
        name: &str,
        value: &str,
    ) -> isosocket::NextAttempt {
        isosocket::native::AttemptExt::header(next, name, value)
    }

    /// Without a backend there is no such option.
    #[cfg(not(feature = "native"))]
    pub fn with_header(next: isosocket::NextAttempt, _: &str, _: &str) -> isosocket::NextAttempt {
        next
    }

    /// How this run opens sockets: natively there is one way.
    pub fn chosen<B>(builder: B) -> B {
        builder
    }

    /// Whether sockets go over the host's `WebSocketStream`.
    pub fn over_stream() -> bool {
        false
    }

    /// Whether a socket can stop reading, as the library says. Natively all can.
    pub fn can_limit() -> bool {
        true
    }

    /// Whether sockets can send pings.
    pub fn has_pings() -> bool {
        true
    }

    /// Whether the host has objects that get this event: not natively.
    pub fn has_event(_: &str) -> bool {
        false
    }

    /// Lets an event of the host happen.
    pub fn happen(event: &str) {
        unreachable!("{event} does not happen natively");
    }

    /// Keeps the thread from everything else for so many milliseconds.
    pub fn block(_: u32) {
        unreachable!("a process is stopped by a signal, in the native crate's own tests");
    }

    /// How many listeners the host's objects have, for the events of [`has_event`].
    pub fn host_listeners() -> Option<u32> {
        None
    }

    /// Whether it should be able to, asked independently of the library.
    pub fn has_web_socket_stream() -> bool {
        true
    }

    /// A socket with a receive limit of so many bytes.
    #[cfg(feature = "native")]
    pub fn limited(builder: isosocket::Builder, bytes: usize) -> isosocket::Builder {
        isosocket::native::BuilderExt::receive_limit(builder, bytes)
    }

    /// Without a backend there is no such option.
    #[cfg(not(feature = "native"))]
    pub fn limited(builder: isosocket::Builder, _: usize) -> isosocket::Builder {
        builder
    }

    /// The same where the host can keep it, and a socket without it elsewhere.
    pub fn limited_if_possible(builder: isosocket::Builder, bytes: usize) -> isosocket::Builder {
        limited(builder, bytes)
    }

    /// A process has memory that is not the library's.
    pub fn memory_in_use() -> usize {
        0
    }

    /// Without a backend there is nobody to trust anything.
    #[cfg(not(feature = "native"))]
    pub fn trusting(builder: isosocket::Builder) -> isosocket::Builder {
        builder
    }
}

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod web {
    use std::cell::Cell;
    use std::panic::AssertUnwindSafe;

    use js_sys::{Promise, Reflect};
    use wasm_bindgen::prelude::*;
    use wasm_bindgen_futures::JsFuture;

    #[wasm_bindgen]
    extern "C" {
        #[wasm_bindgen(js_name = fetch, catch)]
        fn fetch(url: &str) -> Result<Promise, JsValue>;

        type Response;
        #[wasm_bindgen(method, catch)]
        fn text(this: &Response) -> Result<Promise, JsValue>;

        #[wasm_bindgen(js_name = setTimeout)]
        fn set_timeout(callback: &JsValue, milliseconds: u32) -> JsValue;
        #[wasm_bindgen(js_name = clearTimeout)]
        fn clear_timeout(timer: &JsValue);

        #[wasm_bindgen(js_namespace = console, js_name = log)]
        fn log(line: &str);
    }

    /// Whether this is the web, where N rules are recorded and not asserted.
    pub const WEB: bool = true;

    /// A page's sockets live on the page's own thread.
    pub fn own_thread() -> bool {
        true
    }

    /// Whether there should be a WebSocket, asked independently of the library.
    pub fn has_web_socket() -> bool {
        cfg!(feature = "web") && global("WebSocket").is_function()
    }

    fn global(name: &str) -> JsValue {
        Reflect::get(&js_sys::global(), &name.into()).unwrap_or(JsValue::UNDEFINED)
    }

    fn member(object: &JsValue, name: &str) -> Option<String> {
        Reflect::get(object, &name.into()).ok()?.as_string()
    }

    /// The name of this run in reports: that of the host in xtask's table,
    /// as far as the program itself can find out.
    pub fn host() -> String {
        let agent = member(&global("navigator"), "userAgent").unwrap_or_default();
        let names = [
            ("Deno", "deno"),
            ("Bun", "bun"),
            ("Node", "node"),
            ("Firefox", "firefox"),
            ("Chrome", "chromium"),
            ("AppleWebKit", "webkit"),
        ];
        let host = names.iter().find(|(word, _)| agent.contains(word));
        let host = host.map_or("unknown", |(_, name)| name);
        let constructor = Reflect::get(&js_sys::global(), &"constructor".into());
        let scope = constructor.ok().and_then(|scope| member(&scope, "name"));
        let scope = match scope.as_deref() {
            _ if ["deno", "bun", "node"].contains(&host) => "",
            Some("DedicatedWorkerGlobalScope") => "-dedicated",
            Some("SharedWorkerGlobalScope") => "-shared",
            Some("ServiceWorkerGlobalScope") => "-service",
            _ if over_stream() => "-stream",
            _ => "-window",
        };
        format!("{host}{scope}")
    }

    /// Whether anybody reads reports. A build that unwinds is no host of its own.
    pub fn has_readers() -> bool {
        cfg!(not(panic = "unwind"))
    }

    /// Whether sockets go over the host's `WebSocketStream`. The row of `test-all` says
    /// so in the user agent, because a page has no environment.
    pub fn over_stream() -> bool {
        let agent = member(&global("navigator"), "userAgent").unwrap_or_default();
        agent.contains("isosocket-stream")
    }

    /// How this run opens sockets: with a receive limit, the native default, where they
    /// are to go over the host's `WebSocketStream`.
    #[cfg(feature = "web")]
    pub fn chosen<B: isosocket::web::BuilderExt>(builder: B) -> B {
        match over_stream() {
            true => builder.receive_limit(4 << 20),
            false => builder,
        }
    }

    /// Without a backend there is one way.
    #[cfg(not(feature = "web"))]
    pub fn chosen<B>(builder: B) -> B {
        builder
    }

    /// Shows a line to whoever runs the suite.
    pub fn print(line: &str) {
        log(line);
    }

    /// Where the peer is, as `HOST:PORT`.
    pub fn peer() -> &'static str {
        // What a build without it can do is to say so.
        const PEER: Option<&str> = option_env!("ISOSOCKET_PEER");
        PEER.expect("the suite was built without ISOSOCKET_PEER; run `cargo xtask test-all`")
    }

    /// What was asked for and does not exist: xtask asks the peer itself.
    pub fn complaints() -> Vec<String> {
        Vec::new()
    }

    /// The body of what the peer answers to a GET.
    pub async fn get(path: &str) -> Result<String, String> {
        let failed = |error: JsValue| format!("GET {path}: {error:?}");
        let promise = fetch(&format!("http://{}{path}", peer())).map_err(failed)?;
        let response: Response = JsFuture::from(promise)
            .await
            .map_err(failed)?
            .unchecked_into();
        let text = JsFuture::from(response.text().map_err(failed)?)
            .await
            .map_err(failed)?;
        text.as_string()
            .ok_or_else(|| format!("GET {path}: no text"))
    }

    /// A number that a run which began at the same moment does not have.
    pub fn salt() -> u64 {
        js_sys::Math::random().to_bits()
    }

    /// Milliseconds since some moment.
    pub fn now() -> f64 {
        js_sys::Date::now()
    }

    /// Waits so many milliseconds. For deadlines, not for results.
    pub async fn sleep(milliseconds: u32) {
        struct Timer(JsValue);
        impl Drop for Timer {
            fn drop(&mut self) {
                clear_timeout(&self.0);
            }
        }
        // Nothing unwinds out of the function that is given to a promise.
        let timer = AssertUnwindSafe(Cell::new(None));
        let promise = Promise::new(&mut |resolve, _| {
            timer.set(Some(Timer(set_timeout(&resolve, milliseconds))));
        });
        // A promise that only `setTimeout` resolves is not rejected.
        let _ = JsFuture::from(promise).await;
        drop(timer);
    }

    /// On the web there are no processes to be had.
    pub fn is_alone() -> bool {
        false
    }

    /// On the web there are no processes to be had.
    pub fn run_alone(_: &str) -> Result<String, String> {
        Err("there are no processes here".to_owned())
    }

    /// The web does not report it.
    pub fn resources() -> (usize, usize) {
        (0, 0)
    }

    /// How large the program's memory has grown, in bytes.
    pub fn memory() -> usize {
        core::arch::wasm32::memory_size::<0>() << 16
    }

    /// The same and the heap of JavaScript, in bytes, where the host reports it.
    pub fn memory_in_use() -> usize {
        let heap = Reflect::get(&global("performance"), &"memory".into());
        let heap = heap.and_then(|memory| Reflect::get(&memory, &"usedJSHeapSize".into()));
        let heap = heap.ok().and_then(|heap| heap.as_f64());
        memory() + heap.unwrap_or_default() as usize
    }

    /// Whether a socket can stop reading, as the library says.
    pub fn can_limit() -> bool {
        #[cfg(feature = "web")]
        return isosocket::web::supports_receive_limit();
        #[cfg(not(feature = "web"))]
        return false;
    }

    /// Whether sockets can send pings.
    pub fn has_pings() -> bool {
        false
    }

    /// What gets this event of the host.
    fn target(event: &str) -> JsValue {
        match event {
            "visibilitychange" | "resume" => global("document"),
            _ => js_sys::global().into(),
        }
    }

    /// Whether the host has objects that get this event.
    pub fn has_event(event: &str) -> bool {
        let dispatch = Reflect::get(&target(event), &"dispatchEvent".into());
        dispatch.is_ok_and(|dispatch| dispatch.is_function())
    }

    /// Lets an event of the host happen.
    pub fn happen(event: &str) {
        let code = "const event = new Event(kind); event.persisted = true;
                    target.dispatchEvent(event);";
        let dispatch = js_sys::Function::new_with_args("target, kind", code);
        let happened = dispatch.call2(&JsValue::NULL, &target(event), &event.into());
        happened.expect("the host has such events");
    }

    /// Keeps the thread from everything else for so many milliseconds.
    pub fn block(milliseconds: u32) {
        let end = now() + f64::from(milliseconds);
        while now() < end {}
    }

    /// How many listeners the host's objects have, for the events of [`has_event`], beyond
    /// those of before the first call.
    pub fn host_listeners() -> Option<u32> {
        let code = r#"
            return (globalThis.isosocketListeners ??= (() => {
                let count = 0;
                const kinds = ["online", "offline", "pageshow", "visibilitychange", "resume"];
                for (const target of [globalThis, globalThis.document]) {
                    if (!target?.addEventListener) continue;
                    for (const [name, more] of
                        [["addEventListener", 1], ["removeEventListener", -1]]) {
                        const before = target[name];
                        target[name] = function (kind, ...rest) {
                            if (kinds.includes(kind)) count += more;
                            return before.call(this, kind, ...rest);
                        };
                    }
                }
                return () => count;
            })())();"#;
        if !has_event("online") {
            return None;
        }
        let count = js_sys::Function::new_no_args(code);
        let count = count.call0(&JsValue::NULL).ok()?;
        Some(count.as_f64()? as u32)
    }

    /// Whether it should be able to, asked independently of the library.
    pub fn has_web_socket_stream() -> bool {
        cfg!(feature = "web") && global("WebSocketStream").is_function()
    }

    /// A socket with a receive limit of so many bytes, where sockets have one.
    #[cfg(feature = "web")]
    pub fn limited(builder: isosocket::Builder, bytes: usize) -> isosocket::Builder {
        isosocket::web::BuilderExt::receive_limit(builder, bytes)
    }

    /// Without a backend there is no such option.
    #[cfg(not(feature = "web"))]
    pub fn limited(builder: isosocket::Builder, _: usize) -> isosocket::Builder {
        builder
    }

    /// The same where the host can keep it, and a socket without it elsewhere.
    pub fn limited_if_possible(builder: isosocket::Builder, bytes: usize) -> isosocket::Builder {
        let builder = limited(builder, bytes);
        #[cfg(feature = "web")]
        let builder = isosocket::web::BuilderExt::allow_unlimited_memory(builder);
        builder
    }

    /// Pages choose no headers.
    pub fn with_header(next: isosocket::NextAttempt, _: &str, _: &str) -> isosocket::NextAttempt {
        next
    }

    /// A browser has its own roots, and the suite's CA is not among them.
    pub fn trusting(builder: isosocket::Builder) -> isosocket::Builder {
        builder
    }
}
