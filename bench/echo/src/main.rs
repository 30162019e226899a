//! The least program with one client: it opens the socket that its argument
//! names, sends `hello`, prints the answer, and ends.
//!
//! Invariant: no client does more than another; which one, a feature says.

#![allow(
    clippy::unwrap_used,
    reason = "all programs end alike when something fails"
)]

fn main() {
    let url = std::env::args().nth(1).unwrap();
    println!("{}", echo(&url));
}

#[cfg(not(any(
    feature = "isosocket",
    feature = "ewebsock",
    feature = "fastwebsockets",
    feature = "reqwest-websocket",
    feature = "tokio-tungstenite",
    feature = "tokio-tungstenite-wasm",
    feature = "tokio-websockets",
    feature = "tungstenite",
    feature = "yawc"
)))]
fn echo(url: &str) -> String {
    // What a program without any client is as large as.
    url.to_owned()
}

#[cfg(feature = "isosocket")]
fn echo(url: &str) -> String {
    use isosocket::WebSocket;

    let (sender, receiver) = std::sync::mpsc::channel();
    let socket = WebSocket::new(url).unwrap();
    socket.on_open(|socket| socket.send("hello").unwrap());
    socket.on_message(move |_, message| {
        sender.send(message.as_text().unwrap().to_owned()).unwrap();
    });
    receiver.recv().unwrap()
}

#[cfg(feature = "ewebsock")]
fn echo(url: &str) -> String {
    use ewebsock::{Options, WsEvent, WsMessage};

    let (mut sender, receiver) = ewebsock::connect(url, Options::default()).unwrap();
    loop {
        match receiver.try_recv() {
            Some(WsEvent::Opened) => sender.send(WsMessage::Text("hello".into())),
            Some(WsEvent::Message(WsMessage::Text(text))) => return text,
            Some(other) => panic!("{other:?}"),
            None => std::thread::yield_now(),
        }
    }
}

#[cfg(feature = "tungstenite")]
fn echo(url: &str) -> String {
    let (mut socket, _) = tungstenite::connect(url).unwrap();
    socket.send("hello".into()).unwrap();
    socket.read().unwrap().into_text().unwrap().to_string()
}

#[cfg(any(
    feature = "fastwebsockets",
    feature = "reqwest-websocket",
    feature = "tokio-tungstenite",
    feature = "tokio-tungstenite-wasm",
    feature = "tokio-websockets",
    feature = "yawc"
))]
fn echo(url: &str) -> String {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(echo_async(url))
}

#[cfg(feature = "fastwebsockets")]
async fn echo_async(url: &str) -> String {
    use fastwebsockets::{FragmentCollector, Frame, Payload, handshake};

    struct SpawnExecutor;

    impl<F> hyper::rt::Executor<F> for SpawnExecutor
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        fn execute(&self, future: F) {
            tokio::task::spawn(future);
        }
    }

    let uri: hyper::Uri = url.parse().unwrap();
    let host = uri.authority().unwrap().as_str();
    let stream = tokio::net::TcpStream::connect(host).await.unwrap();
    let request = hyper::Request::builder()
        .uri(uri.path())
        .header("Host", host)
        .header("Upgrade", "websocket")
        .header("Connection", "upgrade")
        .header("Sec-WebSocket-Key", handshake::generate_key())
        .header("Sec-WebSocket-Version", "13")
        .body(http_body_util::Empty::<hyper::body::Bytes>::new())
        .unwrap();
    let (socket, _) = handshake::client(&SpawnExecutor, request, stream)
        .await
        .unwrap();
    let mut socket = FragmentCollector::new(socket);
    let hello = Frame::text(Payload::Borrowed(b"hello"));
    socket.write_frame(hello).await.unwrap();
    let answer = socket.read_frame().await.unwrap();
    String::from_utf8(answer.payload.to_vec()).unwrap()
}

#[cfg(feature = "reqwest-websocket")]
async fn echo_async(url: &str) -> String {
    use futures_util::{SinkExt, StreamExt};
    use reqwest_websocket::Message;

    let mut socket = reqwest_websocket::websocket(url).await.unwrap();
    socket.send(Message::Text("hello".into())).await.unwrap();
    match socket.next().await.unwrap().unwrap() {
        Message::Text(text) => text,
        other => panic!("{other:?}"),
    }
}

#[cfg(feature = "tokio-tungstenite")]
async fn echo_async(url: &str) -> String {
    use futures_util::{SinkExt, StreamExt};

    let (mut socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
    socket.send("hello".into()).await.unwrap();
    let answer = socket.next().await.unwrap().unwrap();
    answer.into_text().unwrap().to_string()
}

#[cfg(feature = "tokio-tungstenite-wasm")]
async fn echo_async(url: &str) -> String {
    use futures_util::{SinkExt, StreamExt};

    let mut socket = tokio_tungstenite_wasm::connect(url).await.unwrap();
    socket.send("hello".into()).await.unwrap();
    let answer = socket.next().await.unwrap().unwrap();
    answer.into_text().unwrap().to_string()
}

#[cfg(feature = "tokio-websockets")]
async fn echo_async(url: &str) -> String {
    use futures_util::{SinkExt, StreamExt};
    use tokio_websockets::{ClientBuilder, Message};

    let builder = ClientBuilder::new().uri(url).unwrap();
    let (mut socket, _) = builder.connect().await.unwrap();
    socket.send(Message::text("hello")).await.unwrap();
    let answer = socket.next().await.unwrap().unwrap();
    answer.as_text().unwrap().to_owned()
}

#[cfg(feature = "yawc")]
async fn echo_async(url: &str) -> String {
    use futures_util::SinkExt;
    use yawc::{Frame, WebSocket};

    let mut socket = WebSocket::connect(url.parse().unwrap()).await.unwrap();
    socket.send(Frame::text("hello")).await.unwrap();
    socket.next_frame().await.unwrap().as_str().to_owned()
}
