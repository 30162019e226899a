//! One player: its socket, and where it believes everybody to be.
//!
//! A client decides about its own player only. It says where that one is, and whom it has
//! caught.

use std::collections::BTreeMap;

use isosocket::{Event, NewError, Reconnecting, ReconnectingEvents};

/// The size of the field.
pub const FIELD: (f32, f32) = (800.0, 600.0);
pub const RADIUS: f32 = 12.0;

/// In a second.
const SPEED: f32 = 160.0;
/// In seconds: a place is sent so often, at most.
const TURN: f64 = 1.0 / 60.0;
/// Who says nothing for so long has left.
const SILENCE: f64 = 2.0;
/// Who was caught catches nobody for so long.
const REST: f64 = 1.0;

/// Where a player is, and whether it is the one that catches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    pub x: f32,
    pub y: f32,
    pub it: bool,
}

impl Place {
    fn distance(&self, other: &Place) -> f32 {
        (self.x - other.x).hypot(self.y - other.y)
    }
}

pub struct Player {
    socket: Reconnecting,
    events: ReconnectingEvents,
    id: u32,
    pub place: Place,
    /// With the time when it was last heard of.
    others: BTreeMap<u32, (Place, f64)>,
    /// When somebody was seen to be it.
    it_seen: f64,
    rest_until: f64,
    next_turn: f64,
    /// How many messages have come.
    pub received: u32,
}

impl Player {
    pub fn join(url: &str, id: u32, (x, y): (f32, f32)) -> Result<Player, NewError> {
        // Where a player was before a loss is of no use after it.
        let socket = Reconnecting::builder(url).refuse_while_down().connect()?;
        Ok(Player {
            events: socket.events(),
            socket,
            id,
            place: Place { x, y, it: false },
            others: BTreeMap::new(),
            it_seen: f64::MAX,
            rest_until: 0.0,
            next_turn: 0.0,
            received: 0,
        })
    }

    /// Once a frame: what the others did, this player's own step, and the news of it.
    pub fn update(&mut self, now: f64, seconds: f32, direction: (f32, f32)) {
        while let Some(event) = self.events.try_next() {
            match event {
                Event::Message(message) => self.hear(message.as_bytes(), now),
                // Who is it will be known soon.
                Event::Open => self.it_seen = now,
                Event::Error(_) | Event::Close(_) => {}
            }
        }
        self.others.retain(|_, (_, heard)| now - *heard < SILENCE);
        let step = SPEED * seconds / direction.0.hypot(direction.1).max(1.0);
        self.place.x = (self.place.x + direction.0 * step).clamp(0.0, FIELD.0);
        self.place.y = (self.place.y + direction.1 * step).clamp(0.0, FIELD.1);
        if self.place.it || self.others.values().any(|(other, _)| other.it) {
            self.it_seen = now;
        } else if now - self.it_seen > REST && self.others.keys().all(|id| self.id < *id) {
            self.place.it = true;
        }
        self.catch(now);
        // A slow network gets fewer places, not old ones.
        if now >= self.next_turn && self.socket.buffered_amount() < 1 << 10 {
            self.next_turn = (self.next_turn + TURN).max(now);
            let _ = self.socket.send(place_message(self.id, self.place));
        }
    }

    fn catch(&mut self, now: f64) {
        if self.place.it
            && now >= self.rest_until
            && let Some((id, other)) = self.nearest()
            && self.place.distance(other) < 2.0 * RADIUS
            && self.socket.send(id.to_le_bytes()).is_ok()
        {
            self.place.it = false;
        }
    }

    fn hear(&mut self, message: &[u8], now: f64) {
        self.received += 1;
        match read(message) {
            Some(News::Place(id, place)) if id != self.id => {
                // There is only one: the first.
                self.place.it &= !(place.it && id < self.id);
                self.others.insert(id, (place, now));
            }
            Some(News::Caught(id)) if id == self.id => {
                self.place.it = true;
                self.rest_until = now + REST;
            }
            // Its own news come back, too.
            _ => {}
        }
    }

    fn nearest(&self) -> Option<(u32, &Place)> {
        let others = self.others.iter().map(|(id, (place, _))| (*id, place));
        others.min_by(|(_, one), (_, other)| {
            let distance = |place| self.place.distance(place);
            distance(one).total_cmp(&distance(other))
        })
    }

    /// Where a player without a person wants to go.
    pub fn wish(&self, now: f64) -> (f32, f32) {
        let towards = |other: &Place| (other.x - self.place.x, other.y - self.place.y);
        let it = self.others.values().find(|(other, _)| other.it);
        match (it, self.nearest()) {
            (_, Some((_, prey))) if self.place.it => towards(prey),
            (Some((it, _)), _) if self.place.distance(it) < 120.0 => {
                let (x, y) = towards(it);
                (-x, -y)
            }
            _ => {
                let angle = now as f32 * 0.5 + self.id as f32;
                let (x, y) = (angle.cos(), (angle * 1.3).sin());
                let (x, y) = (FIELD.0 * (0.5 + 0.4 * x), FIELD.1 * (0.5 + 0.4 * y));
                towards(&Place { x, y, it: false })
            }
        }
    }

    /// All places: its own first, and those of the others.
    pub fn places(&self) -> impl Iterator<Item = &Place> {
        std::iter::once(&self.place).chain(self.others.values().map(|(place, _)| place))
    }
}

#[derive(Debug, PartialEq)]
enum News {
    Place(u32, Place),
    Caught(u32),
}

/// Who catches somebody sends the first of these numbers alone: who is caught.
fn place_message(id: u32, Place { x, y, it }: Place) -> Vec<u8> {
    let (x, y, it) = (x.to_le_bytes(), y.to_le_bytes(), [u8::from(it)]);
    [&id.to_le_bytes(), &x, &y, &it[..]].concat()
}

/// Anybody may have sent it: `None` if it is none of the messages above.
fn read(message: &[u8]) -> Option<News> {
    let (id, rest) = message.split_first_chunk()?;
    let id = u32::from_le_bytes(*id);
    if rest.is_empty() {
        return Some(News::Caught(id));
    }
    let (x, rest) = rest.split_first_chunk()?;
    let (y, rest) = rest.split_first_chunk()?;
    let (x, y) = (f32::from_le_bytes(*x), f32::from_le_bytes(*y));
    let it = *rest.first()? == 1;
    (x.is_finite() && y.is_finite()).then_some(News::Place(id, Place { x, y, it }))
}

#[cfg(test)]
mod tests {
    use isosocket::mock::Network;

    use super::*;

    #[test]
    fn what_is_sent_can_be_read_and_nothing_else() {
        let (x, y) = (1.5, -2.0);
        let place = Place { x, y, it: true };
        assert_eq!(read(&place_message(7, place)), Some(News::Place(7, place)));
        assert_eq!(read(&7_u32.to_le_bytes()), Some(News::Caught(7)));
        let wrong = Place {
            x: f32::NAN,
            ..place
        };
        assert_eq!(read(&place_message(7, wrong)), None);
        assert_eq!(read(&[1, 2, 3]), None);
        assert_eq!(read(&[0; 9]), None);
    }

    #[test]
    fn who_is_caught_is_it_and_who_is_silent_has_left() {
        let network = Network::new();
        let other = Place {
            x: 10.0,
            y: 0.0,
            it: true,
        };
        let peer = network.peer("ws://game/");
        peer.send(place_message(1, other)).send(2_u32.to_le_bytes());
        let mut player = Player::join("ws://game/", 2, (0.0, 0.0)).unwrap();
        network.run();
        player.update(0.0, 0.1, (3.0, 4.0));
        assert!(player.place.it);
        assert_eq!(player.received, 2);
        // As far as in any other direction.
        let walked = player.place.x.hypot(player.place.y);
        assert!((walked - SPEED * 0.1).abs() < 0.01, "{walked}");
        assert_eq!(player.places().count(), 2);
        player.update(SILENCE + 0.1, 0.0, (0.0, 0.0));
        assert_eq!(player.places().count(), 1);
    }
}
