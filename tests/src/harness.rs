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
#[cfg(all(test, not(target_family = "wasm")))]
#[path = "runtimes/native.rs"]
mod executors;
#[cfg(all(test, target_family = "wasm", target_os = "unknown"))]
#[path = "runtimes/web.rs"]
mod executors;

#[cfg(all(test, feature = "web", target_family = "wasm", target_os = "unknown"))]
#[path = "web_objects.rs"]
mod web_objects;

#[cfg(not(target_family = "wasm"))]
mod process;
#[cfg(all(target_family = "wasm", not(target_os = "unknown")))]
mod wasi;

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
mod native {
    use std::sync::LazyLock;
    use std::time::Instant;

    #[cfg(not(target_family = "wasm"))]
    pub use super::process::*;
    #[cfg(target_family = "wasm")]
    pub use super::wasi::*;

    /// Whether this is the web, where N rules are recorded and not asserted.
    pub const WEB: bool = false;

    /// Whether there should be a WebSocket, asked independently of the library.
    pub fn has_web_socket() -> bool {
        cfg!(all(feature = "native", not(target_env = "p1")))
    }

    /// The name of this run in reports: its row in xtask's table.
    pub fn host() -> String {
        let name = if own_thread() { "native-run" } else { "native" };
        std::env::var("ISOSOCKET_ROW").unwrap_or_else(|_| name.to_owned())
    }

    /// Whether anybody reads reports.
    pub fn has_readers() -> bool {
        std::env::var_os("ISOSOCKET_PEER").is_some()
    }

    /// Whether this processor, or this system, is emulated by another.
    pub fn is_emulated() -> bool {
        let wrapper = std::env::var_os("ISOSOCKET_WRAPPER");
        cfg!(any(unix, windows)) && wrapper.is_some_and(|wrapper| !wrapper.is_empty())
    }

    /// Shows a line to whoever runs the suite.
    pub fn print(line: &str) {
        println!("{line}");
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

    /// A process has memory that is not this thread's: see the native crate's
    /// own test of leaks.
    pub fn memory() -> usize {
        0
    }

    /// An attempt whose request has one more header.
    #[cfg(all(feature = "native", not(target_env = "p1")))]
    pub fn with_header(
        next: isosocket::NextAttempt,
        name: &str,
        value: &str,
    ) -> isosocket::NextAttempt {
        isosocket::native::BuilderExt::header(next, name, value)
    }

    /// Without a backend there is no such option.
    #[cfg(any(not(feature = "native"), target_env = "p1"))]
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
    #[cfg(all(feature = "native", not(target_env = "p1")))]
    pub fn limited(builder: isosocket::Builder, bytes: usize) -> isosocket::Builder {
        isosocket::native::BuilderExt::receive_limit(builder, bytes)
    }

    /// Without a backend there is no such option.
    #[cfg(any(not(feature = "native"), target_env = "p1"))]
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

    /// Whether a case can run in a process of its own.
    pub const PROCESSES: bool = false;

    /// A host runs on a processor of its own.
    pub fn is_emulated() -> bool {
        false
    }

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
