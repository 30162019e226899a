//! ewebsock, by its callback.

use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use ewebsock::{Options, WsEvent, WsMessage, WsSender};
use send_wrapper::SendWrapper;

use crate::Outcome;
use crate::payload::Payload;
use crate::push::Push;

/// Its sender wants to be the only one.
pub struct Client(Mutex<WsSender>);

impl Push for Client {
    fn open(
        url: &str,
        on_open: impl Fn() + 'static,
        on_message: impl Fn(usize) + 'static,
    ) -> Outcome<Self> {
        let handlers = SendWrapper::new((on_open, on_message));
        let on_event = move |event| {
            let (on_open, on_message) = &*handlers;
            match event {
                WsEvent::Opened => on_open(),
                WsEvent::Message(WsMessage::Binary(data)) => on_message(data.len()),
                WsEvent::Message(WsMessage::Text(text)) => on_message(text.len()),
                _ => {}
            }
            ControlFlow::Continue(())
        };
        let sender = ewebsock::ws_connect(url.to_owned(), Options::default(), Box::new(on_event))?;
        Ok(Client(Mutex::new(sender)))
    }

    fn send(&self, payload: &Payload) {
        let message = match payload {
            Payload::Text(text) => WsMessage::Text(text.clone()),
            Payload::Binary(data) => WsMessage::Binary(data.to_vec()),
        };
        let mut sender = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sender.send(message);
    }
}
