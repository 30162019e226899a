//! Whether every public item that programs use has an example.
//!
//! Invariant: an example is a code block in the item's own docs. That it
//! compiles, and mostly that it runs, is shown by `cargo test`.

use super::Source;

/// Where such items lie: folders, and files.
const PROGRAMS: &[&str] = &[
    "core/src/",
    "facade/src/lib.rs",
    "backend-native/src/driver/blocking.rs",
    "backend-native/src/driver/local.rs",
    "backend-native/src/driver/tokio.rs",
    "backend-native/src/options/mod.rs",
    "backend-native/src/options/proxy.rs",
    "backend-native/src/wire/deflate.rs",
];

/// What is in those folders for backends alone. `Transport` has one example
/// for all of it.
const BACKENDS: &[&str] = &[
    "core/src/base/maybe_send/page.rs",
    "core/src/base/maybe_send/threads.rs",
    "core/src/base/sync/modelled.rs",
    "core/src/base/sync/modelled/try_mutex.rs",
    "core/src/event/report.rs",
    "core/src/mock/mockable.rs",
    "core/src/mock/transport.rs",
    "core/src/mock/world.rs",
    "core/src/contract/host.rs",
    "core/src/contract/link.rs",
    "core/src/contract/request.rs",
    "core/src/contract/transport.rs",
    "core/src/contract/unsupported.rs",
];

pub(super) fn check(source: &Source, complaints: &mut Vec<String>) {
    let is_for_programs = PROGRAMS.iter().any(|path| source.path.starts_with(path));
    if !is_for_programs || BACKENDS.contains(&source.path.as_str()) {
        return;
    }
    // What stands before an item: its docs and attributes.
    let (mut excused, mut attribute, mut in_trait) = (false, false, false);
    for (index, line) in source.text.lines().enumerate() {
        let code = line.trim_start();
        if line.starts_with("mod tests") {
            break;
        }
        if attribute || code.starts_with("#[") {
            excused |= code.contains("doc(hidden)");
            attribute = !code.ends_with(']');
            continue;
        }
        if code.starts_with("///") {
            excused |= code.contains("```");
            continue;
        }
        in_trait = match line {
            "}" => false,
            _ => in_trait || line.starts_with("pub trait "),
        };
        if let Some(name) = item(line, in_trait).filter(|_| !excused) {
            complaints.push(format!(
                "{}:{}: {name} is public and has no example",
                source.path,
                index + 1
            ));
        }
        excused = false;
    }
}

/// The name of the public item that begins in a line: at the file's own level,
/// or of an `impl` or a public trait.
fn item(line: &str, in_trait: bool) -> Option<&str> {
    const TYPES: [&str; 4] = ["struct ", "enum ", "trait ", "type "];
    const MEMBERS: [&str; 3] = ["fn ", "const fn ", "const "];
    let member = match line.strip_prefix("    ") {
        Some(member) if !member.starts_with(' ') => member,
        Some(_) => return None,
        None => line,
    };
    let is_nested = member.len() < line.len();
    let rest = match member.strip_prefix("pub ") {
        Some(rest) => rest,
        None if in_trait && is_nested => member,
        None => return None,
    };
    let words = MEMBERS.iter().chain(TYPES.iter().filter(|_| !is_nested));
    let mut names = words.filter_map(|word| rest.strip_prefix(word));
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    names
        .next()
        .map(|name| name.split(|c| !is_name(c)).next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::check;

    fn about(path: &str, text: &str) -> Vec<String> {
        super::super::about(check, path, text)
    }

    #[test]
    fn what_has_an_example_or_is_not_public_is_left_alone() {
        let text = "/// A.\n///\n/// ```\n/// a();\n/// ```\n#[must_use]\npub fn a() {}\n\
            fn b() {}\npub(crate) struct C;\n#[doc(hidden)]\npub enum D {}\n\
            impl D {\n    fn e() {}\n}\n\nmod private {\n    pub trait F {}\n}\n\
            #[cfg(test)]\nmod tests {\n    pub fn g() {}\n}\n";
        assert!(about("core/src/a.rs", text).is_empty());
        assert!(about("core/src/contract/link.rs", "pub fn a() {}\n").is_empty());
    }

    #[test]
    fn what_lacks_one_is_found_at_every_level() {
        let text = "/// ```\n/// ```\npub trait A {\n    /// B.\n    fn b(&self) {\n        \
            inner();\n    }\n}\n\nimpl C {\n    #[allow(\n        clippy::x,\n        \
            reason = \"y\"\n    )]\n    pub const fn d() {}\n    pub const E: u8 = 1;\n}\n\
            pub type F = u8;\n";
        let found = about("facade/src/lib.rs", text);
        let names: Vec<&str> = found.iter().filter_map(|it| it.split(' ').nth(1)).collect();
        assert_eq!(names, ["b", "d", "E", "F"]);
        assert!(found[0].starts_with("facade/src/lib.rs:5: b is public"));
    }
}
