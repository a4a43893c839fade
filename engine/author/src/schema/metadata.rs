//! Tenure's extensions under `metadata`, in one table. Other keys are the author's own.

use serde_json::{Map, Value, json};

use super::of;

/// Where a key has its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// `document.metadata`.
    Document,
    /// `metadata` of a task.
    Task,
    /// Both.
    Both,
}

#[expect(clippy::too_many_lines, reason = "a table")]
/// Every key of ours: its place, its words, and what it may hold.
pub(super) fn keys() -> Vec<(&'static str, Place, &'static str, Value)> {
    let expression = || json!({ "type": "string" });
    let open = || json!({});
    vec![
        (
            "businessKey",
            Place::Document,
            "The business's name for a run: an expression on the input, or an object with it and what to do when that name already runs (reject, return existing, queue behind).",
            json!({ "type": ["string", "object"] }),
        ),
        (
            "zone",
            Place::Document,
            "IANA zone of calendar durations and cron, for example Europe/Berlin; UTC without it.",
            json!({ "type": "string" }),
        ),
        (
            "schedule",
            Place::Document,
            "Policies of the schedule: overlap, catch-up window, changes of the clock, jitter.",
            json!({ "type": "object" }),
        ),
        (
            "searchable",
            Place::Document,
            "Values by which operators find an instance: names with expressions.",
            json!({ "type": ["object", "array"] }),
        ),
        (
            "sensitive",
            Place::Both,
            "What no page, log or list may show.",
            json!({ "type": ["boolean", "array", "object", "string"] }),
        ),
        (
            "onCancel",
            Place::Document,
            "What a cancellation by an operator does, for example `compensate`.",
            json!({ "type": ["string", "array", "object"] }),
        ),
        (
            "lifecycle",
            Place::Document,
            "Which lifecycle CloudEvents instances emit.",
            json!({ "type": ["boolean", "string", "array", "object"] }),
        ),
        (
            "migrateFrom",
            Place::Document,
            "Which versions an operator may move here, and where their tasks went.",
            json!({ "type": "object" }),
        ),
        (
            "idempotencyKey",
            Place::Task,
            "Replaces the derived effect key of a call by this expression.",
            expression(),
        ),
        (
            "effect",
            Place::Task,
            "The effect class of a call that has no manifest: keyed, natural, lookup, at-most-once, or at-least-once, which must be declared where an effect may happen twice.",
            json!({ "type": ["string", "object"] }),
        ),
        (
            "compensate",
            Place::Task,
            "What takes this task back: a function, or a list of tasks; run by `call: engine.compensate:1.0.0@default`, newest first.",
            json!({ "type": ["string", "array", "object"] }),
        ),
        (
            "exclusive",
            Place::Both,
            "A lock by expression: one instance at a time with the same value.",
            json!({ "type": ["string", "object"] }),
        ),
        (
            "expect",
            Place::Both,
            "How long this should take; later is shown to operators as late, and nothing is cut.",
            json!({ "type": ["string", "object"] }),
        ),
        (
            "silence",
            Place::Both,
            "Warnings that are meant so: their codes, each with a reason.",
            open(),
        ),
    ]
}

pub(super) fn definitions() -> Value {
    let section = |wanted: Place| {
        let mut properties = Map::new();
        for (name, place, words, mut schema) in keys() {
            if place != wanted && place != Place::Both {
                continue;
            }
            if let Value::Object(schema) = &mut schema {
                schema.insert("description".to_owned(), json!(words));
            }
            properties.insert(name.to_owned(), schema);
        }
        json!({
            "type": "object",
            "description": "Tenure's extensions; other keys are the author's own.",
            "properties": properties,
        })
    };
    json!({
        "documentMetadata": section(Place::Document),
        "taskMetadata": section(Place::Task),
        "metadata": of("taskMetadata", "Tenure's extensions, and the author's own keys."),
    })
}
