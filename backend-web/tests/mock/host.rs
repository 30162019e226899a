//! A JavaScript host that a test controls: a `WebSocket` class that does what the test
//! says, and timers that run when the test advances time.
//!
//! Invariant: the real globals are back when a [`Host`] is dropped.

use std::cell::RefCell;
use std::rc::Rc;

use isosocket_core::{Event, EventKind, WebSocket};
use isosocket_web::Web;
use js_sys::{Function, Promise};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

pub type Socket = WebSocket<Web>;
pub type Log = Rc<RefCell<Vec<String>>>;

const INSTALL: &str = r#"
    const real = {
        WebSocket: globalThis.WebSocket,
        setTimeout: globalThis.setTimeout,
        clearTimeout: globalThis.clearTimeout,
    };
    class Mock {
        constructor(url, subprotocols) {
            if (Mock.throws) throw new DOMException("not allowed", Mock.throws);
            if (Mock.throwsValue) throw Mock.throwsValue[0];
            Object.assign(this, {
                url, subprotocols, readyState: 0, bufferedAmount: 0, protocol: "", extensions: "",
                sent: [], closes: [], kinds: [], on: {}, added: 0, removed: 0,
            });
            Mock.last = this;
            Mock.count++;
        }
        set binaryType(kind) { this.kinds.push(kind); }
        listen(type, f) {
            f ? this.added++ : this.removed++;
            this.on[type] = f;
        }
        get onopen() { return this.on.open; }
        set onopen(f) { this.listen("open", f); }
        set onmessage(f) { this.listen("message", f); }
        set onerror(f) { this.listen("error", f); }
        set onclose(f) { this.listen("close", f); }
        send(data) {
            if (Mock.full) throw new RangeError("no memory");
            const text = typeof data === "string";
            this.sent.push(text || Mock.keeps ? data : data.slice());
            this.bufferedAmount += text ? new TextEncoder().encode(data).length : data.length;
            if (Mock.echo) this.receive(data);
        }
        close(...frame) {
            this.closes.push(frame);
            this.readyState = 2;
            if (Mock.errorInClose) this.fire("error");
        }
        fire(type, members) {
            if (type === "open") this.readyState = 1;
            if (type === "close") this.readyState = 3;
            this.on[type]?.({ type, ...members });
        }
        open() { this.fire("open"); }
        receive(data) { this.fire("message", { data }); }
        end(code, reason, wasClean) { this.fire("close", { code, reason, wasClean }); }
        listeners() { return Object.values(this.on).filter((f) => f).length; }
    }
    Mock.count = 0;
    let now = 0, next = 1;
    const timers = new Map();
    globalThis.Mock = Mock;
    globalThis.WebSocket = Mock;
    // An object, as in Node.
    globalThis.setTimeout = (f, delay) => {
        const id = { number: next++ };
        timers.set(id, { f, at: now + delay });
        return id;
    };
    globalThis.clearTimeout = (id) => timers.delete(id);
    globalThis.timers = timers;
    const date = Date.now;
    const base = date.call(Date);
    Date.now = () => base + now;
    globalThis.advance = (time) => {
        const until = now + time;
        for (;;) {
            const due = [...timers].filter(([, t]) => t.at <= until).sort((a, b) => a[1].at - b[1].at)[0];
            if (!due) break;
            timers.delete(due[0]);
            now = Math.max(now, due[1].at);
            due[1].f();
        }
        now = until;
    };
    // Time passes, and the host is too busy for timers.
    globalThis.late = (time) => { now += time; };
    return () => {
        Date.now = date;
        Object.assign(globalThis, real);
    };
"#;

pub struct Host {
    restore: Function,
}

impl Host {
    pub fn new() -> Self {
        Host {
            restore: js(INSTALL).into(),
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.restore.call0(&JsValue::NULL);
    }
}

/// Runs JavaScript, with `socket` for the last one made.
pub fn js(body: &str) -> JsValue {
    let body = format!("const socket = globalThis.Mock?.last; {body}");
    let function = Function::new_no_args(&body);
    match function.call0(&JsValue::NULL) {
        Ok(value) => value,
        // As a call of the host would, so that a handler can throw.
        Err(thrown) => wasm_bindgen::throw_val(thrown),
    }
}

/// Asserts that a JavaScript expression is true.
#[track_caller]
pub fn check(expression: &str) {
    let value = js(&format!("return {expression}"));
    assert!(value.is_truthy(), "{expression}");
}

/// Waits until what was left for after the current job is done.
pub async fn settle() {
    for _ in 0..5 {
        let _ = JsFuture::from(Promise::resolve(&JsValue::NULL)).await;
    }
}

/// Waits until the host has done what it had to do besides.
pub async fn task() {
    let script = "return new Promise((done) => setImmediate(done))";
    let _ = JsFuture::from(Promise::from(js(script))).await;
}

/// A socket and what its handlers see.
pub fn open_socket() -> (Socket, Log) {
    watch(Socket::new("ws://example.org/").expect("a good URL"))
}

pub fn watch(socket: Socket) -> (Socket, Log) {
    let log = Log::default();
    for kind in EventKind::ALL {
        let log = log.clone();
        let _ = socket.bind(kind, move |socket, event| {
            let line = match event {
                Event::Open => "open".to_owned(),
                Event::Message(message) => format!("message {:?}", message.as_bytes()),
                Event::Error(_) => format!("error in {:?}", socket.ready_state()),
                Event::Close(close) => {
                    format!(
                        "close {} {:?} {}",
                        close.code, close.reason, close.was_clean
                    )
                }
            };
            log.borrow_mut().push(line);
        });
    }
    (socket, log)
}

/// What a failure looks like.
pub const FAIL: [&str; 2] = ["error in Closed", "close 1006 \"\" false"];
