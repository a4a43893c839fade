//! YAML texts beside the definitions (scenario files), read in the same manner: the same strict
//! YAML, the same budgets, and findings with exact places.

use serde_json::Value;

use crate::diagnostic::{self, Diagnostic, Diagnostics, Place, Report, Severity};
use crate::expression::Expression;
use crate::expression::scan::{Part, split};
use crate::read::{Node, Yaml, read};
use crate::source::{Lines, Source, Span};
use crate::template::{Piece, Template};

/// A text as a value whose every part knows its place.
#[derive(Debug)]
pub struct Tree {
    source: Source,
    root: Node,
}

impl Tree {
    /// Reads a text.
    ///
    /// # Errors
    /// What makes it unreadable: not YAML, a key written twice, too large or too deep.
    pub fn read(source: &Source) -> Result<Self, Diagnostics> {
        let lines = Lines::new(&source.text);
        let mut report = Report::default();
        let root = read(source, &lines, &mut report);
        match root {
            Some(root) if !report.has_errors() => Ok(Self { source: source.clone(), root }),
            Some(_) | None => Err(report.finish(source)),
        }
    }

    /// The text it was read from.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// All of it as JSON; keys keep their order.
    #[must_use]
    pub fn value(&self) -> Value {
        self.root.to_json()
    }

    /// The place of the value at a JSON pointer, or of the nearest value around it.
    #[must_use]
    pub fn span(&self, pointer: &str) -> Span {
        self.nearest(pointer).at.span
    }

    /// The place of the key at a JSON pointer; that of the value when it is an item of a list.
    #[must_use]
    pub fn key_span(&self, pointer: &str) -> Span {
        let (parent, _) = pointer.rsplit_once('/').unwrap_or(("", ""));
        let entries = self.root.at_pointer(parent).and_then(Node::entries).unwrap_or_default();
        let entry = entries.iter().find(|entry| entry.at.pointer == pointer);
        entry.map_or_else(|| self.span(pointer), |entry| entry.at.span)
    }

    /// A finding at a place of this text.
    #[must_use]
    pub fn error(
        &self,
        code: &'static str,
        span: Span,
        pointer: &str,
        message: impl Into<String>,
    ) -> Diagnostic {
        Diagnostic {
            code,
            severity: Severity::Error,
            message: message.into(),
            label: String::new(),
            help: None,
            span,
            pointer: pointer.to_owned(),
        }
    }

    fn nearest(&self, pointer: &str) -> &Node {
        let mut pointer = pointer;
        loop {
            if let Some(node) = self.root.at_pointer(pointer) {
                return node;
            }
            match pointer.rsplit_once('/') {
                Some((parent, _)) => pointer = parent,
                None => return &self.root,
            }
        }
    }

    /// The value at a pointer with its `${ }` compiled. `variables` are the names (without `$`)
    /// that expressions may use.
    ///
    /// # Errors
    /// Every mistake, with its place.
    pub fn template(&self, pointer: &str, variables: &[&str]) -> Result<Template, Vec<Diagnostic>> {
        let node = self.nearest(pointer);
        let lines = Lines::new(&self.source.text);
        let mut report = Report::default();
        let template = template(node, &lines, variables, &mut report);
        match template {
            Some(template) => Ok(template),
            None => Err(report.finish(&self.source).items),
        }
    }
}

fn template(
    node: &Node,
    lines: &Lines<'_>,
    variables: &[&str],
    report: &mut Report,
) -> Option<Template> {
    match &node.value {
        Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) => Some(Template::Constant(node.to_json())),
        Yaml::Text(text) => text_template(node, text, lines, variables, report),
        Yaml::List(items) => {
            let items: Vec<_> =
                items.iter().map(|item| template(item, lines, variables, report)).collect();
            Some(Template::Array(items.into_iter().collect::<Option<_>>()?))
        }
        Yaml::Map(entries) => {
            let fields: Vec<_> = entries
                .iter()
                .map(|entry| {
                    let value = template(&entry.node, lines, variables, report)?;
                    Some((entry.key.clone(), value))
                })
                .collect();
            Some(Template::Object(fields.into_iter().collect::<Option<_>>()?))
        }
    }
}

fn text_template(
    node: &Node,
    text: &str,
    lines: &Lines<'_>,
    variables: &[&str],
    report: &mut Report,
) -> Option<Template> {
    if !text.contains("${") {
        return Some(Template::Constant(Value::String(text.to_owned())));
    }
    let place =
        |from: usize, to: usize| -> Place { crate::read::locate::locate(lines, node, &(from..to)) };
    let parts = match split(text) {
        Ok(parts) => parts,
        Err(offset) => {
            report
                .error("bad-expression", &place(offset, offset + 2), "this `${` has no closing `}`")
                .label("begins here");
            return None;
        }
    };
    let whole = text.trim_start().starts_with("${") && text.trim_end().ends_with('}');
    let mut pieces = Vec::new();
    for part in parts {
        match part {
            Part::Text(range) => {
                pieces.push(Piece::Text(text.get(range).unwrap_or_default().to_owned()));
            }
            Part::Expression(range) => {
                let source = text.get(range.clone()).unwrap_or_default();
                match Expression::compile(source, variables) {
                    Ok(expression) => pieces.push(Piece::Expression(expression)),
                    Err(faults) => {
                        for fault in faults {
                            let at = place(
                                range.start + fault.range.start,
                                range.start + fault.range.end,
                            );
                            drop(
                                report.error(fault.code, &at, fault.message).maybe_help(fault.help),
                            );
                        }
                        return None;
                    }
                }
            }
        }
    }
    if whole {
        pieces.retain(|piece| !matches!(piece, Piece::Text(between) if between.trim().is_empty()));
    }
    match pieces.pop() {
        Some(Piece::Expression(expression)) if pieces.is_empty() => {
            Some(Template::Expression(expression))
        }
        last => {
            pieces.extend(last);
            Some(Template::Text(pieces))
        }
    }
}

/// `did you mean ...`, when one of the known words is near.
#[must_use]
pub fn did_you_mean<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<String> {
    diagnostic::did_you_mean(word, known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(text: &str) -> Tree {
        let source = Source { name: "t.yaml".to_owned(), text: text.to_owned() };
        Tree::read(&source).unwrap()
    }

    #[test]
    fn values_and_keys_know_their_places() {
        let tree = tree("a:\n  - b: NO\n    c: 1\n");
        assert_eq!(tree.value(), serde_json::json!({"a": [{"b": "NO", "c": 1}]}));
        let place = |span: Span| (span.line, span.column);
        assert_eq!(place(tree.span("/a/0/c")), (3, 8));
        assert_eq!(place(tree.key_span("/a/0/c")), (3, 5));
        assert_eq!(place(tree.key_span("/a/0")), (2, 5));
        // What is not there is shown where it would be.
        assert_eq!(place(tree.span("/a/0/d/e")), (2, 5));
    }

    #[test]
    fn texts_with_a_mistake_are_refused_with_the_place() {
        let source = Source { name: "t.yaml".to_owned(), text: "a: 1\na: 2\n".to_owned() };
        let found = Tree::read(&source).unwrap_err();
        assert_eq!(found.items[0].code, "duplicate-key");
        let tree = tree("a: ${ .x\n  + nope(1) }\n");
        let found = tree.template("/a", &[]).unwrap_err();
        assert_eq!((found[0].code, found[0].span.line), ("unknown-function", 2));
    }

    #[test]
    fn templates_are_completed() {
        struct Nothing;
        impl crate::expression::Scope for Nothing {
            fn get(&self, _name: &str) -> Option<std::borrow::Cow<'_, Value>> {
                None
            }
        }
        let tree = tree("a: {whole: '${ .n }', text: 'n=${ .n }', list: [1, '${ .n + 1 }']}\n");
        let template = tree.template("/a", &[]).unwrap();
        assert_eq!(
            template.eval(&serde_json::json!({"n": 2}), &Nothing),
            Ok(serde_json::json!({"whole": 2, "text": "n=2", "list": [1, 3]}))
        );
    }
}
