//! The formatter on whole definitions and on generated ones.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tenure_author::format::{Error, format};
use tenure_definition::Source;
use tenure_definition::canonical::canonical;
use tenure_definition::json::read_json;

use crate::kit::{ours, upstream};

fn source(text: &str) -> Source {
    Source { name: "t.yaml".to_owned(), text: text.to_owned() }
}

/// Formatted once, it stays; it says the same; no comment is lost. `None` when it is not YAML.
fn check(text: &str) -> Option<String> {
    let once = match format(&source(text)) {
        Ok(once) => once,
        Err(Error::Unreadable(_)) => return None,
        Err(error) => panic!("{error}\n{text}"),
    };
    let again = format(&source(&once)).unwrap_or_else(|error| panic!("{error}\n{once}"));
    assert_eq!(again, once, "formatting twice is not formatting once:\n{text}");
    let before = canonical(&read_json(&source(text)).unwrap());
    assert_eq!(before, canonical(&read_json(&source(&once)).unwrap()), "{text}");
    assert!(once.ends_with('\n') && !once.contains(" \n"), "blanks at an end:\n{once}");
    Some(once)
}

#[test]
fn all_definitions_are_formatted_without_change_of_meaning() {
    for found in ours().iter().chain(&upstream()) {
        assert!(check(&found.text).is_some(), "{} is not read", found.name);
    }
}

/// What we ship is written as we tell others to write.
#[test]
fn our_definitions_are_formatted() {
    for found in ours() {
        let formatted = format(&source(&found.text)).unwrap();
        let diff = tenure_author::format::diff(&found.name, &found.text, &formatted);
        assert!(diff.is_empty(), "run `tenure fmt workflows/*/workflow.yaml`:\n{diff}");
    }
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        Just(json!(true)),
        any::<i32>().prop_map(|n| json!(n)),
        "[a-zA-Z0-9 #:'\"\\-\\[{|>&*]{0,12}".prop_map(|text| json!(text)),
        Just(json!("line one\nline two\n  deeper\n")),
        Just(json!("${ .a + \"b\" }")),
    ]
}

fn tree() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        Just("do"),
        Just("set"),
        Just("then"),
        Just("if"),
        Just("catch"),
        Just("try"),
        Just("input"),
        Just("output"),
        Just("document"),
        Just("name"),
        Just("on"),
    ];
    leaf().prop_recursive(5, 40, 4, move |inner| {
        let key = key.clone().prop_map(str::to_owned);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((key, inner), 0..4)
                .prop_map(|all| Value::Object(all.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Writes a value as an author might: some indentation, comments here and there.
fn write(value: &Value, column: usize, style: &mut impl Iterator<Item = u8>, out: &mut String) {
    let blanks = |count: usize| " ".repeat(count);
    let mut pick = |choices: u8| style.next().unwrap_or(0) % choices;
    match value {
        Value::Object(fields) if !fields.is_empty() && pick(4) > 0 => {
            out.push('\n');
            for (key, value) in fields {
                comment(column, style, out);
                out.push_str(&format!("{}{key}:", blanks(column)));
                let deeper = column + 1 + usize::from(style.next().unwrap_or(0) % 4);
                write(value, deeper, style, out);
            }
        }
        Value::Array(items) if !items.is_empty() && pick(4) > 0 => {
            out.push('\n');
            for item in items {
                comment(column, style, out);
                out.push_str(&format!("{}-", blanks(column)));
                write(item, column + 2, style, out);
            }
        }
        Value::String(text) if text.contains('\n') => {
            out.push_str(" |\n");
            for line in text.lines() {
                out.push_str(&format!("{}{line}\n", blanks(column)));
            }
        }
        other => {
            out.push_str(&format!(" {other}"));
            if pick(4) == 0 {
                out.push_str("  # behind");
            }
            out.push('\n');
        }
    }
}

fn comment(column: usize, style: &mut impl Iterator<Item = u8>, out: &mut String) {
    match style.next().unwrap_or(0) % 8 {
        0 => out.push_str(&format!("{}# above\n", " ".repeat(column))),
        1 => out.push('\n'),
        2 => out.push_str("# at the edge\n"),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn generated_texts_keep_their_meaning_and_their_comments(
        value in tree(),
        style in prop::collection::vec(any::<u8>(), 0..120),
    ) {
        let mut text = String::new();
        write(&json!({ "document": value }), 0, &mut style.into_iter(), &mut text);
        check(&text);
    }

    /// Comments anywhere: where they are none (in a text), they are part of it and stay too.
    #[test]
    fn comments_survive_wherever_they_are_written(
        which in 0_usize..100,
        places in prop::collection::vec((0_usize..400, 0_usize..12), 1..6),
    ) {
        let all: Vec<_> = ours().into_iter().chain(upstream()).collect();
        let mut lines: Vec<String> =
            all[which % all.len()].text.lines().map(str::to_owned).collect();
        for (line, column) in places {
            let at = line % lines.len();
            lines.insert(at, format!("{}# inserted {line}", " ".repeat(column)));
        }
        check(&format!("{}\n", lines.join("\n")));
    }
}
