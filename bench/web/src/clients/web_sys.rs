//! web-sys as the guide of wasm-bindgen shows it, without any crate.

use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;
use web_sys::{BinaryType, MessageEvent, WebSocket};

use crate::payload::Payload;
use crate::push::Push;
use crate::{Error, Outcome};

pub struct Client {
    socket: WebSocket,
    _on_open: Closure<dyn FnMut()>,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
}

impl Push for Client {
    fn open(
        url: &str,
        on_open: impl Fn() + 'static,
        on_message: impl Fn(usize) + 'static,
    ) -> Outcome<Self> {
        let socket = WebSocket::new(url).map_err(|_| Error::from("a bad URL"))?;
        socket.set_binary_type(BinaryType::Arraybuffer);
        let on_open = Closure::<dyn FnMut()>::new(on_open);
        socket.set_onopen(Some(on_open.as_ref().unchecked_ref()));
        let on_message = Closure::<dyn FnMut(_)>::new(move |event: MessageEvent| {
            let data = event.data();
            if let Some(buffer) = data.dyn_ref::<ArrayBuffer>() {
                let data: Vec<u8> = Uint8Array::new(buffer).to_vec();
                on_message(data.len());
            } else if let Some(text) = data.as_string() {
                on_message(text.len());
            }
        });
        socket.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        Ok(Client {
            socket,
            _on_open: on_open,
            _on_message: on_message,
        })
    }

    fn send(&self, payload: &Payload) {
        let sent = match payload {
            Payload::Text(text) => self.socket.send_with_str(text),
            Payload::Binary(data) => self.socket.send_with_u8_array(data),
        };
        sent.expect("the socket is open");
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.socket.set_onopen(None);
        self.socket.set_onmessage(None);
        // It may have closed already.
        let _ = self.socket.close();
    }
}
