//! Whether each rule number that users read (S1, R1 ..) is a link to the rule.
//!
//! Invariant: docs of what is not public, comments and tests cite rules as they like.

use super::Source;

/// The pages that users read.
const PAGES: &[&str] = &["README.md", "docs/", "facade/guide/"];

/// The pages that are about the rules themselves.
const OF_RULES: &[&str] = &["docs/parity.md"];

/// The source files with public items.
const FILES: &[&str] = &[
    "core/src/",
    "facade/src/",
    "backend-native/src/driver/blocking.rs",
    "backend-native/src/driver/local.rs",
    "backend-native/src/driver/tokio.rs",
    "backend-native/src/lib.rs",
    "backend-native/src/options/mod.rs",
    "backend-native/src/options/proxy.rs",
    "backend-native/src/wire/deflate.rs",
    "backend-web/src/lib.rs",
];

pub(super) fn check(source: &Source, complaints: &mut Vec<String>) {
    let is_of = |paths: &[&str]| paths.iter().any(|path| source.path.starts_with(path));
    let lines: Vec<(usize, &str)> = if is_of(PAGES) && !is_of(OF_RULES) {
        // The rules of connecting again are written as `- **R1** ..`.
        let lines = (1..).zip(source.text.lines());
        lines
            .filter(|(_, line)| !line.starts_with("- **R"))
            .collect()
    } else if is_of(FILES) {
        public_docs(&source.text, source.path.ends_with("/lib.rs"))
    } else {
        return;
    };
    for (number, line) in lines {
        // A filter of test cases, in a command, is no citation.
        let cited = bare_number(line).filter(|_| !line.contains("cargo xtask"));
        if let Some(rule) = cited {
            complaints.push(format!(
                "{}:{number}: {rule} says nothing to a user; make it a link to the rule, or \
                 leave it out",
                source.path
            ));
        }
    }
}

/// The lines of docs of what is public: of items, of members of public traits, and of
/// what looks like a variant or a field. `//!` counts at the root of a crate.
fn public_docs(text: &str, is_root: bool) -> Vec<(usize, &str)> {
    let (mut public, mut docs) = (Vec::new(), Vec::new());
    let mut in_public = false;
    for (number, line) in (1..).zip(text.lines()) {
        let code = line.trim_start();
        if code.starts_with("//!") && is_root {
            public.push((number, line));
        } else if code.starts_with("///") {
            docs.push((number, line));
        } else if !code.starts_with("#[") && !code.is_empty() {
            in_public = match line {
                "}" => false,
                _ => in_public || line.starts_with("pub trait ") || line.starts_with("pub enum "),
            };
            if code.starts_with("pub ") || in_public {
                public.append(&mut docs);
            }
            docs.clear();
        }
    }
    public
}

/// A rule's number in a line that is not the text of a link.
fn bare_number(line: &str) -> Option<&str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let mut rest = line;
    let mut before = ' ';
    while let Some(start) = rest.find(is_word) {
        before = rest[..start].chars().next_back().unwrap_or(before);
        let word = &rest[start..];
        let (word, after) = word.split_at(word.find(|c| !is_word(c)).unwrap_or(word.len()));
        let digits = word.strip_prefix(['S', 'R']).unwrap_or_default();
        let is_number =
            (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        if is_number && !(before == '[' && after.starts_with(']')) {
            return Some(word);
        }
        rest = after;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{bare_number, check};

    fn about(path: &str, text: &str) -> Vec<String> {
        super::super::about(check, path, text)
    }

    #[test]
    fn a_number_is_a_word_of_its_own() {
        assert_eq!(bare_number("nothing is lost (S101)."), Some("S101"));
        assert_eq!(bare_number("– [S101](x), S4–S6"), Some("S4"));
        for line in ["[S101]: x", "S1000, RS1, S", "`[S5]`", "S3-bucket"] {
            assert_eq!(bare_number(line), None, "{line}");
        }
    }

    #[test]
    fn numbers_are_found_where_users_read_them() {
        let text = "//! S1.\n/// S2.\n#[must_use]\npub fn a() {}\n/// S3.\nfn b() {}\n\
            pub enum C {\n    /// S4.\n    D,\n}\npub(crate) enum E {\n    /// S5.\n    F,\n}\n";
        let lines = |path: &str| -> Vec<String> {
            let complaints = about(path, text).into_iter();
            complaints
                .filter_map(|it| it.split(' ').nth(1).map(str::to_owned))
                .collect()
        };
        assert_eq!(lines("core/src/a.rs"), ["S2", "S4"]);
        assert_eq!(lines("core/src/lib.rs"), ["S1", "S2", "S4"]);
        assert!(lines("backend-native/src/engine/a.rs").is_empty());
        assert_eq!(
            about("facade/guide/a.md", "- **R1** As S2.\n(R3)\n").len(),
            1
        );
        assert!(about("docs/parity.md", "S1\n").is_empty());
    }
}
