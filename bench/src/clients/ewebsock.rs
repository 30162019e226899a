//! ewebsock, by its callback.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use bytes::Bytes;
use ewebsock::{Options, WsEvent, WsMessage, WsSender};

use crate::job::Outcome;
use crate::push::Handle;

/// Its sender wants to be the only one, and its handler is not given it.
#[derive(Clone)]
pub struct Client(Arc<OnceLock<Mutex<WsSender>>>);

impl Handle for Client {
    type Socket = Client;

    fn open(
        url: &str,
        on_open: impl FnMut(&Self) + Send + 'static,
        on_message: impl FnMut(&Self, usize) + Send + 'static,
    ) -> Outcome<Self> {
        let client = Client(Arc::default());
        let handlers = Mutex::new((client.clone(), on_open, on_message));
        let on_event = move |event| {
            let (client, on_open, on_message) = &mut *lock(&handlers);
            match event {
                WsEvent::Opened => on_open(client),
                WsEvent::Message(WsMessage::Binary(data)) => on_message(client, data.len()),
                other => panic!("{other:?} came"),
            }
            ControlFlow::Continue(())
        };
        let sender = ewebsock::ws_connect(url.to_owned(), Options::default(), Box::new(on_event))?;
        let _ = client.0.set(Mutex::new(sender));
        Ok(client)
    }

    fn send(socket: &Self, payload: &Bytes) {
        lock(socket.0.wait()).send(WsMessage::Binary(payload.to_vec()));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}
