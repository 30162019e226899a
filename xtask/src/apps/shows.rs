//! What each graphical program must show, in a window and in a page.
//!
//! Invariant: a check waits for what is shown, and never for a time.

use super::place::{Place, SHOW_LIMIT};
use crate::browser::webdriver::wait_until;
use crate::run::workspace;

/// What is said on the first connection, and comes back.
const HELLO: &str = "ann: hello";

pub fn chat_egui_window(place: &mut Place) -> Result<String, String> {
    let url = place.url();
    let mut window = place.window(&[&url, "--name", "ann", "--say", "hello", "--print"])?;
    restart(place, |what, wanted| window.until(what, wanted))
}

pub fn chat_egui_page(place: &mut Place) -> Result<String, String> {
    let mut page = place.page(&format!("url={}&name=ann&say=hello", place.url()))?;
    let seen = restart(place, |what, wanted| page.until(what, wanted))?;
    page.picture("chat-egui.png")?;
    Ok(seen)
}

/// Waits until something was printed.
type Until<'a> = &'a dyn Fn(&[String]) -> bool;

/// The chat says hello, counts the seconds while there is no hub, and connects again.
fn restart(
    place: &mut Place,
    mut until: impl FnMut(&str, Until<'_>) -> Result<Vec<String>, String>,
) -> Result<String, String> {
    let count = |lines: &[String], part: &str| lines.iter().filter(|it| it.contains(part)).count();
    until("it is connected", &|lines| {
        count(lines, "connected to ws://") == 1
    })?;
    until("what it said comes back", &|lines| count(lines, HELLO) == 1)?;
    place.stop_hub();
    // The number changes while nothing else happens.
    until("it counts", &|lines| count(lines, "; again in 1 s") >= 1)?;
    place.start_hub()?;
    let lines = until("it is connected again", &|lines| {
        count(lines, "connected to ws://") == 2
    })?;
    Ok(format!(
        "connected again after {} countdowns",
        count(&lines, "; again in 1 s")
    ))
}

pub fn chat_leptos_page(place: &mut Place) -> Result<String, String> {
    let page = place.page(&format!("url={}&name=ann", place.url()))?;
    let browser = &page.browser;
    // Leptos makes the elements, once the module is compiled.
    let is_there = "return document.getElementById('status') !== null";
    wait_until("the page is drawn", SHOW_LIMIT, || {
        Ok(browser.script(is_there)? == true)
    })?;
    let is_connected = |text: &str| text == "connected";
    browser.wait_for_text("status", "it is connected", is_connected)?;
    browser.type_into("draft", "hello")?;
    browser.click("send")?;
    browser.wait_for_text("lines", "what it said comes back", |text| text == HELLO)?;
    browser.type_into("draft", "and again\u{e007}")?;
    let both = format!("{HELLO}\nann: and again");
    browser.wait_for_text("lines", "the Enter key sends", |text| text == both)?;
    page.picture("chat-leptos.png")?;
    place.stop_hub();
    browser.wait_for_text("status", "it counts", |text| text.ends_with("again in 1 s"))?;
    if browser.is_enabled("send")? {
        return Err("one can send while there is no connection".to_owned());
    }
    place.start_hub()?;
    browser.wait_for_text("status", "it is connected again", is_connected)?;
    browser.type_into("draft", "back")?;
    browser.click("send")?;
    browser.wait_for_text("lines", "it goes on", |text| text.ends_with("ann: back"))?;
    Ok("two lines, a countdown, and a third line".to_owned())
}

pub fn game_window(place: &mut Place) -> Result<String, String> {
    let url = format!("url={}", place.url());
    let picture = workspace::output()?.join("game-window.png");
    let path = format!("picture={}", picture.display());
    let mut window = place.window(&[&url, "bots=19", "auto=1", "seconds=12", &path])?;
    window.until("all players move", all_move)?;
    let seen = window.until("60 frames a second", is_smooth)?;
    let written = |lines: &[String]| lines.iter().any(|line| line == "the picture is written");
    window.until("the picture", written)?;
    Ok(frames(&seen))
}

pub fn game_page(place: &mut Place) -> Result<String, String> {
    let mut page = place.page(&format!("url={}&bots=19&auto=1", place.url()))?;
    page.until("all players move", all_move)?;
    let seen = page.until("60 frames a second", is_smooth)?;
    page.picture("game-page.png")?;
    Ok(frames(&seen))
}

/// At least 60 frames in each of three seconds, one after the other, with all players. A
/// browser draws no more than 60, and the program's second may end a frame too early.
fn is_smooth(lines: &[String]) -> bool {
    let seconds = lines.iter().filter(|line| line.contains("; 20 players, "));
    let frames = seconds.filter_map(|line| line.split_once(" frames a second, "));
    let frames: Vec<u32> = frames
        .filter_map(|(frames, _)| frames.rsplit(' ').next()?.parse().ok())
        .collect();
    frames
        .windows(3)
        .any(|three| three.iter().all(|&frames| frames >= 59))
}

/// Three lines with all players, and the first player is elsewhere in each.
fn all_move(lines: &[String]) -> bool {
    let places = lines
        .iter()
        .filter_map(|line| line.split_once("; 20 players, me at "));
    let mut places: Vec<_> = places.map(|(_, place)| place).collect();
    places.dedup();
    places.len() >= 3
}

/// What the last line says: frames, time for the sockets, messages.
fn frames(lines: &[String]) -> String {
    let last = lines
        .iter()
        .rev()
        .find(|line| line.contains(" frames a second, "));
    let last = last.map_or("", |line| line.as_str());
    last.split(';').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_seconds_in_a_row_with_60_frames_are_smooth() {
        let second = |frames: u32, players: u32| {
            format!(
                "{frames} frames a second, 0.07 ms of each for 20 sockets, 9 messages a second; \
                 {players} players, me at 1 2"
            )
        };
        let smooth = |seconds: &[(u32, u32)]| {
            let lines = seconds
                .iter()
                .map(|&(frames, players)| second(frames, players));
            is_smooth(&lines.collect::<Vec<_>>())
        };
        assert!(smooth(&[(12, 20), (1514, 20), (60, 20), (59, 20)]));
        assert!(!smooth(&[(60, 20), (60, 20), (58, 20), (60, 20), (60, 20)]));
        // The others have not joined yet.
        assert!(!smooth(&[(60, 20), (60, 20), (60, 19)]));
    }
}
