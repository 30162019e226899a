//! The commands that build or run one thing each. A row of test-all may be one of them.
//!
//! A command uses the kit; none uses another but for pages and their server.

pub mod autobahn;
pub mod bench;
pub mod day;
pub mod demo;
pub mod fuzz;
pub mod mutants;
pub mod pages;
pub mod parity;
pub mod races;
pub mod release;
pub mod servers;
pub mod simulate;
pub mod soak;
pub mod standins;
pub mod targets;
pub mod threads;

/// The number behind an option.
fn number<'a>(option: &str, mut words: impl Iterator<Item = &'a str>) -> Result<u64, String> {
    let text = words.next().unwrap_or_default();
    let number = text.parse::<u64>();
    number.map_err(|_| format!("`{option}` wants a number, not `{text}`"))
}

fn positive<'a>(option: &str, words: impl Iterator<Item = &'a str>) -> Result<u64, String> {
    let number = number(option, words)?;
    match number {
        0 => Err(format!("`{option}` wants a number above 0")),
        _ => Ok(number),
    }
}
