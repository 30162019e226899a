//! A server for the demo: a few static files, and a tunnel to the echo server.
//!
//! Invariant: it listens on loopback only and serves nothing outside its
//! folder.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// The token in HTML files that stands for the echo server's address.
const ECHO_TOKEN: &str = "{{ECHO_URL}}";

/// A request's head may be this long, in bytes, and take this long to arrive.
const HEAD_LIMIT: usize = 16 * 1024;
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// What to serve.
pub struct Site {
    pub folder: PathBuf,
    /// The WebSocket server that requests for `/echo` are handed to.
    pub echo: SocketAddr,
}

/// Starts serving on a port of loopback (0 chooses one) in the background.
///
/// # Errors
/// If the port is taken.
pub fn serve(site: Site, port: u16) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    let address = listener.local_addr()?;
    let site = Arc::new(site);
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let site = Arc::clone(&site);
            // A browser that goes away in the middle is no news.
            thread::spawn(move || answer(connection, &site, address));
        }
    });
    Ok(address)
}

/// The same by TLS, which `accept` begins, and without a tunnel.
///
/// # Errors
/// If there is no free port.
pub fn serve_secure<S: Read + Write>(
    site: Site,
    accept: impl Fn(TcpStream) -> io::Result<S> + Send + Sync + 'static,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let all = Arc::new((site, accept));
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let all = Arc::clone(&all);
            thread::spawn(move || {
                let (site, accept) = &*all;
                connection.set_read_timeout(Some(HEAD_TIMEOUT))?;
                let mut stream = accept(connection)?;
                match read_head(&mut stream)? {
                    Some(head) => reply(&mut stream, &Asked::read(&head), site, address),
                    None => Ok(()),
                }
            });
        }
    });
    Ok(address)
}

/// The first line of a request.
struct Asked {
    method: String,
    path: String,
}

impl Asked {
    fn read(head: &[u8]) -> Self {
        let text = String::from_utf8_lossy(head);
        let mut words = text.lines().next().unwrap_or_default().split(' ');
        let method = words.next().unwrap_or_default().to_owned();
        let target = words.next().unwrap_or_default();
        let path = target.split(['?', '#']).next().unwrap_or_default();
        let path = path.to_owned();
        Asked { method, path }
    }
}

fn answer(mut connection: TcpStream, site: &Site, address: SocketAddr) -> io::Result<()> {
    connection.set_read_timeout(Some(HEAD_TIMEOUT))?;
    let Some(received) = read_head(&mut connection)? else {
        return Ok(());
    };
    let asked = Asked::read(&received);
    if asked.path == "/echo" {
        return tunnel(connection, &received, site.echo);
    }
    reply(&mut connection, &asked, site, address)
}

/// Answers with a file.
fn reply(
    connection: &mut impl Write,
    asked: &Asked,
    site: &Site,
    address: SocketAddr,
) -> io::Result<()> {
    let (method, path) = (&*asked.method, &*asked.path);
    if method != "GET" {
        return respond(connection, "405 Method Not Allowed", "text/plain", b"");
    }
    let file = safe_path(path).map(|relative| site.folder.join(relative));
    match file.and_then(|file| Some((fs::read(&file).ok()?, file))) {
        Some((mut body, file)) => {
            if file
                .extension()
                .is_some_and(|extension| extension == "html")
            {
                let url = format!("ws://{address}/echo");
                body = String::from_utf8_lossy(&body)
                    .replace(ECHO_TOKEN, &url)
                    .into_bytes();
            }
            let kind = content_type(&file);
            respond(connection, "200 OK", kind, &body)
        }
        None => respond(
            connection,
            "404 Not Found",
            "text/plain",
            b"There is no such file.\n",
        ),
    }
}

/// Everything up to and with the empty line; `None` if there is no such line.
fn read_head(connection: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut received = Vec::new();
    let mut buffer = [0; 2048];
    while head_length(&received).is_none() {
        let count = connection.read(&mut buffer)?;
        if count == 0 || received.len() + count > HEAD_LIMIT {
            return Ok(None);
        }
        received.extend_from_slice(&buffer[..count]);
    }
    Ok(Some(received))
}

/// The length of a head that is all there, with the empty line.
pub fn head_length(received: &[u8]) -> Option<usize> {
    let end = received.windows(4).position(|end| end == b"\r\n\r\n")?;
    Some(end + 4)
}

/// The length of the body, as a head says.
pub fn content_length(head: &[u8]) -> Option<usize> {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let mut lines = head.lines();
    let length = lines.find_map(|line| line.strip_prefix("content-length:"))?;
    length.trim().parse().ok()
}

/// A request with its body.
pub struct Request {
    pub method: String,
    pub target: String,
    pub body: Vec<u8>,
}

/// Reads a request; `None` if its head does not come or is too long.
pub fn read_request(connection: &mut TcpStream) -> io::Result<Option<Request>> {
    connection.set_read_timeout(Some(HEAD_TIMEOUT))?;
    let Some(received) = read_head(connection)? else {
        return Ok(None);
    };
    let (head, begun) = received.split_at(head_length(&received).unwrap_or_default());
    let text = String::from_utf8_lossy(head);
    let mut words = text.lines().next().unwrap_or_default().split(' ');
    let mut word = || words.next().unwrap_or_default().to_owned();
    let (method, target) = (word(), word());
    let mut body = begun.to_vec();
    let length = content_length(head).unwrap_or_default();
    let rest = length.saturating_sub(body.len()) as u64;
    connection.take(rest).read_to_end(&mut body)?;
    Ok(Some(Request {
        method,
        target,
        body,
    }))
}

/// Isolated from other origins, so that a page may share memory with workers. Nothing is
/// used without asking again. A page that must not be stored at all would never be kept
/// for the way back.
pub fn respond(
    connection: &mut impl Write,
    status: &str,
    kind: &str,
    body: &[u8],
) -> io::Result<()> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
         Cache-Control: no-cache\r\nConnection: close\r\n\
         Cross-Origin-Opener-Policy: same-origin\r\n\
         Cross-Origin-Embedder-Policy: require-corp\r\n\r\n"
    );
    connection.write_all(head.as_bytes())?;
    connection.write_all(body)
}

/// Passes bytes both ways between a browser and the echo server, so that page
/// and echo share one port.
fn tunnel(browser: TcpStream, received: &[u8], echo: SocketAddr) -> io::Result<()> {
    browser.set_read_timeout(None)?;
    let mut server = TcpStream::connect(echo)?;
    // Each side hands small messages on at once, as both ends would.
    browser.set_nodelay(true)?;
    server.set_nodelay(true)?;
    server.write_all(received)?;
    let (from, to) = (browser.try_clone()?, server.try_clone()?);
    thread::spawn(move || copy(from, to));
    copy(server, browser);
    Ok(())
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    // A connection that breaks ends the copy as one that ends does.
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(std::net::Shutdown::Write);
}

/// The file below the folder that a path of a URL means, if it may be served.
fn safe_path(path: &str) -> Option<&Path> {
    let relative = path.strip_prefix('/')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let fine = |part: &str| !part.is_empty() && !part.starts_with('.') && part.chars().all(plain);
    if relative.is_empty() {
        Some(Path::new("index.html"))
    } else if relative.split('/').all(fine) {
        Some(Path::new(relative))
    } else {
        None
    }
}

fn content_type(file: &Path) -> &'static str {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        // Without exactly this type a browser compiles only once all is here.
        Some("wasm") => "application/wasm",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::{Site, content_type, safe_path, serve};
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
    use std::path::Path;

    #[test]
    fn nothing_outside_the_folder_is_served() {
        for path in [
            "/../Cargo.toml",
            "/a/../../b",
            "/./a",
            "//etc/passwd",
            "/a//b",
            "/.git/config",
            "/%2e%2e/a",
            "/a\\..\\b",
            "/c:/a",
            "a",
            "",
            "/a/",
        ] {
            assert_eq!(safe_path(path), None, "{path}");
        }
        assert_eq!(safe_path("/"), Some(Path::new("index.html")));
        assert_eq!(
            safe_path("/a/b-1_bg.wasm"),
            Some(Path::new("a/b-1_bg.wasm"))
        );
    }

    #[test]
    fn scripts_and_wasm_have_the_types_that_browsers_insist_on() {
        for name in ["echo.js", "page.mjs"] {
            assert!(content_type(Path::new(name)).starts_with("text/javascript"));
        }
        assert_eq!(content_type(Path::new("echo_bg.wasm")), "application/wasm");
        assert_eq!(
            content_type(Path::new("LICENSE")),
            "application/octet-stream"
        );
    }

    fn ask(address: SocketAddr, request: &str) -> String {
        let mut connection = TcpStream::connect(address).expect("it listens");
        connection.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("it answers");
        answer
    }

    #[test]
    fn files_are_served_and_echo_is_handed_on() {
        let folder = std::env::temp_dir().join(format!("xtask-http-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder can be made");
        std::fs::write(folder.join("index.html"), "<{{ECHO_URL}}>").expect("a file can be");
        let echo = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let site = Site {
            folder: folder.clone(),
            echo: echo.local_addr().expect("it is bound"),
        };
        let address = serve(site, 0).expect("a port is free");

        let page = ask(address, "GET /?a=b HTTP/1.1\r\n\r\n");
        assert!(
            page.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/html"),
            "{page}"
        );
        assert!(page.contains("\r\nCache-Control: no-cache\r\n"), "{page}");
        assert!(page.ends_with(&format!("<ws://{address}/echo>")), "{page}");
        assert!(ask(address, "GET /none HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
        assert!(ask(address, "POST / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405 "));

        let server = std::thread::spawn(move || {
            let (mut connection, _) = echo.accept().expect("the tunnel connects");
            let mut head = [0; 22];
            connection
                .read_exact(&mut head)
                .expect("the head comes through");
            connection.write_all(&head).expect("the answer goes back");
        });
        let request = "GET /echo HTTP/1.1\r\n\r\n";
        assert_eq!(ask(address, request), request);
        server.join().expect("the server is content");
        let _ = std::fs::remove_dir_all(&folder);
    }
}
