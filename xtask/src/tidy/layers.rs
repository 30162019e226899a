//! Folders of core use only folders below them, so that there are no circles.

use std::collections::HashMap;

use super::{Source, code_lines};

/// The folders, from the lowest to the highest.
const LAYERS: [&str; 11] = [
    "base",
    "message",
    "event",
    "wake",
    "contract",
    "delivery",
    "socket",
    "program",
    "heartbeat",
    "reconnect",
    "mock",
];

/// The files that may use what is above them, and why.
const EXCEPTIONS: [&str; 2] = [
    // A mock stands in for a transport of any type.
    "core/src/socket/carrier.rs",
    // A test.
    "core/src/reconnect/leaks.rs",
];

const ROOT: &str = "core/src/lib.rs";

pub(super) fn check(sources: &[Source], complaints: &mut Vec<String>) {
    let root = sources.iter().find(|source| source.path == ROOT);
    let exported = root.map(|root| exported(&root.text)).unwrap_or_default();
    for source in sources {
        let Some(own) = source.path.strip_prefix("core/src/").and_then(folder) else {
            continue;
        };
        if EXCEPTIONS.contains(&source.path.as_str()) {
            continue;
        }
        let code: String = code_lines(&source.text)
            .take_while(|(_, code)| !code.contains("#[cfg(test)]") && !code.contains("(all(test"))
            .map(|(_, code)| format!("{code}\n"))
            .collect();
        for name in names(&code) {
            let used = exported.get(name).copied().or_else(|| layer(name));
            if let Some(used) = used.filter(|used| *used > own) {
                complaints.push(format!(
                    "{}: uses {name}, which is in {}, above {}",
                    source.path, LAYERS[used], LAYERS[own]
                ));
            }
        }
    }
}

fn layer(folder: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| *layer == folder)
}

/// The layer of a file in core.
fn folder(path: &str) -> Option<usize> {
    layer(path.split_once('/')?.0)
}

/// What the root of core exports, and the layer that it comes from.
fn exported(root: &str) -> HashMap<&str, usize> {
    let mut exported = HashMap::new();
    for statement in root.split(';') {
        let Some((_, path)) = statement.split_once("pub use ") else {
            continue;
        };
        let Some(layer) = path.split_once("::").and_then(|(first, _)| layer(first)) else {
            continue;
        };
        for word in words(path) {
            exported.insert(word, layer);
        }
    }
    // The folders' own names, and those of their files, say nothing here.
    exported.retain(|word, _| layer(word).is_none());
    exported
}

/// The first names after `crate::`, also those in braces.
fn names(code: &str) -> impl Iterator<Item = &str> {
    code.split("crate::").skip(1).flat_map(|rest| {
        let list = match rest.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap_or_default(),
            None => words(rest).next().unwrap_or_default(),
        };
        words(list)
    })
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(path: &str, text: &str) -> Vec<String> {
        let root = "pub use socket::WebSocket;\npub use event::error::{NewError, OpenError};\n";
        let source = |path: &str, text: &str| Source {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        let mut complaints = Vec::new();
        check(&[source(ROOT, root), source(path, text)], &mut complaints);
        complaints
    }

    #[test]
    fn what_lies_above_is_found() {
        let text = "use crate::{\n    NewError, WebSocket,\n};\n";
        assert_eq!(about("core/src/event/a.rs", text).len(), 1);
        assert!(about("core/src/program/a.rs", text).is_empty());
        assert_eq!(about("core/src/base/a.rs", text).len(), 2);
        let text = "use crate::socket::carrier::Carrier;\n";
        assert_eq!(about("core/src/wake/mod.rs", text).len(), 1);
        assert!(about("core/src/socket/mod.rs", text).is_empty());
    }

    #[test]
    fn comments_and_tests_may_name_anything() {
        let text = "// crate::WebSocket\n#[cfg(test)]\nmod tests {\n    use crate::WebSocket;\n}\n";
        assert!(about("core/src/base/a.rs", text).is_empty());
    }
}
