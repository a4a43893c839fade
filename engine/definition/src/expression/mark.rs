//! Marks that stand for secrets while values travel through expressions.
//!
//! `$secrets.name` gives a mark and never a value. What comes in from outside is cleared of marks, but
//! functions that decode text (`fromjson`, `@base64d`, `implode`) could make new ones out of a
//! customer's words. So a result keeps only marks that its input or variables had.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::Value;

/// Opens a mark: a code point of the private use area, which no YAML author types by accident.
pub const OPEN: char = '\u{E000}';
/// Closes a mark.
pub const CLOSE: char = '\u{E001}';

/// Takes marks out of a result that none of its sources had.
pub(super) fn keep_known<'a>(
    result: &mut Value,
    sources: impl IntoIterator<Item = Cow<'a, Value>>,
) {
    if !has(result) {
        return;
    }
    let mut known = BTreeSet::new();
    for source in sources {
        collect(&source, &mut known);
    }
    clear(result, &known);
}

/// Whether there is any mark in a value.
pub(super) fn has(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(OPEN),
        Value::Array(items) => items.iter().any(has),
        Value::Object(fields) => fields.iter().any(|(key, field)| key.contains(OPEN) || has(field)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn collect(value: &Value, known: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => marks(text, known),
        Value::Array(items) => items.iter().for_each(|item| collect(item, known)),
        Value::Object(fields) => {
            for (key, field) in fields {
                marks(key, known);
                collect(field, known);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn marks(text: &str, known: &mut BTreeSet<String>) {
    let closed = text.split(OPEN).skip(1).filter_map(|part| part.split_once(CLOSE));
    known.extend(closed.map(|(mark, _)| mark.to_owned()));
}

fn clear(value: &mut Value, known: &BTreeSet<String>) {
    match value {
        Value::String(text) => {
            if text.contains(OPEN) {
                *text = cleared(text, known);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| clear(item, known)),
        Value::Object(fields) => {
            if fields.keys().any(|key| key.contains(OPEN)) {
                let all = std::mem::take(fields).into_iter();
                fields.extend(all.map(|(key, field)| (cleared(&key, known), field)));
            }
            fields.values_mut().for_each(|field| clear(field, known));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn cleared(text: &str, known: &BTreeSet<String>) -> String {
    let mut parts = text.split(OPEN);
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_known = part.split_once(CLOSE).is_some_and(|(mark, _)| known.contains(mark));
        kept.push(if is_known { OPEN } else { char::REPLACEMENT_CHARACTER });
        kept.push_str(part);
    }
    kept
}
