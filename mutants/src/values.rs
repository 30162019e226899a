//! What a function may return in the place of its own value.
//!
//! Invariant: the values depend on the written type alone; the compiler refuses those that
//! do not fit, and these are no mutants.

use quote::ToTokens;
use syn::{GenericArgument, PathArguments, ReturnType, Type};

/// How many values a function gets at most.
const LIMIT: usize = 6;

/// Expressions that replace the body of a function with this return type.
pub fn of(output: &ReturnType) -> Vec<String> {
    let mut values = match output {
        ReturnType::Default => words(&["()"]),
        ReturnType::Type(_, written) => of_type(written),
    };
    values.truncate(LIMIT);
    values
}

fn of_type(written: &Type) -> Vec<String> {
    match written {
        Type::Path(path) => of_path(&path.path),
        Type::Paren(inner) => of_type(&inner.elem),
        Type::Group(inner) => of_type(&inner.elem),
        Type::Tuple(tuple) if tuple.elems.is_empty() => words(&["()"]),
        Type::Tuple(tuple) => tuple_of(tuple.elems.iter()),
        Type::Reference(reference) => of_reference(reference),
        Type::Array(array) => {
            let length = array.len.to_token_stream();
            wrap(&of_type(&array.elem), |value| {
                format!("[{value}; {length}]")
            })
        }
        // Of an `impl Trait`, a `dyn Trait` and `!` no value is known.
        _ => Vec::new(),
    }
}

fn of_reference(reference: &syn::TypeReference) -> Vec<String> {
    match &*reference.elem {
        Type::Path(path) if path.path.is_ident("str") => words(&["\"\"", "\"xyzzy\""]),
        Type::Slice(_) => words(&[
            "Vec::leak(Vec::new())",
            "Vec::leak(vec![Default::default()])",
        ]),
        inner => wrap(&of_type(inner), |value| {
            format!("Box::leak(Box::new({value}))")
        }),
    }
}

fn of_path(path: &syn::Path) -> Vec<String> {
    let Some(last) = path.segments.last() else {
        return Vec::new();
    };
    let name = last.ident.to_string();
    let inner = || match &last.arguments {
        PathArguments::AngleBracketed(all) => all.args.iter().find_map(|argument| match argument {
            GenericArgument::Type(inner) => Some(of_type(inner)),
            _ => None,
        }),
        _ => None,
    };
    let around = |form: &dyn Fn(&str) -> String| {
        inner().map_or_else(
            || words(&["Default::default()"]),
            |values| wrap(&values, form),
        )
    };
    match name.as_str() {
        "bool" => words(&["true", "false"]),
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => words(&["0", "1"]),
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => words(&["0", "1", "-1"]),
        "f32" | "f64" => words(&["0.0", "1.0", "-1.0"]),
        "String" => words(&["String::new()", "\"xyzzy\".into()"]),
        "Option" => {
            let some = around(&|value| format!("Some({value})"));
            [words(&["None"]), some].concat()
        }
        "Result" => around(&|value| format!("Ok({value})")),
        "Poll" => {
            let ready = around(&|value| format!("std::task::Poll::Ready({value})"));
            [words(&["std::task::Poll::Pending"]), ready].concat()
        }
        "Box" | "Arc" | "Rc" | "Cell" | "RefCell" | "Mutex" => {
            around(&|value| format!("{name}::new({value})"))
        }
        "Vec" => {
            let one = around(&|value| format!("vec![{value}]"));
            [words(&["vec![]"]), one].concat()
        }
        _ => words(&["Default::default()"]),
    }
}

fn tuple_of<'a>(elements: impl Iterator<Item = &'a Type>) -> Vec<String> {
    let mut all = vec![String::new()];
    for element in elements {
        let values = of_type(element);
        let longer = |start: &String| wrap(&values, |value| format!("{start}{value}, "));
        all = all.iter().flat_map(longer).collect();
    }
    wrap(&all, |values| format!("({values})"))
}

fn words(all: &[&str]) -> Vec<String> {
    all.iter().map(|word| (*word).to_owned()).collect()
}

fn wrap(values: &[String], form: impl Fn(&str) -> String) -> Vec<String> {
    values.iter().map(|value| form(value)).collect()
}
