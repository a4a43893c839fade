//! `metadata.sensitive`: fields whose values no page and no answer shows.

use serde_json::Value;
use tenure_definition::Plan;

/// What stands in the place of a value.
pub const REDACTED: &str = "[redacted]";

/// Parts of a shown instance that hold its data.
const DATA: [&str; 6] = ["input", "output", "error", "context", "waiting_for", "attributes"];

/// What must not be shown of the instances of a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hidden {
    /// The values of fields with these names, at any depth.
    Fields(Vec<String>),
    /// All data: the definition is not known here, so nobody can say what is sensitive.
    Everything,
}

impl Hidden {
    /// As the definition says; everything without one.
    #[must_use]
    pub fn of(plan: Option<&Plan>) -> Self {
        plan.map_or(Self::Everything, |plan| Self::Fields(plan.extensions.sensitive.clone()))
    }

    /// Hides in a shown instance, or an item of a list.
    pub fn instance(&self, shown: &mut Value) {
        for part in DATA {
            if let Some(data) = shown.get_mut(part) {
                self.hide(data);
            }
        }
        let incidents = shown.get_mut("incidents").and_then(Value::as_array_mut);
        for incident in incidents.into_iter().flatten() {
            // Why an instance cannot move is told in words of ours; the others repeat a vendor's.
            let is_ours = incident.get("kind").and_then(Value::as_str) == Some("parked");
            if let Some(detail) = incident.get_mut("detail").filter(|_| !is_ours) {
                self.hide(detail);
            }
        }
    }

    /// Hides in a shown row of a journal. The facts keep their form; what they tell is hidden.
    pub fn journal_row(&self, shown: &mut Value) {
        let entries = shown.get_mut("entries").and_then(Value::as_array_mut);
        for entry in entries.into_iter().flatten() {
            for (name, part) in entry.as_object_mut().into_iter().flatten() {
                // The name of the fact and the place of the task are not data.
                if name != "fact" && name != "task" {
                    self.hide(part);
                }
            }
        }
    }

    fn hide(&self, value: &mut Value) {
        match self {
            Self::Everything if value.is_null() => {}
            Self::Everything => *value = Value::from(REDACTED),
            Self::Fields(names) if names.is_empty() => {}
            Self::Fields(names) => hide(value, names),
        }
    }
}

/// Values are at most as deep as an instance's data may be, which is far from any stack's end.
fn hide(value: &mut Value, names: &[String]) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| hide(item, names)),
        Value::Object(fields) => {
            for (name, field) in fields {
                if names.contains(name) {
                    *field = Value::from(REDACTED);
                } else {
                    hide(field, names);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_hidden_at_any_depth_and_nothing_else() {
        let hidden = Hidden::Fields(vec!["iban".to_owned(), "status".to_owned()]);
        let mut shown = json!({
            "id": "1",
            "status": "live",
            "input": { "name": "Ada", "iban": "DE1", "all": [{ "iban": { "a": 1 } }, 7] },
            "output": null,
            "waiting_for": [{ "kind": "retry", "error": { "data": { "iban": "DE1" } } }],
        });
        hidden.instance(&mut shown);
        let expected = json!({
            "id": "1",
            "status": "live",
            "input": { "name": "Ada", "iban": "[redacted]", "all": [{ "iban": "[redacted]" }, 7] },
            "output": null,
            "waiting_for": [{ "kind": "retry", "error": { "data": { "iban": "[redacted]" } } }],
        });
        assert_eq!(shown, expected);
    }

    #[test]
    fn facts_keep_their_form() {
        let row = json!({ "seq": 1, "entries": [
            { "fact": "task_completed", "task": "/do/0/a", "output": { "iban": "DE1", "n": 1 } },
        ]});
        let check = |hidden: Hidden, expected: Value| {
            let mut shown = row.clone();
            hidden.journal_row(&mut shown);
            assert_eq!(shown.pointer("/entries/0/output"), Some(&expected));
            assert_eq!(shown.pointer("/entries/0/fact"), Some(&json!("task_completed")));
        };
        check(Hidden::Fields(vec!["iban".to_owned()]), json!({ "iban": "[redacted]", "n": 1 }));
        check(Hidden::Fields(vec!["output".to_owned()]), json!({ "iban": "DE1", "n": 1 }));
        check(Hidden::Fields(Vec::new()), json!({ "iban": "DE1", "n": 1 }));
        check(Hidden::of(None), json!("[redacted]"));
    }
}
