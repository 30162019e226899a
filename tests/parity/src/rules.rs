//! The rules that the suite shows, each in one line for whoever reads the matrix.
//!
//! Invariant: the n-th line of `rules.txt` that is no heading is the rule with the number
//! n. So none is left out and none is listed twice.

use std::sync::LazyLock;

use crate::case::Mark;

/// A rule of what a program may observe.
pub struct Rule {
    pub mark: Mark,
    pub text: &'static str,
    /// The heading above it, if a group begins with it.
    pub group: Option<&'static str>,
}

/// All rules, in the order of their numbers.
pub static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let mut group = None;
    let mut rules = Vec::new();
    for line in include_str!("rules.txt").lines() {
        let (word, text) = line.split_once(' ').expect("a line has two parts");
        let mark = match word {
            "#" => {
                group = Some(text);
                continue;
            }
            "M" => Mark::M,
            "N" => Mark::N,
            "U" => Mark::U,
            other => unreachable!("`{other}` is no mark"),
        };
        let group = group.take();
        rules.push(Rule { mark, text, group });
    }
    rules
});

/// The heading above the rule with this number, if a group begins there.
pub fn group(number: usize) -> Option<&'static str> {
    RULES.get(number - 1).and_then(|rule| rule.group)
}

#[cfg(test)]
mod tests {
    use super::{RULES, group};

    #[test]
    fn the_rules_have_numbers_and_groups() {
        assert_eq!(RULES.len(), 118);
        assert_eq!(group(1), Some("URL"));
        assert_eq!(group(15), Some("Subprotocols"));
        assert_eq!(group(16), None);
        assert!(RULES[22].text.starts_with("A valid reply opens"), "S23");
    }

    #[test]
    fn a_text_fits_its_cell() {
        for rule in RULES.iter() {
            assert!(rule.text.chars().count() <= 64, "{}", rule.text);
            assert!(!rule.text.ends_with('.'), "{}", rule.text);
        }
    }
}
