//! Functions of the default catalog that the engine carries out itself.
//!
//! They have manifests like the functions of the plugs, so that authors call them in the same way
//! and their arguments are checked in the same place; no adapter ever hears of them.

use std::sync::OnceLock;

use serde_json::json;
use tenure_adapter::{Catalog, EffectClass, Manifest, RaisedError, RetryDefault};

/// Waits for a person's decision.
pub const HUMAN_TASK: &str = "human.task";

/// Type of the event that says that a person is asked.
pub const HUMAN_TASK_OPENED: &str = "io.tenure.human-task.opened";
/// Type of the event that says that a person is no longer asked: the task was cancelled, nobody
/// decided in time, or another branch was faster.
pub const HUMAN_TASK_WITHDRAWN: &str = "io.tenure.human-task.withdrawn";
/// Type of the event that brings the decision.
pub const HUMAN_TASK_COMPLETED: &str = "io.tenure.human-task.completed";

/// Longest text of a human task's field, in characters.
const TEXT_MAX: u32 = 10_000;
/// Most assignees of a human task.
const ASSIGNEES_MAX: u32 = 100;

/// The manifests, as a catalog of their own.
pub fn catalog() -> &'static Catalog {
    static CATALOG: OnceLock<Catalog> = OnceLock::new();
    CATALOG.get_or_init(|| Catalog::new(manifests()))
}

/// Whether a name (without version and catalog) is one of these.
#[must_use]
pub fn has(name: &str) -> bool {
    catalog().functions().any(|manifest| manifest.name == name)
}

/// All of them.
fn manifests() -> [Manifest; 1] {
    [human_task()]
}

fn human_task() -> Manifest {
    let text =
        |about: &str| json!({ "type": "string", "maxLength": TEXT_MAX, "description": about });
    let duration = "when it is overdue: a duration ({days: 2}, P2D) or an instant (RFC 3339)";
    let input = json!({
        "type": "object",
        "required": ["title"],
        "additionalProperties": false,
        "properties": {
            "title": {
                "type": "string", "minLength": 1, "maxLength": TEXT_MAX,
                "description": "what is to be decided",
            },
            "description": text("what one must know to decide it"),
            "assignees": {
                "type": "array", "maxItems": ASSIGNEES_MAX, "items": text("a person or a group"),
                "description": "who may decide it",
            },
            "form": { "type": "object", "description": "JSON Schema of the decision" },
            "due": { "type": ["object", "string"], "description": duration },
        },
    });
    internal(HUMAN_TASK, "Waits for a person's decision, which is its output.", input)
}

/// A function that touches nothing outside: there is nothing to protect, to wait for or to retry.
fn internal(name: &str, summary: &str, input: serde_json::Value) -> Manifest {
    Manifest {
        name: name.to_owned(),
        version: "1.0.0".to_owned(),
        summary: summary.to_owned(),
        connection: None,
        input,
        output: json!({}),
        errors: vec![RaisedError::standard(
            "timeout",
            Some(408),
            "overdue: nobody decided by `due`",
        )],
        class: EffectClass::Natural,
        money: false,
        deadline_ms: 1,
        settle_ms: 0,
        retry: RetryDefault { retries_max: 0, delay_ms: 0 },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::schema::Schema;

    #[test]
    fn every_input_schema_compiles() {
        for manifest in manifests() {
            assert!(Schema::compile(manifest.input.clone(), &BTreeMap::new()).is_ok());
            assert!(has(&manifest.name), "{}", manifest.name);
        }
        assert!(!has("zuora.createOrder"));
    }
}
