//! YAML texts, ordinary and hostile.

use std::fmt::Write as _;

use serde_json::json;

use super::*;
use crate::diagnostic::Diagnostics;

fn run(text: &str) -> (Option<Node>, Diagnostics) {
    let source = Source { name: "t.yaml".to_owned(), text: text.to_owned() };
    let lines = Lines::new(&source.text);
    let mut report = Report::default();
    let root = read(&source, &lines, &mut report);
    (root, report.finish(&source))
}

#[test]
fn every_key_and_value_has_its_place_and_pointer() {
    let (root, found) = run("on: NO\nlist:\n  - ä: 'x'\n    b/c: 2\n");
    assert!(found.items.is_empty(), "{}", found.render(false));
    let root = root.unwrap();
    assert_eq!(root.to_json(), json!({"on": "NO", "list": [{"ä": "x", "b/c": 2}]}));
    let list = root.get("list").unwrap();
    assert_eq!((list.at.span.line, list.at.span.column, list.at.span.length), (2, 1, 4));
    let item = root.at_pointer("/list/0").unwrap();
    let entry = item.get("b/c").unwrap();
    assert_eq!(entry.at.pointer, "/list/0/b~1c");
    assert_eq!((entry.at.span.line, entry.at.span.column), (4, 5));
    assert_eq!((entry.node.at.span.line, entry.node.at.span.column), (4, 10));
    let quoted = &item.get("ä").unwrap().node;
    assert_eq!((quoted.at.span.column, quoted.at.span.length), (8, 3));
}

#[test]
fn aliases_repeat_a_node_at_its_new_pointer() {
    let (root, found) = run("a: &x {b: [1]}\nc: *x\n");
    assert!(found.items.is_empty(), "{}", found.render(false));
    let root = root.unwrap();
    assert_eq!(root.at_pointer("/c/b/0").unwrap().at.pointer, "/c/b/0");
}

fn refused(text: &str, code: &str, line: usize, column: usize) {
    let (_, found) = run(text);
    let short: String = text.chars().take(60).collect();
    let item = found.items.first().unwrap_or_else(|| panic!("nothing found in {short}"));
    let place = (item.code, item.span.line, item.span.column);
    assert_eq!(place, (code, line, column), "{short}: {}", item.message);
}

#[test]
fn broken_texts_are_refused_with_a_place() {
    refused("", "syntax", 1, 1);
    refused("a: [1, 2", "syntax", 1, 4);
    refused("a: 1\n---\nb: 2\n", "syntax", 2, 1);
    refused("a: 1\nb: 2\na: 3\n", "duplicate-key", 3, 1);
    refused("zip: 01234\n", "bad-scalar", 1, 6);
    refused("a: !secret x\n", "bad-scalar", 1, 12);
    refused("? [a]\n: b\n", "syntax", 1, 3);
    refused("a: *nowhere\n", "syntax", 1, 4);
    refused("%YAML 1.1\n---\na: yes\n", "syntax", 1, 1);
}

#[test]
fn hostile_texts_end_fast() {
    let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(laughs, "a{level}: &a{level} [{below}]").unwrap();
    }
    let code_of = |text: &str| run(text).1.items.first().map(|item| item.code);
    assert_eq!(code_of(&laughs), Some("too-large"));
    assert_eq!(code_of(&"- ".repeat(100_000)), Some("too-deep"));
    // The parser's own limit of open brackets is met first.
    assert_eq!(code_of(&"[".repeat(100_000)), Some("syntax"));
    assert_eq!(code_of(&"{a: ".repeat(100_000)), Some("syntax"));
    assert_eq!(code_of(&"- x\n".repeat(60_000)), Some("too-large"));
    assert_eq!(code_of("a: &a [*a]\n"), Some("syntax"));
}
