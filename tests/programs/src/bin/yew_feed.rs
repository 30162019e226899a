//! A feed in Yew: each event is a message to the component.

use futures::StreamExt;
use isosocket::{Event, Reconnecting};
use isosocket_programs::yew::{Component, Context, Html, Renderer};

struct Feed {
    /// While it exists, the socket is open.
    _socket: Option<Reconnecting>,
    trades: Vec<String>,
}

enum Message {
    Socket(Event),
}

impl Component for Feed {
    type Message = Message;
    type Properties = ();

    fn create(ctx: &Context<Self>) -> Self {
        let socket = Reconnecting::new("wss://example.org/trades").ok();
        if let Some(socket) = &socket {
            ctx.link().send_stream(socket.events().map(Message::Socket));
        }
        Feed {
            _socket: socket,
            trades: Vec::new(),
        }
    }

    fn update(&mut self, _ctx: &Context<Self>, message: Message) -> bool {
        match message {
            Message::Socket(Event::Message(trade)) => self.trades.push(trade.to_string()),
            Message::Socket(Event::Close(close)) => self.trades.push(close.to_string()),
            Message::Socket(_) => return false,
        }
        true
    }

    fn view(&self, _ctx: &Context<Self>) -> Html {
        Html(format!("<p>{}</p>", self.trades.join("</p><p>")))
    }
}

fn main() {
    Renderer::<Feed>::default().render();
}
