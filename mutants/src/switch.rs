//! Writes sources in which every mutant is there, and a number chooses one at run time.
//!
//! Invariant: with no mutant chosen the program does what the original does.

use std::ops::Range;

use crate::find::{Form, Found, Site};

/// The module that every switched place asks. It goes into core, as everything uses core, or
/// into the web backend, where only JavaScript knows the environment.
pub const MODULE: &str = r#"
//! Which mutant this process is.
#![allow(missing_docs)]
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

static CHOSEN: OnceLock<u32> = OnceLock::new();
static TRACE: OnceLock<Option<String>> = OnceLock::new();
static SEEN: [AtomicBool; 16384] = [const { AtomicBool::new(false) }; 16384];

pub fn pick(first: u32, count: u32) -> u32 {
    let chosen = *CHOSEN.get_or_init(|| {
        variable("ISOSOCKET_MUTANT").and_then(|text| text.parse().ok()).unwrap_or(0)
    });
    if chosen == 0 {
        trace(first);
        return 0;
    }
    if chosen.wrapping_sub(first) < count { chosen - first + 1 } else { 0 }
}

fn trace(first: u32) {
    let path = TRACE.get_or_init(|| variable("ISOSOCKET_MUTANT_TRACE"));
    let Some(path) = path else { return };
    if !SEEN[first as usize].swap(true, Ordering::Relaxed) {
        append(path, first);
    }
}

#[cfg(not(target_family = "wasm"))]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(not(target_family = "wasm"))]
fn append(path: &str, number: u32) {
    use std::io::Write;
    let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
    if let Ok(mut file) = file {
        let _ = file.write_all(format!("{number}\n").as_bytes());
    }
}

#[cfg(target_family = "wasm")]
fn variable(name: &str) -> Option<String> {
    js_sys::eval(&format!("process.env.{name}")).ok()?.as_string()
}

#[cfg(target_family = "wasm")]
fn append(path: &str, number: u32) {
    let files = "process.getBuiltinModule('fs')";
    let _ = js_sys::eval(&format!("{files}.appendFileSync('{path}', '{number}\\n')"));
}
"#;

/// What stands first in a switched crate: a mutant may look odd to the compiler.
pub const ALLOWED: &str = "#![allow(warnings, arithmetic_overflow, unconditional_panic, \
    overflowing_literals, unconditional_recursion, clippy::all)]\n";

/// A mutant of a run.
#[derive(Clone, Debug)]
pub struct Mutant {
    pub number: u32,
    /// The number of the place: that of its first mutant.
    pub site: u32,
    pub file: String,
    pub line: usize,
    pub function: String,
    pub change: String,
}

impl Mutant {
    /// A name that stays when lines are added above.
    pub fn name(&self) -> String {
        format!("{}: {} in {}", self.file, self.change, self.function)
    }
}

/// A file's text with all mutants whose number `is_viable`. Numbers begin at `first`, and do
/// not depend on which are viable.
pub struct Switched {
    pub text: String,
    pub mutants: Vec<Mutant>,
    /// The first number of the next file.
    pub next: u32,
}

pub fn switch(
    file: &str,
    text: &str,
    found: &Found,
    first: u32,
    path: &str,
    keep: &[String],
    is_viable: &dyn Fn(u32) -> bool,
) -> Switched {
    let mut number = first;
    let mut numbers = Vec::new();
    let mut mutants = Vec::new();
    for site in &found.sites {
        numbers.push(number);
        for (index, (change, _)) in site.changes.iter().enumerate() {
            mutants.push(Mutant {
                number: number + index as u32,
                site: number,
                file: file.to_owned(),
                line: site.line,
                function: site.function.clone(),
                change: change.split_whitespace().collect::<Vec<_>>().join(" "),
            });
        }
        number += site.changes.len() as u32;
    }
    let is_kept = |site: &Site| {
        site.constant
            .as_ref()
            .is_some_and(|name| keep.contains(name))
    };
    let places: Vec<Place> = found
        .sites
        .iter()
        .zip(&numbers)
        .filter(|(site, _)| !is_kept(site))
        .map(|(site, number)| Place {
            site,
            number: *number,
        })
        .collect();
    let kept: Vec<u32> = found
        .sites
        .iter()
        .zip(&numbers)
        .filter(|(site, _)| is_kept(site))
        .map(|(_, number)| *number)
        .collect();
    mutants.retain(|mutant| !kept.contains(&mutant.site) && is_viable(mutant.number));
    // Spaces in the place of `const` keep every other position.
    let mut plain = text.to_owned();
    for word in found
        .consts
        .iter()
        .filter(|word| !keep.contains(&word.name))
    {
        plain.replace_range(word.range.clone(), &" ".repeat(word.range.len()));
    }
    let writer = Writer {
        text: &plain,
        path,
        is_viable,
    };
    let text = writer.render(0..plain.len(), &places);
    Switched {
        text,
        mutants,
        next: number,
    }
}

struct Place<'a> {
    site: &'a Site,
    number: u32,
}

struct Writer<'a> {
    text: &'a str,
    path: &'a str,
    is_viable: &'a dyn Fn(u32) -> bool,
}

impl Writer<'_> {
    /// The text of a range, with the places in it switched.
    fn render(&self, range: Range<usize>, places: &[Place]) -> String {
        let mut out = String::new();
        let mut at = range.start;
        let mut rest = places;
        while let Some((place, after)) = rest.split_first() {
            let own = &place.site.range;
            if own.start < at || own.end > range.end {
                rest = after;
                continue;
            }
            let is_inside = |other: &&Place| other.site.range.start < own.end;
            let inside = after.iter().take_while(is_inside).count();
            out.push_str(&self.text[at..own.start]);
            out.push_str(&self.place(place, &after[..inside]));
            at = own.end;
            rest = &after[inside..];
        }
        out.push_str(&self.text[at..range.end]);
        out
    }

    fn place(&self, place: &Place, inside: &[Place]) -> String {
        let site = place.site;
        let inner = |range: &Range<usize>| {
            let is_in = |place: &&Place| {
                let own = &place.site.range;
                own.start >= range.start && own.end <= range.end
            };
            let places: Vec<Place> = inside
                .iter()
                .filter(is_in)
                .map(|place| Place {
                    site: place.site,
                    number: place.number,
                })
                .collect();
            self.render(range.clone(), &places)
        };
        let text = |range: &Range<usize>| &self.text[range.clone()];
        match &site.form {
            Form::Body => {
                let arms = self.arms(place, |new| format!("return {new}"));
                let head = if arms.is_empty() {
                    String::new()
                } else {
                    let ask = self.ask(place);
                    format!("match {ask} {{\n{arms}_ => {{}}\n}}\n")
                };
                format!("{head}{}", inner(&site.range))
            }
            Form::Binary(left, right) => {
                let operator = text(&(left.end..right.start));
                let old = format!("{} {operator} {}", inner(left), inner(right));
                let (left, right) = (text(left), text(right));
                let new = |new: &str| format!("(({left}\n) {new} ({right}\n))");
                self.value(place, &old, new)
            }
            Form::Unary(operand) => {
                let operator = text(&(site.range.start..operand.start));
                let old = format!("{operator}{}", inner(operand));
                self.value(place, &old, |_| format!("({}\n)", text(operand)))
            }
            Form::Guard => self.value(place, &inner(&site.range), str::to_owned),
            Form::Arm if (self.is_viable)(place.number) => {
                format!(
                    "\n/*m{0}*/ if {1} == 0 /*e*/\n",
                    place.number,
                    self.ask(place)
                )
            }
            Form::Arm => String::new(),
        }
    }

    fn value(&self, place: &Place, old: &str, new: impl Fn(&str) -> String) -> String {
        let arms = self.arms(place, new);
        if arms.is_empty() {
            return old.to_owned();
        }
        // The original is the first arm: so the compiler complains about the others.
        let ask = self.ask(place);
        format!("(match {ask} {{\n0 => ({old}\n),\n{arms}_ => unreachable!(),\n}})")
    }

    fn ask(&self, place: &Place) -> String {
        let count = place.site.changes.len();
        format!("{}({}, {count})", self.path, place.number)
    }

    fn arms(&self, place: &Place, new: impl Fn(&str) -> String) -> String {
        let mut arms = String::new();
        for (index, (_, text)) in place.site.changes.iter().enumerate() {
            let number = place.number + index as u32;
            if (self.is_viable)(number) {
                let new = new(text);
                arms += &format!("/*m{number}*/ {} => {new},/*e*/\n", index + 1);
            }
        }
        arms
    }
}

/// The mutant that a line of a switched text belongs to.
pub fn mutants_by_line(text: &str) -> Vec<Option<u32>> {
    let mut current = None;
    let mut lines = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.split("/*m").nth(1) {
            current = rest
                .split("*/")
                .next()
                .and_then(|number| number.parse().ok());
        }
        lines.push(current);
        if line.contains("/*e*/") {
            current = None;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::find;

    fn changes(source: &str) -> (String, Vec<String>) {
        let found = find::find(&syn::parse_file(source).unwrap());
        let switched = switch("f.rs", source, &found, 1, "pick", &[], &|_| true);
        assert!(syn::parse_file(&switched.text).is_ok(), "{}", switched.text);
        let names = switched.mutants.iter();
        (
            switched.text.clone(),
            names.map(|mutant| mutant.change.clone()).collect(),
        )
    }

    #[test]
    fn all_mutants_of_a_function_are_in_one_text() {
        let (text, names) =
            changes("const fn f(a: u8) -> bool {\n    // Why.\n    a < 3 && !g(a)\n}\n");
        let expected = [
            "replace the body with true",
            "replace the body with false",
            "replace && with ||",
            "replace < with ==",
            "replace < with >",
            "replace < with <=",
            "delete !",
        ];
        assert_eq!(names, expected);
        assert!(text.contains("// Why.") && !text.contains("const"));
        let lines = mutants_by_line(&text);
        for number in 1..=7 {
            assert!(lines.contains(&Some(number)), "{number}: {text}");
        }
    }

    #[test]
    fn arms_and_guards_are_switched() {
        let source = "fn f(a: u8) { match a { 0 => g(), 1 | 2 if a == 1 => g(), _ => {} } }";
        let (_, names) = changes(source);
        let expected = [
            "replace the body with ()",
            "delete the arm 0",
            "replace a guard with true",
            "replace a guard with false",
            "replace == with !=",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn tests_and_other_targets_are_left_alone() {
        let source = "#[cfg(test)] mod tests { fn f() { g() } }\n#[cfg(windows)] fn f() { g() }\n\
            #[test] fn f() { g() }\nimpl Debug for A { fn fmt(&self) { g() } }";
        assert_eq!(changes(source).1, [""; 0]);
    }

    #[test]
    fn a_function_that_must_be_constant_is_kept() {
        let source = "const fn f(a: u8) -> bool { a < 3 }";
        let found = find::find(&syn::parse_file(source).unwrap());
        let switched = switch(
            "f.rs",
            source,
            &found,
            1,
            "pick",
            &["f".to_owned()],
            &|_| true,
        );
        assert_eq!(
            (switched.text.as_str(), switched.mutants.len()),
            (source, 0)
        );
        assert_eq!(switched.next, 6);
    }
}
