//! Where a file can be mutated, and how: the operators of cargo-mutants.
//!
//! Invariant: only what this build compiles is found, and no test.

use std::ops::Range;

use proc_macro2::Span;
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, BinOp, Block, Expr, Signature, UnOp};

use crate::cfg::is_compiled;
use crate::values;

/// How the text of a place is written so that it can be switched.
#[derive(Debug)]
pub enum Form {
    /// The statements of a function, before which it may return.
    Body,
    /// Two operands around an operator.
    Binary(Range<usize>, Range<usize>),
    /// The operand behind an operator.
    Unary(Range<usize>),
    /// The place behind an arm's pattern.
    Arm,
    Guard,
}

/// A place in a file, with its changes.
#[derive(Debug)]
pub struct Site {
    pub range: Range<usize>,
    pub form: Form,
    /// For a reader, and the text of the replacement.
    pub changes: Vec<(String, String)>,
    pub function: String,
    /// The constant function that it is in, if any.
    pub constant: Option<String>,
    pub line: usize,
}

/// The `const` of a function, which goes, as switching is not constant.
#[derive(Debug)]
pub struct Const {
    pub range: Range<usize>,
    pub name: String,
}

#[derive(Default)]
pub struct Found {
    pub sites: Vec<Site>,
    pub consts: Vec<Const>,
    names: Vec<String>,
    constant: Option<String>,
}

/// Finds all places of a file.
pub fn find(file: &syn::File) -> Found {
    let mut found = Found::default();
    found.visit_file(file);
    found
        .sites
        .sort_by_key(|site| (site.range.start, usize::MAX - site.range.end));
    found
}

impl Found {
    fn add(&mut self, at: Span, range: Range<usize>, form: Form, changes: Vec<(String, String)>) {
        if self.names.is_empty() || changes.is_empty() {
            return;
        }
        self.sites.push(Site {
            range,
            form,
            changes,
            function: self.names.join("::"),
            constant: self.constant.clone(),
            line: at.start().line,
        });
    }

    fn function(&mut self, signature: &Signature, block: &Block, attributes: &[Attribute]) -> bool {
        let name = signature.ident.to_string();
        let (Some(first), Some(last)) = (block.stmts.first(), block.stmts.last()) else {
            return false;
        };
        if signature.unsafety.is_some() || is_skipped(attributes) || name == "new" {
            return false;
        }
        self.constant = None;
        if let Some(word) = &signature.constness {
            self.constant = Some(name.clone());
            let range = word.span.byte_range();
            self.consts.push(Const {
                range,
                name: name.clone(),
            });
        }
        self.names.push(name);
        let whole = first.span().byte_range().start..last.span().byte_range().end;
        let body = block
            .stmts
            .iter()
            .map(|line| line.to_token_stream().to_string());
        let body = body.collect::<String>().replace(' ', "");
        let new = values::of(&signature.output).into_iter();
        // There is no such value, so it never runs.
        let new = new.filter(|_| body != "match*self{}");
        let new = new.filter(|value| body != value.replace(' ', ""));
        let changes = new.map(|value| (format!("replace the body with {value}"), value));
        self.add(first.span(), whole, Form::Body, changes.collect());
        true
    }
}

impl<'a> Visit<'a> for Found {
    fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
        if self.function(&item.sig, &item.block, &item.attrs) {
            visit::visit_item_fn(self, item);
            self.names.pop();
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'a syn::ImplItemFn) {
        if self.function(&item.sig, &item.block, &item.attrs) {
            visit::visit_impl_item_fn(self, item);
            self.names.pop();
        }
    }

    fn visit_trait_item_fn(&mut self, item: &'a syn::TraitItemFn) {
        let Some(block) = &item.default else { return };
        if self.function(&item.sig, block, &item.attrs) {
            visit::visit_trait_item_fn(self, item);
            self.names.pop();
        }
    }

    fn visit_item_impl(&mut self, item: &'a syn::ItemImpl) {
        let mut name = item.self_ty.to_token_stream().to_string();
        if let Some((_, path, _)) = &item.trait_ {
            let last = path.segments.last().map(|last| last.ident.to_string());
            let last = last.unwrap_or_default();
            // Of no use to a program: how a value looks in a log.
            if ["Default", "Debug"].contains(&last.as_str()) {
                return;
            }
            name = format!("<{last} for {name}>");
        }
        if !is_skipped(&item.attrs) {
            self.names.push(name.replace(' ', ""));
            visit::visit_item_impl(self, item);
            self.names.pop();
        }
    }

    fn visit_item_trait(&mut self, item: &'a syn::ItemTrait) {
        if !is_skipped(&item.attrs) {
            self.names.push(item.ident.to_string());
            visit::visit_item_trait(self, item);
            self.names.pop();
        }
    }

    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        if !is_skipped(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    // The length is a constant.
    fn visit_expr_repeat(&mut self, repeat: &'a syn::ExprRepeat) {
        self.visit_expr(&repeat.expr);
    }

    fn visit_type(&mut self, _: &'a syn::Type) {}
    fn visit_pat(&mut self, _: &'a syn::Pat) {}
    fn visit_expr_const(&mut self, _: &'a syn::ExprConst) {}
    fn visit_item_const(&mut self, _: &'a syn::ItemConst) {}
    fn visit_impl_item_const(&mut self, _: &'a syn::ImplItemConst) {}
    fn visit_item_static(&mut self, _: &'a syn::ItemStatic) {}
    fn visit_item_macro(&mut self, _: &'a syn::ItemMacro) {}

    fn visit_local(&mut self, local: &'a syn::Local) {
        if is_compiled(&local.attrs) {
            visit::visit_local(self, local);
        }
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::Block(syn::ExprBlock { attrs, .. }) | Expr::If(syn::ExprIf { attrs, .. }) =
            expression
            && !is_compiled(attrs)
        {
            return;
        }
        visit::visit_expr(self, expression);
    }

    fn visit_expr_binary(&mut self, binary: &'a syn::ExprBinary) {
        let old = binary.op.to_token_stream().to_string();
        let new = replacements(&binary.op).iter();
        let changes = new.map(|new| (format!("replace {old} with {new}"), (*new).to_owned()));
        // `if let A = b && c` is no value of its own.
        let is_let = |side: &Expr| matches!(side, Expr::Let(_));
        if !is_let(&binary.left) && !is_let(&binary.right) {
            let (left, right) = (bytes(&*binary.left), bytes(&*binary.right));
            let form = Form::Binary(left.clone(), right.clone());
            self.add(
                binary.op.span(),
                left.start..right.end,
                form,
                changes.collect(),
            );
        }
        visit::visit_expr_binary(self, binary);
    }

    fn visit_expr_unary(&mut self, unary: &'a syn::ExprUnary) {
        if matches!(unary.op, UnOp::Not(_) | UnOp::Neg(_)) {
            let old = unary.op.to_token_stream();
            let changes = vec![(format!("delete {old}"), String::new())];
            let form = Form::Unary(bytes(&*unary.expr));
            self.add(unary.op.span(), bytes(unary), form, changes);
        }
        visit::visit_expr_unary(self, unary);
    }

    fn visit_expr_match(&mut self, matched: &'a syn::ExprMatch) {
        let is_wild = |arm: &syn::Arm| matches!(arm.pat, syn::Pat::Wild(_));
        let has_rest = matched
            .arms
            .iter()
            .any(|arm| is_wild(arm) && arm.guard.is_none());
        for arm in matched.arms.iter().filter(|arm| is_compiled(&arm.attrs)) {
            if let Some((_, guard)) = &arm.guard {
                let word = |new: &str| (format!("replace a guard with {new}"), new.to_owned());
                let changes = ["true", "false"].map(word).to_vec();
                self.add(guard.span(), bytes(&**guard), Form::Guard, changes);
            } else if has_rest && !is_wild(arm) {
                let pattern = arm.pat.to_token_stream().to_string();
                let end = bytes(&arm.pat).end;
                let changes = vec![(format!("delete the arm {pattern}"), String::new())];
                self.add(arm.pat.span(), end..end, Form::Arm, changes);
            }
        }
        visit::visit_expr_match(self, matched);
    }
}

fn bytes(node: &impl Spanned) -> Range<usize> {
    node.span().byte_range()
}

/// Whether an item is a test, or is not compiled.
fn is_skipped(attributes: &[Attribute]) -> bool {
    let is_test = |attribute: &Attribute| attribute.path().is_ident("test");
    attributes.iter().any(is_test) || !is_compiled(attributes)
}

/// The same operators that cargo-mutants puts in the place of one.
fn replacements(operator: &BinOp) -> &'static [&'static str] {
    match operator {
        BinOp::Eq(_) => &["!="],
        BinOp::Ne(_) => &["=="],
        BinOp::And(_) => &["||"],
        BinOp::Or(_) => &["&&"],
        BinOp::Lt(_) => &["==", ">", "<="],
        BinOp::Gt(_) => &["==", "<", ">="],
        BinOp::Le(_) => &[">"],
        BinOp::Ge(_) => &["<"],
        BinOp::Add(_) => &["-", "*"],
        BinOp::AddAssign(_) => &["-=", "*="],
        BinOp::Sub(_) | BinOp::Mul(_) => &["+", "/"],
        BinOp::SubAssign(_) | BinOp::MulAssign(_) => &["+=", "/="],
        BinOp::Div(_) => &["%", "*"],
        BinOp::DivAssign(_) => &["%=", "*="],
        BinOp::Rem(_) => &["/", "+"],
        BinOp::RemAssign(_) => &["/=", "+="],
        BinOp::Shl(_) => &[">>"],
        BinOp::ShlAssign(_) => &[">>="],
        BinOp::Shr(_) => &["<<"],
        BinOp::ShrAssign(_) => &["<<="],
        BinOp::BitAnd(_) => &["|", "^"],
        BinOp::BitAndAssign(_) => &["|="],
        BinOp::BitOr(_) => &["&", "^"],
        BinOp::BitOrAssign(_) => &["&="],
        BinOp::BitXor(_) => &["|", "&"],
        BinOp::BitXorAssign(_) => &["|=", "&="],
        _ => &[],
    }
}
