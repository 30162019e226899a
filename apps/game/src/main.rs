//! Tag, a game for many players. Desktop: `game [NAME=VALUE ..]`; page: `?NAME=VALUE&..`.
//!
//! Arrow keys move the player, who is blue; who is red catches. `url` is a server that
//! sends each message to everybody, such as `apps/hub`; `bots=19` adds players without
//! persons, each with a socket of its own; with `auto=1` there is no person at all. For
//! tests: `seconds=5` ends the game after that time, and `picture=PATH` keeps the last
//! frame.

mod player;

use macroquad::miniquad;
use macroquad::prelude::*;

use player::{FIELD, Player, RADIUS};

struct Options {
    url: String,
    bots: usize,
    auto: bool,
    seconds: f64,
    picture: Option<String>,
}

impl Options {
    fn parse(words: impl Iterator<Item = String>) -> Options {
        let mut options = Options {
            url: "ws://127.0.0.1:9000/".to_owned(),
            bots: 0,
            auto: false,
            seconds: f64::MAX,
            picture: None,
        };
        for word in words {
            match word.split_once('=') {
                Some(("url", url)) => options.url = url.to_owned(),
                Some(("bots", bots)) => options.bots = bots.parse().unwrap_or(0),
                Some(("auto", auto)) => options.auto = auto == "1",
                Some(("seconds", seconds)) => options.seconds = seconds.parse().unwrap_or(f64::MAX),
                Some(("picture", path)) => options.picture = Some(path.to_owned()),
                _ => say(&format!("game: what is {word:?}?")),
            }
        }
        options
    }
}

/// What is counted in a second.
#[derive(Default)]
struct Second {
    start: f64,
    frames: u32,
    /// How long all sockets took, in seconds.
    sockets: f64,
    received: u32,
}

impl Second {
    /// One line, which tests read. Then the next second begins.
    fn report(&mut self, players: &[Player], now: f64) {
        let received = players.iter().map(|player| player.received).sum();
        let per_second = |count: u32| (f64::from(count) / (now - self.start)).round();
        let place = players[0].place;
        say(&format!(
            "{} frames a second, {:.2} ms of each for {} sockets, {} messages a second; {} \
             players, me at {:.0} {:.0}",
            per_second(self.frames),
            1e3 * self.sockets / f64::from(self.frames),
            players.len(),
            per_second(received - self.received),
            players[0].places().count(),
            place.x,
            place.y,
        ));
        *self = Second {
            start: now,
            received,
            ..Second::default()
        };
    }
}

async fn game(options: Options) {
    let (seconds, mut picture) = (options.seconds, options.picture);
    rand::srand(miniquad::date::now().to_bits());
    let place = || (rand::gen_range(0.0, FIELD.0), rand::gen_range(0.0, FIELD.1));
    let join = |_| Player::join(&options.url, rand::rand(), place());
    let players: Result<Vec<_>, _> = (0..=options.bots).map(join).collect();
    let mut players = match players {
        Ok(players) => players,
        Err(error) => return say(&format!("game: {error:#}")),
    };
    let start = get_time();
    let mut second = Second {
        start,
        ..Second::default()
    };
    while get_time() - start < seconds {
        let (now, before) = (get_time(), miniquad::date::now());
        for (number, player) in players.iter_mut().enumerate() {
            let direction = match number == 0 && !options.auto {
                true => keys(),
                false => player.wish(now),
            };
            player.update(now, get_frame_time().min(0.1), direction);
        }
        second.sockets += miniquad::date::now() - before;
        second.frames += 1;
        draw(&players[0]);
        if now - second.start >= 1.0 {
            second.report(&players, now);
        }
        if let Some(path) = picture.take_if(|_| now - start + 0.5 > seconds) {
            get_screen_data().export_png(&path);
            say("the picture is written");
        }
        next_frame().await;
    }
}

fn keys() -> (f32, f32) {
    let axis = |less, more| f32::from(is_key_down(more)) - f32::from(is_key_down(less));
    let across = axis(KeyCode::Left, KeyCode::Right);
    (across, axis(KeyCode::Up, KeyCode::Down))
}

/// What the first player sees.
fn draw(player: &Player) {
    clear_background(Color::from_hex(0x10_18_20));
    let scale = (screen_width() / FIELD.0).min(screen_height() / FIELD.1);
    for (number, place) in player.places().enumerate() {
        let color = match place.it {
            true => RED,
            false if number == 0 => SKYBLUE,
            false => GRAY,
        };
        draw_circle(place.x * scale, place.y * scale, RADIUS * scale, color);
    }
    let text = format!(
        "{} players, {} frames a second",
        player.places().count(),
        get_fps()
    );
    draw_text(&text, 10.0, 24.0, 24.0, WHITE);
}

fn start(options: Options) {
    let conf = Conf {
        window_title: "Tag".to_owned(),
        window_width: FIELD.0 as i32 * 3 / 4,
        window_height: FIELD.1 as i32 * 3 / 4,
        ..Conf::default()
    };
    macroquad::Window::from_config(conf, game(options));
}

#[cfg(not(target_family = "wasm"))]
fn say(line: &str) {
    println!("{line}");
}

#[cfg(not(target_family = "wasm"))]
fn main() {
    start(Options::parse(std::env::args().skip(1)));
}

#[cfg(target_family = "wasm")]
fn say(line: &str) {
    web_sys::console::log_1(&line.into());
}

/// The page has loaded miniquad's JavaScript before, which expects these two variables.
#[cfg(target_family = "wasm")]
fn main() {
    let set = |name: &str, value| js_sys::Reflect::set(&js_sys::global(), &name.into(), &value);
    set("wasm_memory", wasm_bindgen::memory()).expect("the page has this variable");
    set("wasm_exports", wasm_bindgen::exports()).expect("the page has this variable");
    let window = web_sys::window().expect("a page has a window");
    let query = window.location().search().unwrap_or_default();
    let words = query.trim_start_matches('?').split('&');
    let words = words.filter(|word| !word.is_empty()).map(str::to_owned);
    start(Options::parse(words));
}
