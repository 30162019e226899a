//! What messages say, and whether the server agrees to compress them.
//!
//! Invariant: the same size makes the same messages, in client and server.

use bytes::Bytes;

/// The kinds of messages.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Content {
    /// One letter, again and again; nothing is agreed on.
    Plain,
    /// The same where compression is agreed on, if the client offers it.
    Small,
    /// A feed of trades, in JSON; compression is agreed on.
    Feed,
    /// Noise; compression is agreed on.
    Noise,
}

/// How many bytes of different messages there are before the first comes again:
/// far more than a compressor looks back.
const VARIETY: usize = 3 << 20;

impl Content {
    const ALL: [(Content, &'static str); 3] = [
        (Content::Small, "small-"),
        (Content::Feed, "feed-"),
        (Content::Noise, "noise-"),
    ];

    /// Divides `feed-send` into the content and the workload proper.
    pub fn split(name: &str) -> (Self, &str) {
        let of = |(content, prefix)| Some((content, name.strip_prefix(prefix)?));
        let found = Self::ALL.into_iter().find_map(of);
        found.unwrap_or((Content::Plain, name))
    }

    /// What a path or a workload begins with.
    pub fn prefix(self) -> &'static str {
        let found = Self::ALL.iter().find(|(content, _)| *content == self);
        found.map_or("", |(_, prefix)| prefix)
    }

    /// The messages, in the order in which they come.
    pub fn messages(self, size: usize) -> Vec<Bytes> {
        self.some(size, VARIETY.div_ceil(size.max(1)))
    }

    /// The first of them, without the memory that all would take.
    pub fn first(self, size: usize) -> Bytes {
        self.some(size, 1).remove(0)
    }

    fn some(self, size: usize, count: usize) -> Vec<Bytes> {
        let mut random = Random(1);
        match self {
            Content::Plain | Content::Small => vec![vec![b'x'; size].into()],
            Content::Feed => {
                let mut feed = Feed::new();
                (0..count).map(|_| feed.take(size).into()).collect()
            }
            Content::Noise => {
                let mut noise = || -> Bytes { (0..size).map(|_| random.next() as u8).collect() };
                (0..count).map(|_| noise()).collect()
            }
        }
    }
}

/// Messages, one after the other, for ever.
#[derive(Clone, Debug)]
pub struct Payloads {
    messages: Vec<Bytes>,
    next: usize,
}

impl Payloads {
    pub fn new(content: Content, size: usize) -> Self {
        Payloads {
            messages: content.messages(size),
            next: 0,
        }
    }

    pub fn next(&mut self) -> &Bytes {
        let message = &self.messages[self.next];
        self.next += 1;
        if self.next == self.messages.len() {
            self.next = 0;
        }
        message
    }
}

impl From<Bytes> for Payloads {
    fn from(message: Bytes) -> Self {
        Payloads {
            messages: vec![message],
            next: 0,
        }
    }
}

/// Trades as an exchange sends them, 151 bytes each, one in a line.
struct Feed {
    random: Random,
    text: String,
    id: u64,
    time: u64,
    /// In cents.
    price: i64,
}

impl Feed {
    fn new() -> Self {
        Feed {
            random: Random(2),
            text: String::new(),
            id: 4_728_193_012,
            time: 1_763_700_000_000,
            price: 6_712_345,
        }
    }

    fn take(&mut self, size: usize) -> Vec<u8> {
        while self.text.len() < size {
            self.push_trade();
        }
        let rest = self.text.split_off(size);
        std::mem::replace(&mut self.text, rest).into_bytes()
    }

    fn push_trade(&mut self) {
        let mut random = |below| self.random.next() % below;
        self.id += 1;
        self.time += random(40);
        self.price += random(201) as i64 - 100;
        // It neither gains nor loses a digit.
        self.price = self.price.clamp(1_000_000, 9_999_999);
        let (whole, cents) = (self.price / 100, self.price % 100);
        let amount = random(900_000) + 100_000;
        let symbol = ["BTCUSDT", "ETHUSDT", "SOLUSDT"][random(3) as usize];
        let side = ["buy ", "sell"][random(2) as usize];
        let (buyer, seller) = (
            random(90_000_000) + 10_000_000,
            random(90_000_000) + 10_000_000,
        );
        let (id, time) = (self.id, self.time);
        self.text += &format!(
            "{{\"e\":\"trade\",\"E\":{time},\"s\":\"{symbol}\",\"t\":{id},\
             \"p\":\"{whole}.{cents:02}\",\"q\":\"0.{amount}\",\"b\":{buyer},\"a\":{seller},\
             \"side\":\"{side}\",\"m\":true,\"x\":\"USDT\"}}\n"
        );
    }
}

/// Knuth's: what it makes is the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }
}

#[cfg(test)]
mod tests {
    use super::{Content, Payloads};

    #[test]
    fn a_trade_has_151_bytes() {
        let messages = Content::Feed.messages(151);
        assert!(messages.len() > 20_000);
        for message in messages {
            assert!(message.starts_with(b"{") && message.ends_with(b"}\n"));
        }
    }

    #[test]
    fn a_name_is_divided_and_put_together_again() {
        for name in ["feed-send", "noise-send", "small-ping", "ping"] {
            let (content, workload) = Content::split(name);
            assert_eq!(format!("{}{workload}", content.prefix()), name);
        }
        assert_eq!(Content::split("ping"), (Content::Plain, "ping"));
    }

    #[test]
    fn messages_differ_and_come_again() {
        let mut payloads = Payloads::new(Content::Noise, 1 << 20);
        let first = payloads.next().clone();
        assert_ne!(*payloads.next(), first);
        payloads.next();
        assert_eq!(*payloads.next(), first);
    }
}
