//! A WebDriver server for Firefox, in this process. It starts Firefox and passes each
//! command on by Marionette, Firefox's own protocol. geckodriver does the same, but takes
//! minutes to build.
//!
//! Invariant: it listens on loopback only, has at most one Firefox at a time, and ends it
//! at the latest with itself.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::http::{self, Request};
use super::webdriver::wait_until;
use crate::run::process::{Invocation, Job};
use crate::run::workspace;

/// Firefox listens within this time, also on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(120);

/// A command takes no longer than this. Loading a page may take long.
const COMMAND_LIMIT: Duration = Duration::from_secs(300);

/// Besides what Firefox itself sets when it is driven: no page of its own, no question.
const PREFERENCES: &[(&str, &str)] = &[
    ("marionette.port", "0"),
    ("app.update.disabledForTesting", "true"),
    ("browser.aboutwelcome.enabled", "false"),
    ("browser.shell.checkDefaultBrowser", "false"),
    ("browser.startup.page", "0"),
    ("datareporting.policy.dataSubmissionEnabled", "false"),
    ("toolkit.telemetry.reportingpolicy.firstRun", "false"),
];

/// The server; dropping it ends it and its Firefox.
pub struct FirefoxDriver {
    pub address: SocketAddr,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl FirefoxDriver {
    /// # Errors
    /// If there is no port. Firefox starts with the first session.
    pub fn start(firefox: &Path, log: &Path) -> Result<Self, String> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(text)?;
        let address = listener.local_addr().map_err(text)?;
        let ended = Arc::new(AtomicBool::new(false));
        let mut server = Server {
            firefox: firefox.to_owned(),
            log: log.to_owned(),
            profile: workspace::folder(&format!("target/xtask/firefox-{}", address.port()))?,
            session: None,
        };
        let is_over = Arc::clone(&ended);
        let thread = thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                // A client that goes away in the middle is no news.
                let _ = server.answer(connection);
            }
            drop(server.session.take());
            let _ = fs::remove_dir_all(&server.profile);
        });
        Ok(Self {
            address,
            ended,
            thread: Some(thread),
        })
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

impl Drop for FirefoxDriver {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // It waits for a connection.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Server {
    firefox: PathBuf,
    log: PathBuf,
    profile: PathBuf,
    session: Option<Session>,
}

impl Server {
    fn answer(&mut self, mut connection: TcpStream) -> io::Result<()> {
        let Some(request) = http::read_request(&mut connection)? else {
            return Ok(());
        };
        let (status, value) = match self.perform(&request) {
            Ok(value) => ("200 OK", value),
            Err(error) => ("500 Internal Server Error", error),
        };
        let body = json!({ "value": value }).to_string();
        http::respond(&mut connection, status, "application/json", body.as_bytes())
    }

    /// Does what a request asks for.
    ///
    /// # Errors
    /// An error as the protocol has it.
    fn perform(&mut self, request: &Request) -> Result<Value, Value> {
        let path: Vec<&str> = request.target.trim_matches('/').split('/').collect();
        let body: Value = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
        match (request.method.as_str(), &path[..]) {
            ("POST", ["session"]) => {
                // The profile is in use until the one before has ended.
                drop(self.session.take());
                let mut capabilities = body["capabilities"]["alwaysMatch"].clone();
                let options = capabilities["moz:firefoxOptions"].take();
                let mut session = self.start(&options).map_err(failed)?;
                if let Some(capabilities) = capabilities.as_object_mut() {
                    capabilities
                        .retain(|name, _| ["timeouts", "acceptInsecureCerts"].contains(&&**name));
                }
                let begun = session.command("WebDriver:NewSession", &capabilities)?;
                self.session = Some(session);
                Ok(begun)
            }
            ("DELETE", ["session", _] | ["session", _, "window"]) => {
                drop(self.session.take());
                Ok(Value::Null)
            }
            (method, ["session", _, rest @ ..]) => {
                let (command, parameters) = translated(method, rest, body).ok_or_else(
                    || json!({ "error": "unknown command", "message": request.target }),
                )?;
                let none = || json!({ "error": "invalid session id", "message": "it ended" });
                let session = self.session.as_mut().ok_or_else(none)?;
                let mut answer = session.command(command, &parameters)?;
                // Some answers have no name.
                Ok(match answer.get_mut("value") {
                    Some(value) => value.take(),
                    None => answer,
                })
            }
            _ => Err(json!({ "error": "unknown command", "message": request.target })),
        }
    }

    /// Starts Firefox with the preferences and arguments of a session.
    fn start(&self, options: &Value) -> Result<Session, String> {
        // There may be one of a session before.
        let _ = fs::remove_dir_all(&self.profile);
        fs::create_dir_all(&self.profile).map_err(text)?;
        let fixed = PREFERENCES
            .iter()
            .map(|(name, value)| format!("{name:?}, {value}"));
        let asked = options["prefs"].as_object().into_iter().flatten();
        let asked = asked.map(|(name, value)| format!("{name:?}, {value}"));
        let lines = fixed
            .chain(asked)
            .map(|line| format!("user_pref({line});\n"));
        fs::write(self.profile.join("user.js"), lines.collect::<String>()).map_err(text)?;
        let arguments = options["args"].as_array().into_iter().flatten();
        let mut job = Invocation::new(&self.firefox)
            .args(["--marionette", "--no-remote", "--profile"])
            .arg(&self.profile)
            .args(arguments.filter_map(Value::as_str))
            .env("MOZ_CRASHREPORTER_DISABLE", "1")
            .spawn(&self.log)?;
        let file = self.profile.join("MarionetteActivePort");
        let mut stream = None;
        wait_until("Firefox listens", START_LIMIT, || {
            if !job.is_running() {
                return Err("Firefox ended at once".to_owned());
            }
            let port = fs::read_to_string(&file).unwrap_or_default();
            if let Ok(port) = port.trim().parse::<u16>() {
                stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok();
            }
            Ok(stream.is_some())
        })?;
        let stream = stream.ok_or("Firefox does not listen")?;
        stream.set_read_timeout(Some(COMMAND_LIMIT)).map_err(text)?;
        stream.set_nodelay(true).map_err(text)?;
        let mut session = Session {
            stream,
            last: 0,
            _job: job,
        };
        // It greets first.
        session.receive().map_err(text)?;
        Ok(session)
    }
}

/// A running Firefox.
struct Session {
    stream: TcpStream,
    /// The number of the last command.
    last: u64,
    _job: Job,
}

impl Session {
    /// # Errors
    /// Firefox's own error, or one that says that the connection broke.
    fn command(&mut self, name: &str, parameters: &Value) -> Result<Value, Value> {
        self.last += 1;
        let packet = json!([0, self.last, name, parameters]).to_string();
        let answer = (&self.stream)
            .write_all(format!("{}:{packet}", packet.len()).as_bytes())
            .and_then(|()| self.receive());
        let mut answer = answer.map_err(|error| failed(format!("{name}: {error}")))?;
        match answer[2].take() {
            Value::Null => Ok(answer[3].take()),
            error => Err(error),
        }
    }

    /// The next packet: its length, a colon, and JSON.
    fn receive(&mut self) -> io::Result<Value> {
        let mut length = 0;
        loop {
            let mut byte = [0];
            self.stream.read_exact(&mut byte)?;
            match byte[0] {
                b':' => break,
                digit @ b'0'..=b'9' => length = length * 10 + usize::from(digit - b'0'),
                _ => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
        let mut packet = vec![0; length];
        self.stream.read_exact(&mut packet)?;
        serde_json::from_slice(&packet).map_err(io::Error::other)
    }
}

/// Marionette's name of a WebDriver command, and its parameters.
fn translated(method: &str, path: &[&str], body: Value) -> Option<(&'static str, Value)> {
    let with = |name: &str, value: Value| {
        let mut parameters = body.as_object().cloned().unwrap_or_else(Map::new);
        parameters.insert(name.to_owned(), value);
        Value::Object(parameters)
    };
    Some(match (method, path) {
        ("POST", ["url"]) => ("WebDriver:Navigate", body),
        ("POST", ["back"]) => ("WebDriver:Back", body),
        ("POST", ["moz", "context"]) => (
            "Marionette:SetContext",
            with("value", body["context"].clone()),
        ),
        ("GET", ["window"]) => ("WebDriver:GetWindowHandle", json!({})),
        ("POST", ["window"]) => ("WebDriver:SwitchToWindow", body),
        ("POST", ["window", "new"]) => ("WebDriver:NewWindow", body),
        ("POST", ["execute", "sync"]) => {
            ("WebDriver:ExecuteScript", with("newSandbox", json!(false)))
        }
        ("POST", ["actions"]) => ("WebDriver:PerformActions", body),
        ("GET", ["screenshot"]) => ("WebDriver:TakeScreenshot", json!({ "full": false })),
        ("POST", ["element"]) => ("WebDriver:FindElement", body),
        (_, ["element", id, action]) => {
            let name = match *action {
                "click" => "WebDriver:ElementClick",
                "clear" => "WebDriver:ElementClear",
                "value" => "WebDriver:ElementSendKeys",
                "text" => "WebDriver:GetElementText",
                "enabled" => "WebDriver:IsElementEnabled",
                "displayed" => "WebDriver:IsElementDisplayed",
                _ => return None,
            };
            (name, with("id", json!(id)))
        }
        _ => return None,
    })
}

fn failed(message: String) -> Value {
    json!({ "error": "unknown error", "message": message })
}

fn text(error: io::Error) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::translated;
    use serde_json::json;

    #[test]
    fn commands_are_translated() {
        let click = translated("POST", &["element", "e1", "click"], json!({}));
        assert_eq!(
            click,
            Some(("WebDriver:ElementClick", json!({ "id": "e1" })))
        );
        let typed = translated("POST", &["element", "e1", "value"], json!({ "text": "a" }));
        let expected = json!({ "id": "e1", "text": "a" });
        assert_eq!(typed, Some(("WebDriver:ElementSendKeys", expected)));
        assert_eq!(translated("GET", &["cookie"], json!(null)), None);
    }
}
