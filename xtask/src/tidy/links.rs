//! Whether each link between our pages leads somewhere: to a file of the repository, and
//! to a heading in it.
//!
//! A guide is also a module of the crate's docs, where its files do not exist. So each of its
//! links to another guide is a reference that `guide.rs` defines, too.
//!
//! Invariant: links to other sites are not followed.

use super::Source;

/// How a page that is also shown elsewhere names a file of the repository.
const REPOSITORY: &str = "https://github.com/isosocket/isosocket/blob/main/";

/// Where the guides are, and what makes modules of them.
const GUIDES: &str = "facade/guide/";
const MODULES: &str = "facade/src/guide.rs";

pub(super) fn check(sources: &[Source], complaints: &mut Vec<String>) {
    for source in sources {
        check_guide(source, sources, complaints);
        let is_page = source.path.ends_with(".md");
        // Only what is put into the repository's URL is a link in source code.
        for (number, link) in links(&source.text, is_page) {
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let path = match (path.strip_prefix(REPOSITORY), path) {
                (Some(path), _) => path.to_owned(),
                (None, path) if !is_page || path.contains(':') => continue,
                (None, "") => source.path.clone(),
                (None, path) => resolve(&source.path, path),
            };
            let complaint = match sources.iter().find(|other| other.path == path) {
                None if path.is_empty()
                    || sources.iter().any(|other| is_in(&other.path, &path)) =>
                {
                    continue;
                }
                None => format!("{path} does not exist"),
                Some(page) if anchor.is_empty() || has_anchor(&page.text, anchor) => continue,
                Some(_) => format!("{path} has no heading #{anchor}"),
            };
            complaints.push(format!("{}:{number}: {complaint}", source.path));
        }
    }
}

/// Whether the docs, too, know each other guide that a guide links to.
fn check_guide(source: &Source, sources: &[Source], complaints: &mut Vec<String>) {
    let Some(file) = source.path.strip_prefix(GUIDES) else {
        return;
    };
    let modules = sources.iter().find(|other| other.path == MODULES);
    let modules = modules.map_or("", |modules| &modules.text);
    let before = modules.split(&format!("guide/{file}\"")).next();
    let before = before.and_then(|text| text.rsplit("pub mod").next());
    for (number, link) in links(&source.text, true) {
        let path = link.split('#').next().unwrap_or(link);
        if !path.ends_with(".md") || path.contains(':') {
            continue;
        }
        let line = source.text.lines().nth(number - 1).unwrap_or_default();
        let label = line.split_once("]: ").map_or("", |(label, _)| label);
        let definition = format!("\"{label}]: crate::guide::");
        if label.is_empty() || !before.is_some_and(|text| text.contains(&definition)) {
            let place = format!("{}:{number}", source.path);
            complaints.push(format!("{place}: {link} leads nowhere in {MODULES}"));
        }
    }
}

/// The targets of links outside code blocks, with their lines: `](target)`, and, at the
/// start of a line, `[label]: target`. In source code any URL of the repository is one.
fn links(text: &str, is_page: bool) -> Vec<(usize, &str)> {
    let mut links = Vec::new();
    let mut in_code = false;
    for (index, line) in text.lines().enumerate() {
        if is_page && line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        let mut push = |rest: &'_ str, from: usize| {
            let is_end = |c: char| c == ')' || c == '"' || c.is_whitespace();
            let end = rest.find(is_end).unwrap_or(rest.len());
            links.push((index + 1, &line[from..from + end]));
        };
        if is_page {
            for (at, mark) in line.match_indices("](") {
                let from = at + mark.len();
                push(&line[from..], from);
            }
            if let Some(at) = line.find("]: ").filter(|_| line.starts_with('[')) {
                push(&line[at + 3..], at + 3);
            }
        } else {
            for (at, _) in line.match_indices(REPOSITORY) {
                push(&line[at..], at);
            }
        }
    }
    links
}

/// The path that a link means in a page.
fn resolve(page: &str, link: &str) -> String {
    let mut path: Vec<&str> = page.split('/').collect();
    path.pop();
    for part in link.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(path.pop()),
            part => path.push(part),
        }
    }
    path.join("/")
}

fn is_in(file: &str, folder: &str) -> bool {
    let rest = file.strip_prefix(folder.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.starts_with('/'))
}

/// Whether a page has a heading, or an anchor in HTML, of this name.
fn has_anchor(page: &str, anchor: &str) -> bool {
    let heading = |line: &str| line.starts_with('#') && slug(line) == anchor;
    let html = format!("id=\"{anchor}\"");
    page.lines()
        .any(|line| heading(line) || line.contains(&html))
}

/// What GitHub and rustdoc make of a heading. (Where they differ, as in spaces around
/// signs that are left out, no link of ours leads.)
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim();
    let kept = text
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.flat_map(char::to_lowercase)
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{REPOSITORY, Source, check, links};

    fn source(path: &str, text: &str) -> Source {
        Source {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    /// The complaints about a page that lies next to `a/b.md` with a heading and `a/c/d.rs`.
    fn about(path: &str, text: &str) -> String {
        let sources = [
            source("a/b.md", "# How do I ..?\n<a id=\"s1\"></a>\n"),
            source("a/c/d.rs", ""),
            source(path, text),
        ];
        let mut complaints = Vec::new();
        check(&sources, &mut complaints);
        complaints.join("; ")
    }

    #[test]
    fn links_that_lead_somewhere_are_left_alone() {
        let text = format!(
            "[a](b.md) [b](b.md#how-do-i-) [c](c/d.rs)\n[d]: ../a/b.md#s1\n[e](../a/c)\n\
             [f](https://example.org/x.md) [g](#own) [h]({REPOSITORY}a/b.md)\n# Own\n\
             ```\n[i](nowhere.md)\n```\n"
        );
        assert_eq!(links(&text, true).len(), 8);
        assert_eq!(about("a/page.md", &text), "");
    }

    #[test]
    fn links_that_lead_nowhere_are_found() {
        let text = "[a](c.md) [b](b.md#what)\n[c]: ../b.md\n";
        let found = about("a/page.md", text);
        assert!(found.contains("a/page.md:1: a/c.md does not"), "{found}");
        assert!(found.contains(":1: a/b.md has no heading #what"), "{found}");
        assert!(found.contains(":2: b.md does not"), "{found}");
        let text = format!("//! [a]: {REPOSITORY}docs/gone.md\n//! [b](b.md)\n");
        let found = about("a/e.rs", &text);
        assert_eq!(found, "a/e.rs:1: docs/gone.md does not exist");
    }

    #[test]
    fn links_of_guides_lead_somewhere_in_the_docs_too() {
        let modules = "#[doc = \"[one]: crate::guide::b\"]\n\
             #[doc = include_str!(\"../guide/a.md\")]\npub mod a {}\n\
             #[doc = include_str!(\"../guide/b.md\")]\npub mod b {}\n";
        let sources = [
            source("facade/src/guide.rs", modules),
            source("facade/guide/a.md", "[x][one] [y](b.md)\n\n[one]: b.md\n"),
            source("facade/guide/b.md", "[x][one]\n\n[one]: a.md\n"),
        ];
        let mut complaints = Vec::new();
        check(&sources, &mut complaints);
        let nowhere = "leads nowhere in facade/src/guide.rs";
        assert_eq!(
            complaints,
            [
                format!("facade/guide/a.md:1: b.md {nowhere}"),
                format!("facade/guide/b.md:3: a.md {nowhere}"),
            ]
        );
    }
}
