//! The least page with one client: it opens a socket, sends `hello`, and logs
//! the answer. Which client, a feature says; without one it does nothing, which
//! is what any program of wasm-bindgen is as large as.
//!
//! Invariant: no client does more than another, but for the one that says so.

use wasm_bindgen::prelude::*;

#[cfg(any(
    feature = "isosocket",
    feature = "isosocket-close",
    feature = "isosocket-stream",
    feature = "isosocket-reconnecting",
    feature = "web-sys",
    feature = "ewebsock",
    feature = "gloo-net",
    feature = "tokio-tungstenite-wasm",
    feature = "ws_stream_wasm",
    feature = "yawc"
))]
const URL: &str = "ws://127.0.0.1:9001/echo";

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = console)]
    fn log(text: &str);
}

#[wasm_bindgen(start)]
fn main() {
    #[cfg(feature = "isosocket")]
    {
        use isosocket::WebSocket;

        let Ok(socket) = WebSocket::new(URL) else {
            return;
        };
        socket.on_open(|socket| drop(socket.send("hello")));
        socket.on_message(|_, message| log(message.as_text().unwrap_or_default()));
        keep(socket);
    }

    // The same, and all that can go wrong.
    #[cfg(feature = "isosocket-close")]
    {
        use isosocket::WebSocket;

        match WebSocket::new(URL) {
            Ok(socket) => {
                socket.on_open(|socket| {
                    if let Err(error) = socket.send("hello") {
                        log(&error.to_string());
                    }
                });
                socket.on_message(|socket, message| {
                    log(message.as_text().unwrap_or_default());
                    if let Err(error) = socket.close_with(1000, "done") {
                        log(&error.to_string());
                    }
                });
                socket.on_error(|_, error| log(&error.to_string()));
                socket.on_close(|_, close| log(&close.to_string()));
                keep(socket);
            }
            Err(error) => log(&error.to_string()),
        }
    }

    // The same by a socket that connects again, also when its peer is silent.
    #[cfg(feature = "isosocket-reconnecting")]
    {
        use std::time::Duration;

        use isosocket::{Heartbeat, Reconnecting};

        let heartbeat = Heartbeat::new(Duration::from_secs(20), Duration::from_secs(10));
        let socket = Reconnecting::builder(URL)
            .heartbeat(heartbeat.message("ping").answer("pong"))
            .on_open(|socket| drop(socket.send("hello")))
            .on_message(|_, message| log(message.as_text().unwrap_or_default()))
            .connect();
        let Ok(socket) = socket else { return };
        keep(socket);
    }

    #[cfg(feature = "isosocket-stream")]
    isosocket::run(async {
        use isosocket::{Event, WebSocket};

        let Ok(socket) = WebSocket::open(URL).await else {
            return;
        };
        let mut events = socket.events();
        let _ = socket.send("hello");
        while let Some(event) = events.next().await {
            if let Event::Message(message) = event {
                log(message.as_text().unwrap_or_default());
            }
        }
    });

    #[cfg(feature = "web-sys")]
    {
        use web_sys::{MessageEvent, WebSocket};

        let Ok(socket) = WebSocket::new(URL) else {
            return;
        };
        let sender = socket.clone();
        let on_open = Closure::<dyn FnMut()>::new(move || drop(sender.send_with_str("hello")));
        socket.set_onopen(Some(on_open.as_ref().unchecked_ref()));
        let on_message = Closure::<dyn FnMut(_)>::new(|event: MessageEvent| {
            log(&event.data().as_string().unwrap_or_default());
        });
        socket.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        keep((socket, on_open, on_message));
    }

    #[cfg(feature = "ewebsock")]
    {
        use std::ops::ControlFlow;
        use std::sync::Mutex;

        use ewebsock::{Options, WsEvent, WsMessage, WsSender};

        // The handler is not given the sender.
        thread_local! {
            static SENDER: Mutex<Option<WsSender>> = const { Mutex::new(None) };
        }
        let on_event = |event| {
            match event {
                WsEvent::Opened => SENDER.with(|sender| {
                    if let Ok(Some(sender)) = sender.lock().as_deref_mut() {
                        sender.send(WsMessage::Text("hello".to_owned()));
                    }
                }),
                WsEvent::Message(WsMessage::Text(text)) => log(&text),
                _ => {}
            }
            ControlFlow::Continue(())
        };
        let sender = ewebsock::ws_connect(URL.to_owned(), Options::default(), Box::new(on_event));
        SENDER.with(|place| *place.lock().unwrap() = sender.ok());
    }

    #[cfg(any(
        feature = "gloo-net",
        feature = "tokio-tungstenite-wasm",
        feature = "ws_stream_wasm",
        feature = "yawc"
    ))]
    wasm_bindgen_futures::spawn_local(async {
        let _ = echo().await;
    });
}

/// What is to live as long as the page.
#[cfg(any(
    feature = "isosocket",
    feature = "isosocket-close",
    feature = "isosocket-reconnecting",
    feature = "web-sys"
))]
fn keep<T>(value: T) {
    std::mem::forget(value);
}

#[cfg(feature = "gloo-net")]
async fn echo() -> Option<()> {
    use futures_util::{SinkExt, StreamExt};
    use gloo_net::websocket::{Message, futures::WebSocket};

    let mut socket = WebSocket::open(URL).ok()?;
    socket.send(Message::Text("hello".to_owned())).await.ok()?;
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Text(text) = message {
            log(&text);
        }
    }
    Some(())
}

#[cfg(feature = "tokio-tungstenite-wasm")]
async fn echo() -> Option<()> {
    use futures_util::{SinkExt, StreamExt};

    let mut socket = tokio_tungstenite_wasm::connect(URL).await.ok()?;
    socket.send("hello".into()).await.ok()?;
    while let Some(Ok(message)) = socket.next().await {
        if let Ok(text) = message.into_text() {
            log(&text);
        }
    }
    Some(())
}

#[cfg(feature = "ws_stream_wasm")]
async fn echo() -> Option<()> {
    use futures_util::{SinkExt, StreamExt};
    use ws_stream_wasm::{WsMessage, WsMeta};

    let (_meta, mut socket) = WsMeta::connect(URL, None).await.ok()?;
    socket
        .send(WsMessage::Text("hello".to_owned()))
        .await
        .ok()?;
    while let Some(message) = socket.next().await {
        if let WsMessage::Text(text) = message {
            log(&text);
        }
    }
    Some(())
}

#[cfg(feature = "yawc")]
async fn echo() -> Option<()> {
    use futures_util::SinkExt;
    use yawc::WebSocket;
    use yawc::frame::Frame;

    let mut socket = WebSocket::connect(URL.parse().ok()?).await.ok()?;
    socket.send(Frame::text("hello")).await.ok()?;
    while let Ok(frame) = socket.next_frame().await {
        log(frame.as_str());
    }
    Some(())
}
