//! Whether this build compiles what an attribute `cfg` stands at.
//!
//! Invariant: tests are not compiled here, as nobody mutates them.

use syn::{Attribute, Meta, Token, punctuated::Punctuated};

/// What holds besides `unix` and the features.
const HOLDS: [&str; 4] = [
    "unix",
    "debug_assertions",
    "panic = \"unwind\"",
    "target_os = \"linux\"",
];
/// Features that the tests are built without.
const WITHOUT: [&str; 2] = ["native-tls", "webpki-roots"];

pub fn is_compiled(attributes: &[Attribute]) -> bool {
    let mut all = attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("cfg"));
    all.all(|attribute| {
        attribute
            .parse_args::<Meta>()
            .is_ok_and(|condition| holds(&condition))
    })
}

fn holds(condition: &Meta) -> bool {
    match condition {
        Meta::List(list) => {
            let parse = Punctuated::<Meta, Token![,]>::parse_terminated;
            let Ok(parts) = list.parse_args_with(parse) else {
                return false;
            };
            let name = list.path.get_ident().map(ToString::to_string);
            match name.as_deref() {
                Some("not") => !parts.iter().any(holds),
                Some("any") => parts.iter().any(holds),
                Some("all") => parts.iter().all(holds),
                _ => false,
            }
        }
        Meta::NameValue(pair) if pair.path.is_ident("feature") => {
            let value = quote::ToTokens::to_token_stream(&pair.value).to_string();
            !WITHOUT.contains(&value.trim_matches('"'))
        }
        other => {
            let text = quote::ToTokens::to_token_stream(other).to_string();
            HOLDS.contains(&text.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_those_of_the_native_tests() {
        let check = |text: &str, expected: bool| {
            let condition = syn::parse_str::<Meta>(text).unwrap();
            assert_eq!(holds(&condition), expected, "{text}");
        };
        check("unix", true);
        check("test", false);
        check("not(test)", true);
        check("any(windows, feature = \"mock\")", true);
        check("all(unix, feature = \"native-tls\")", false);
        check(
            "all(target_family = \"wasm\", target_os = \"unknown\")",
            false,
        );
        check("isosocket_simulation", false);
    }
}
