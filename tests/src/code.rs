//! Reading our own Rust code: functions with their lengths, paths that are used, string literals.

use std::path::Path;

use proc_macro2::Span;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{
    Attribute, Block, Expr, ImplItemFn, Item, ItemFn, ItemMod, LitStr, Meta, Token, UseTree,
};

use crate::tree;

/// A function with a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// First line, from 1.
    pub line: usize,
    /// Lines of its body that are neither blank nor comment, as clippy counts them.
    pub lines: usize,
    /// Whether it says `#[expect(clippy::too_many_lines, reason = "...")]`.
    pub excused: bool,
}

/// A name or text that stands in the code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Line, from 1.
    pub line: usize,
    /// The path (`std::env::var`) or text.
    pub text: String,
}

/// Parses a file of the repository.
///
/// # Panics
/// When it is not Rust: it would not compile either.
#[must_use]
pub fn parse(path: &Path) -> syn::File {
    syn::parse_file(&tree::read(path)).unwrap_or_else(|e| panic!("parse {}: {e}", path.display()))
}

/// All functions of a text with a body, closures not counted.
#[must_use]
pub fn functions(text: &str, file: &syn::File) -> Vec<Function> {
    let mut collector = Functions { text: text.lines().collect(), found: Vec::new() };
    collector.visit_file(file);
    collector.found
}

/// Every path used outside of `#[cfg(test)]` code: `use` declarations flattened, expressions, types
/// and macros. Items that `#[expect]` the lint `disallowed_methods` or `disallowed_types` are left
/// out: the compiler checks their reason.
#[must_use]
pub fn paths(file: &syn::File) -> Vec<Found> {
    let mut collector = Paths { found: Vec::new() };
    collector.visit_file(file);
    collector.found
}

/// String literals outside of attributes and, unless `tests`, outside of `#[cfg(test)]` code.
#[must_use]
pub fn literals(file: &syn::File, tests: bool) -> Vec<Found> {
    let mut collector = Literals { tests, found: Vec::new() };
    collector.visit_file(file);
    collector.found
}

/// Whether an item is compiled for tests only.
fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || (attribute.path().is_ident("cfg") && mentions(attribute, "test"))
    })
}

fn is_expected(attributes: &[Attribute], lints: &[&str]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("expect")
            && attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).is_ok_and(
                |list| {
                    list.iter().any(|meta| {
                        meta.path()
                            .segments
                            .last()
                            .is_some_and(|s| lints.iter().any(|l| s.ident == l))
                    })
                },
            )
    })
}

fn mentions(attribute: &Attribute, word: &str) -> bool {
    attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).is_ok_and(|list| {
        list.iter().any(|meta| match meta {
            Meta::Path(path) => path.is_ident(word),
            Meta::List(list) => list.tokens.to_string().split(' ').any(|token| token == word),
            Meta::NameValue(_) => false,
        })
    })
}

fn item_attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        // The compiler's enum is open; what is left has no place for such attributes with us.
        Item::ExternCrate(_)
        | Item::ForeignMod(_)
        | Item::Macro(_)
        | Item::TraitAlias(_)
        | Item::Union(_)
        | Item::Verbatim(_)
        | _ => &[],
    }
}

struct Functions<'t> {
    text: Vec<&'t str>,
    found: Vec<Function>,
}

impl Functions<'_> {
    fn add(&mut self, attributes: &[Attribute], name: &syn::Ident, block: &Block) {
        let span = block.span();
        let body =
            self.text.get(span.start().line..span.end().line.saturating_sub(1)).unwrap_or(&[]);
        self.found.push(Function {
            name: name.to_string(),
            line: line(name.span()),
            lines: code_lines(body),
            excused: is_expected(attributes, &["too_many_lines"]),
        });
    }
}

/// Lines with code: not blank, not only a comment.
fn code_lines(body: &[&str]) -> usize {
    let mut in_comment = false;
    body.iter()
        .map(|line| line.trim())
        .filter(|line| {
            let starts = line.starts_with("/*");
            let commented = in_comment || starts;
            in_comment = commented && !line.contains("*/");
            !commented && !line.is_empty() && !line.starts_with("//")
        })
        .count()
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.add(&item.attrs, &item.sig.ident, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.add(&item.attrs, &item.sig.ident, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.add(&item.attrs, &item.sig.ident, block);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

struct Paths {
    found: Vec<Found>,
}

impl Paths {
    const EXCUSES: [&'static str; 2] = ["disallowed_methods", "disallowed_types"];

    fn flatten(&mut self, prefix: &str, tree: &UseTree) {
        let join = |name: &dyn std::fmt::Display| match prefix {
            "" => name.to_string(),
            _ => format!("{prefix}::{name}"),
        };
        match tree {
            UseTree::Path(path) => self.flatten(&join(&path.ident), &path.tree),
            UseTree::Name(name) => self.add(name.ident.span(), join(&name.ident)),
            UseTree::Rename(rename) => self.add(rename.ident.span(), join(&rename.ident)),
            UseTree::Glob(glob) => self.add(glob.span(), join(&"*")),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.flatten(prefix, tree);
                }
            }
        }
    }

    fn add(&mut self, span: Span, text: String) {
        self.found.push(Found { line: line(span), text });
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = item_attributes(item);
        if !is_test(attributes) && !is_expected(attributes, &Self::EXCUSES) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        if !is_expected(&item.attrs, &Self::EXCUSES) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        if !is_expected(&local.attrs, &Self::EXCUSES) {
            visit::visit_local(self, local);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.flatten("", &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        self.add(path.span(), segments.join("::"));
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        visit::visit_macro(self, item);
        // The arguments of `format!` and its like are expressions, which syn leaves as tokens.
        if let Ok(arguments) = item.parse_body_with(Punctuated::<Expr, Token![,]>::parse_terminated)
        {
            for argument in &arguments {
                self.visit_expr(argument);
            }
        }
    }
}

struct Literals {
    tests: bool,
    found: Vec<Found>,
}

impl<'ast> Visit<'ast> for Literals {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if self.tests || !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    fn visit_lit_str(&mut self, literal: &'ast LitStr) {
        self.found.push(Found { line: line(literal.span()), text: literal.value() });
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        visit::visit_macro(self, item);
        self.tokens(item.tokens.clone());
    }
}

impl Literals {
    fn tokens(&mut self, tokens: proc_macro2::TokenStream) {
        for token in tokens {
            match token {
                proc_macro2::TokenTree::Group(group) => self.tokens(group.stream()),
                proc_macro2::TokenTree::Literal(literal) => {
                    let span = literal.span();
                    if let syn::Lit::Str(text) = syn::Lit::new(literal) {
                        self.found.push(Found { line: line(span), text: text.value() });
                    }
                }
                proc_macro2::TokenTree::Ident(_) | proc_macro2::TokenTree::Punct(_) => {}
            }
        }
    }
}

fn line(span: Span) -> usize {
    span.start().line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_paths(text: &str, expected: &[&str]) {
        let file = syn::parse_file(text).unwrap();
        let found: Vec<String> = paths(&file).into_iter().map(|f| f.text).collect();
        for path in expected {
            assert!(found.iter().any(|f| f == path), "{path} not in {found:?}");
        }
        if expected.is_empty() {
            assert_eq!(found, Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn paths_are_found_wherever_they_stand() {
        check_paths(
            "use std::{env, time::{Instant as I, *}};",
            &["std::env", "std::time::Instant"],
        );
        check_paths("fn f() { let x = std::env::var(\"A\"); }", &["std::env::var"]);
        check_paths(
            "fn f(x: std::collections::HashMap<u8, u8>) {}",
            &["std::collections::HashMap"],
        );
        check_paths("fn f() { format!(\"{}\", std::process::id()); }", &["std::process::id"]);
        check_paths("impl A { fn f() { tokio::spawn(g()); } }", &["tokio::spawn"]);
    }

    #[test]
    fn tests_and_reasoned_exceptions_are_left_out() {
        check_paths("#[cfg(test)] mod t { use std::env; }", &[]);
        check_paths(
            "#[expect(clippy::disallowed_methods, reason = \"r\")] fn f() { a::b(); }",
            &[],
        );
    }

    #[test]
    fn function_lengths_count_code_only() {
        let text = "fn f() {\n    // why\n\n    g();\n    /* long\n    comment */\n    h();\n}\n";
        let found = functions(text, &syn::parse_file(text).unwrap());
        assert_eq!(found.iter().map(|f| f.lines).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn literals_inside_macros_are_seen_and_attributes_are_not() {
        let text = "#[doc = \"x\"] fn f() { g(\"a\"); h!(i(\"b\")); }\n#[cfg(test)] mod t { const C: &str = \"c\"; }";
        let file = syn::parse_file(text).unwrap();
        let texts = |tests| literals(&file, tests).into_iter().map(|f| f.text).collect::<Vec<_>>();
        assert_eq!(texts(false), ["a", "b"]);
        assert_eq!(texts(true), ["a", "b", "c"]);
    }
}
