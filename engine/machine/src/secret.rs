//! Secrets travel through the machine as markers: no secret value ever enters the state, the
//! journal or a log. The runtime replaces them at the moment of the call.

use serde_json::Value;

pub use tenure_definition::expression::mark::{CLOSE, OPEN};

/// The text that stands for the secret `name` (`$secrets.name`).
#[must_use]
pub fn marker(name: &str) -> String {
    format!("{OPEN}secret:{name}{CLOSE}")
}

/// Makes sure that nothing from outside reads as a marker: a customer who types one must not get a
/// secret sent to them. Only `$secrets` gives markers.
pub fn disarm(value: &mut Value) {
    match value {
        Value::String(text) => {
            if text.contains(OPEN) {
                *text = text.replace(OPEN, "\u{FFFD}");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(disarm),
        Value::Object(fields) => {
            if fields.keys().any(|key| key.contains(OPEN)) {
                let all = std::mem::take(fields).into_iter();
                fields.extend(all.map(|(key, field)| (key.replace(OPEN, "\u{FFFD}"), field)));
            }
            fields.values_mut().for_each(disarm);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_marker_typed_by_a_customer_is_a_marker_no_more() {
        let mut value = json!({ "name": [marker("zuora")], marker("key"): 1, "ok": "plain" });
        disarm(&mut value);
        let text = value.to_string();
        assert!(!text.contains(OPEN), "{text}");
        assert!(text.contains("plain"));
    }
}
