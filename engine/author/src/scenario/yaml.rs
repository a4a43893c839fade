//! JSON as YAML in block style, ready to be pasted into a scenario.

use serde_json::Value;

use crate::format::edit::plain;

/// The lines of a value, each `indent` levels (of two blanks) deep.
pub(super) fn block(value: &Value, indent: usize) -> String {
    let mut out = String::new();
    write(value, indent, &mut out);
    out
}

fn write(value: &Value, indent: usize, out: &mut String) {
    let pad = "  ".repeat(indent);
    match value {
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                out.push_str(&pad);
                out.push_str("- ");
                let mut inner = String::new();
                write(item, indent + 1, &mut inner);
                out.push_str(inner.trim_start());
            }
        }
        Value::Object(fields) if !fields.is_empty() => {
            for (key, field) in fields {
                out.push_str(&pad);
                out.push_str(&scalar(&Value::String(key.clone())));
                out.push(':');
                if is_block(field) {
                    out.push('\n');
                    write(field, indent + 1, out);
                } else {
                    out.push(' ');
                    out.push_str(&scalar(field));
                    out.push('\n');
                }
            }
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => {
            out.push_str(&pad);
            out.push_str(&scalar(value));
            out.push('\n');
        }
    }
}

fn is_block(value: &Value) -> bool {
    match value {
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// A scalar: bare where that reads as the same text, else as JSON, which is YAML too.
fn scalar(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), plain)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_reads_as_the_same() {
        let value = json!([{
            "call": "mail.send",
            "with": {"to": "a@b.de", "n": 1, "no": "true", "list": [1, {"x": []}], "s": "a: b"},
            "done": {},
        }]);
        let text = block(&value, 1);
        assert!(text.starts_with("  - call: mail.send\n    with:\n      to: a@b.de\n"), "{text}");
        let source =
            tenure_definition::Source { name: String::new(), text: format!("calls:\n{text}") };
        let tree = tenure_definition::tree::Tree::read(&source).unwrap();
        assert_eq!(tree.value(), json!({ "calls": value }));
    }
}
