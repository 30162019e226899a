//! A small client of the W3C WebDriver protocol: enough to use a page as a
//! person does.
//!
//! Invariant: every wait is for a condition and under a deadline, and the
//! browser ends with its [`Browser`].

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::http;
use super::marionette::FirefoxDriver;
use crate::run::process::{Invocation, Job};

/// Starting a driver or a browser takes no longer than this.
const START_LIMIT: Duration = Duration::from_secs(60);

/// A command takes no longer than this.
const COMMAND_LIMIT: Duration = Duration::from_secs(60);

/// A condition in the page comes true within this, also on a busy machine.
const CONDITION_LIMIT: Duration = Duration::from_secs(20);

/// The key under which the protocol names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Keys that have no letter.
pub const ENTER: char = '\u{e007}';
pub const SHIFT: char = '\u{e008}';
pub const TAB: char = '\u{e004}';
pub const SPACE: char = ' ';

/// A browser with one window, driven through its driver.
pub struct Browser {
    driver: SocketAddr,
    session: String,
    /// The browser's main process, if the driver reports it.
    process: Option<u64>,
    _driver: Driver,
}

/// What ends with the browser.
enum Driver {
    Process { _job: Job },
    Firefox { _server: FirefoxDriver },
}

impl Browser {
    /// Starts a driver, and through it a browser.
    ///
    /// # Errors
    /// If either does not start; the driver's own words are in the log.
    pub fn start(driver: &Path, capabilities: Value, log: &Path) -> Result<Self, String> {
        // A driver does not report which port it chose. So we choose one for
        // it that was free a moment ago.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|listener| listener.local_addr())
            .map_err(|error| error.to_string())?;
        let mut job = Invocation::new(driver)
            .arg(format!("--port={}", address.port()))
            .spawn(log)?;
        wait_until("the driver listens", START_LIMIT, || {
            if !job.is_running() {
                return Err("the driver ended at once".to_owned());
            }
            Ok(TcpStream::connect(address).is_ok())
        })?;
        Self::begin(address, Driver::Process { _job: job }, capabilities)
    }

    /// Starts Firefox.
    ///
    /// # Errors
    /// If it does not start.
    pub fn firefox(driver: FirefoxDriver, capabilities: Value) -> Result<Self, String> {
        let address = driver.address;
        Self::begin(address, Driver::Firefox { _server: driver }, capabilities)
    }

    fn begin(address: SocketAddr, driver: Driver, capabilities: Value) -> Result<Self, String> {
        let wanted = json!({ "capabilities": { "alwaysMatch": capabilities } });
        let answer = exchange(address, "POST", "/session", Some(&wanted), START_LIMIT)?;
        let session = answer["sessionId"]
            .as_str()
            .ok_or("the driver gave no session")?
            .to_owned();
        let capabilities = &answer["capabilities"];
        let processes = ["moz:processID", "goog:processID"].map(|name| &capabilities[name]);
        Ok(Self {
            driver: address,
            session,
            process: processes.iter().find_map(|process| process.as_u64()),
            _driver: driver,
        })
    }

    /// Loads a page and waits until it has loaded.
    pub fn go(&self, url: &str) -> Result<(), String> {
        self.post("url", &json!({ "url": url })).map(drop)
    }

    /// Goes back to the page before, as the button does.
    pub fn back(&self) -> Result<(), String> {
        self.post("back", &json!({})).map(drop)
    }

    /// The tab that commands are for.
    pub fn tab(&self) -> Result<String, String> {
        let handle = self.get("window")?;
        let handle = handle.as_str().map(str::to_owned);
        handle.ok_or_else(|| "no tab".to_owned())
    }

    /// Opens another tab, which hides this one, and commands are for it from now on.
    pub fn open_tab(&self) -> Result<(), String> {
        let new = self.post("window/new", &json!({ "type": "tab" }))?;
        let handle = new["handle"].as_str().ok_or("no new tab")?;
        self.show_tab(handle)
    }

    /// Shows a tab, and commands are for it from now on.
    pub fn show_tab(&self, handle: &str) -> Result<(), String> {
        self.post("window", &json!({ "handle": handle })).map(drop)
    }

    /// The browser's main process.
    pub fn process(&self) -> Option<u64> {
        self.process
    }

    /// Runs a function body in the page and returns its value, or what the
    /// promise that it returns becomes.
    pub fn script(&self, body: &str) -> Result<Value, String> {
        self.post("execute/sync", &json!({ "script": body, "args": [] }))
    }

    /// The same in Firefox itself, if it was started with `--remote-allow-system-access`.
    pub fn privileged(&self, body: &str) -> Result<Value, String> {
        let context = |name| self.post("moz/context", &json!({ "context": name }));
        let value = context("chrome").and_then(|_| self.script(body));
        context("content").and(value)
    }

    /// A command of the Chrome DevTools protocol, which only Chromium has.
    pub fn devtools(&self, command: &str, parameters: &Value) -> Result<Value, String> {
        self.post(
            "goog/cdp/execute",
            &json!({ "cmd": command, "params": parameters }),
        )
    }

    pub fn click(&self, id: &str) -> Result<(), String> {
        self.on_element(id, "click", &json!({})).map(drop)
    }

    /// Replaces the text in a field by typing.
    pub fn type_into(&self, id: &str, text: &str) -> Result<(), String> {
        self.on_element(id, "clear", &json!({}))?;
        self.on_element(id, "value", &json!({ "text": text }))
            .map(drop)
    }

    /// Presses and releases a key, for whatever has the focus.
    pub fn press(&self, key: char) -> Result<(), String> {
        self.press_all(&[], &key.to_string())
    }

    /// Types with the keyboard, while other keys are held.
    pub fn press_all(&self, held: &[char], text: &str) -> Result<(), String> {
        let event = |kind: &str, key: char| json!({ "type": kind, "value": key.to_string() });
        let mut actions: Vec<Value> = held.iter().map(|key| event("keyDown", *key)).collect();
        for key in text.chars() {
            actions.extend([event("keyDown", key), event("keyUp", key)]);
        }
        actions.extend(held.iter().map(|key| event("keyUp", *key)));
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": actions });
        self.post("actions", &json!({ "actions": [keyboard] }))
            .map(drop)
    }

    pub fn is_enabled(&self, id: &str) -> Result<bool, String> {
        let element = self.element(id)?;
        let answer = self.get(&format!("element/{element}/enabled"))?;
        answer.as_bool().ok_or_else(|| format!("enabled: {answer}"))
    }

    pub fn is_shown(&self, id: &str) -> Result<bool, String> {
        let element = self.element(id)?;
        let answer = self.get(&format!("element/{element}/displayed"))?;
        answer.as_bool().ok_or_else(|| format!("shown: {answer}"))
    }

    /// The text of an element, as the page shows it.
    pub fn text(&self, id: &str) -> Result<String, String> {
        let element = self.element(id)?;
        let answer = self.get(&format!("element/{element}/text"))?;
        Ok(answer.as_str().unwrap_or_default().to_owned())
    }

    /// Waits until the text of an element satisfies a condition.
    pub fn wait_for_text(
        &self,
        id: &str,
        what: &str,
        condition: impl Fn(&str) -> bool,
    ) -> Result<(), String> {
        let mut last = String::new();
        wait_until(what, CONDITION_LIMIT, || {
            last = self.text(id)?;
            Ok(condition(&last))
        })
        .map_err(|error| format!("{error}; #{id} says `{last}`"))
    }

    /// What the page has printed to the console since the last call. Only Chromium reports it,
    /// if its capabilities ask for it.
    pub fn console(&self) -> Result<Vec<String>, String> {
        let answer = self.post("se/log", &json!({ "type": "browser" }))?;
        let entries = answer.as_array().into_iter().flatten();
        let messages = entries.filter_map(|entry| entry["message"].as_str());
        Ok(messages.map(printed).collect())
    }

    /// What the window shows, as the bytes of a PNG file.
    pub fn screenshot(&self) -> Result<Vec<u8>, String> {
        let answer = self.get("screenshot")?;
        let text = answer.as_str().ok_or("the screenshot is not a string")?;
        base64(text).ok_or_else(|| "the screenshot is not base64".to_owned())
    }

    fn on_element(&self, id: &str, action: &str, body: &Value) -> Result<Value, String> {
        let element = self.element(id)?;
        self.post(&format!("element/{element}/{action}"), body)
            .map_err(|error| format!("#{id}, {action}: {error}"))
    }

    fn element(&self, id: &str) -> Result<String, String> {
        let selector = json!({ "using": "css selector", "value": format!("#{id}") });
        let answer = self
            .post("element", &selector)
            .map_err(|error| format!("#{id}: {error}"))?;
        let reference = answer[ELEMENT].as_str();
        reference
            .map(str::to_owned)
            .ok_or_else(|| format!("#{id}: the driver gave no reference"))
    }

    fn post(&self, command: &str, body: &Value) -> Result<Value, String> {
        let path = format!("/session/{}/{command}", self.session);
        exchange(self.driver, "POST", &path, Some(body), COMMAND_LIMIT)
    }

    fn get(&self, command: &str) -> Result<Value, String> {
        let path = format!("/session/{}/{command}", self.session);
        exchange(self.driver, "GET", &path, None, COMMAND_LIMIT)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let path = format!("/session/{}", self.session);
        // Ending the driver afterwards ends whatever did not obey.
        let _ = exchange(self.driver, "DELETE", &path, None, Duration::from_secs(10));
    }
}

/// Waits for a condition that somebody else makes true.
pub fn wait_until(
    what: &str,
    limit: Duration,
    mut condition: impl FnMut() -> Result<bool, String>,
) -> Result<(), String> {
    let start = Instant::now();
    while !condition()? {
        if start.elapsed() >= limit {
            return Err(format!("waited {} s in vain: {what}", limit.as_secs()));
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// One command and the `value` of its answer.
fn exchange(
    driver: SocketAddr,
    method: &str,
    path: &str,
    body: Option<&Value>,
    limit: Duration,
) -> Result<Value, String> {
    let body = body.map(Value::to_string).unwrap_or_default();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {driver}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let answer = send(driver, request.as_bytes(), limit)
        .map_err(|error| format!("the driver does not answer {method} {path}: {error}"))?;
    let mut answer: Value = serde_json::from_slice(&answer)
        .map_err(|error| format!("the driver's answer to {method} {path}: {error}"))?;
    let value = answer["value"].take();
    match value["error"].as_str() {
        Some(error) => {
            let message = value["message"].as_str().unwrap_or_default();
            let first = message.lines().next().unwrap_or_default();
            Err(format!("{error}: {first}"))
        }
        None => Ok(value),
    }
}

/// Sends a request and returns the body of the answer.
fn send(driver: SocketAddr, request: &[u8], limit: Duration) -> std::io::Result<Vec<u8>> {
    let mut connection = TcpStream::connect_timeout(&driver, limit)?;
    connection.set_read_timeout(Some(limit))?;
    connection.write_all(request)?;
    let mut received = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        // Not every driver closes the connection when asked to.
        if let Some(body) = complete_body(&received) {
            return Ok(body.to_vec());
        }
        match connection.read(&mut buffer)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            count => received.extend_from_slice(&buffer[..count]),
        }
    }
}

/// The body of an answer once all of it is there. All drivers send its length.
fn complete_body(received: &[u8]) -> Option<&[u8]> {
    let (head, body) = received.split_at(http::head_length(received)?);
    body.get(..http::content_length(head)?)
}

/// What was printed, of an entry of the console. Before it are the file and the line. A
/// single string is quoted.
fn printed(entry: &str) -> String {
    let quoted = entry.find('"').map(|start| &entry[start..]);
    let text = quoted.and_then(|text| serde_json::from_str(text).ok());
    text.unwrap_or_else(|| entry.to_owned())
}

/// Decodes base64 with padding.
fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::{base64, complete_body, printed};

    #[test]
    fn what_a_page_prints_is_read() {
        let entry = r#"http://127.0.0.1:1/a.js 212:16 "a \"b\"; c""#;
        assert_eq!(printed(entry), "a \"b\"; c");
        assert_eq!(printed("http://a/ 1:2 Uncaught"), "http://a/ 1:2 Uncaught");
    }

    #[test]
    fn base64_is_decoded() {
        assert_eq!(base64("").as_deref(), Some(&b""[..]));
        assert_eq!(base64("aGVsbG8=").as_deref(), Some(&b"hello"[..]));
        assert_eq!(base64("/+8A").as_deref(), Some(&[0xff, 0xef, 0][..]));
        assert_eq!(base64("a b"), None);
    }

    #[test]
    fn a_body_is_taken_when_all_of_it_is_there() {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n";
        let received = |body: &[u8]| [&head[..], body].concat();
        assert_eq!(complete_body(&received(b"{}")), None);
        assert_eq!(complete_body(&received(b"null")), Some(&b"null"[..]));
        assert_eq!(complete_body(b"HTTP/1.1 200 OK\r\n"), None);
    }
}
