//! Tenure's extensions under `metadata`, in one table. Other keys are the author's own.

use serde_json::{Map, Value, json};

use super::{object, of};

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

/// Every key of ours: its place, its words, and what it may hold.
pub(super) fn keys() -> Vec<(&'static str, Place, &'static str, Value)> {
    let mut all = of_documents();
    all.extend(of_tasks());
    all
}

fn words(words: &[&str]) -> Value {
    json!({ "enum": words })
}

fn lines(description: &str) -> Value {
    json!({ "type": "string", "minLength": 1, "description": description })
}

fn of_documents() -> Vec<(&'static str, Place, &'static str, Value)> {
    let key = object(
        "",
        &["key"],
        &json!({
            "key": lines("An expression on the input."),
            "policy": words(&["allow", "reject", "return-existing", "queue"]),
        }),
    );
    vec![
        (
            "businessKey",
            Place::Document,
            "The business's name for a run: an expression on the input, or `{key, policy}`, where the policy says what a start meets whose key already runs.",
            json!({ "anyOf": [{ "type": "string" }, key] }),
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
            "Policies of `schedule`: what overlaps, what is made up for, changes of the clock, jitter.",
            schedule(),
        ),
        (
            "searchable",
            Place::Document,
            "Attributes to find instances by: up to 16 names with expressions on the input and `$context`.",
            json!({ "type": "object", "maxProperties": 16, "additionalProperties": { "type": "string" } }),
        ),
        (
            "sensitive",
            Place::Document,
            "Names of fields whose values no page and no answer shows, at any depth.",
            json!({ "type": "array", "items": lines("Name of a field.") }),
        ),
        (
            "onCancel",
            Place::Document,
            "What a cancellation does first: `stop` (nothing, the default), or `compensate`.",
            words(&["stop", "compensate"]),
        ),
        (
            "lifecycle",
            Place::Document,
            "Which lifecycle events are published: `off` (the default), those of the `workflow`, or those of its `tasks` too.",
            words(&["off", "workflow", "tasks"]),
        ),
        (
            "migrateFrom",
            Place::Document,
            "For a later release.",
            super::refused("Instances stay with their version; remove it."),
        ),
    ]
}

fn of_tasks() -> Vec<(&'static str, Place, &'static str, Value)> {
    let keyed = object(
        "The service knows a repeated request by a key.",
        &["header", "life"],
        &json!({
            "header": lines("The header that carries the key, like Idempotency-Key."),
            "life": of("duration", "How long the service remembers a key."),
        }),
    );
    let silence = object(
        "",
        &["code", "reason"],
        &json!({
            "code": lines("The warning's code."),
            "reason": lines("Why it is right as it stands."),
        }),
    );
    vec![
        (
            "idempotencyKey",
            Place::Task,
            "Replaces the derived effect key of a call by this expression.",
            json!({ "type": "string" }),
        ),
        (
            "effect",
            Place::Task,
            "What protects this call against doubling, where no function of the catalog says it: natural, at-most-once, at-least-once (acting twice is acceptable), or keyed.",
            json!({ "anyOf": [
                words(&["natural", "at-most-once", "at-least-once"]),
                object("", &["keyed"], &json!({ "keyed": keyed })),
            ] }),
        ),
        (
            "compensate",
            Place::Task,
            "What undoes this task: the name of a function, or a list of tasks; run by `call: engine.compensate:1.0.0@default`, the last one first.",
            json!({ "anyOf": [{ "type": "string" }, of("tasks", "Their input is the output of this task.")] }),
        ),
        (
            "exclusive",
            Place::Both,
            "Name of a lock, mostly with `${ }` in it: one holder at a time in the namespace. On the document, or on a `do`.",
            json!({ "type": "string", "minLength": 1 }),
        ),
        (
            "expect",
            Place::Both,
            "How long this should take; what takes longer is noted as late, and nothing else happens.",
            json!({ "anyOf": [
                of("duration", "The time."),
                object("", &["within"], &json!({ "within": of("duration", "The time.") })),
            ] }),
        ),
        (
            "silence",
            Place::Both,
            "Warnings that are right as they stand: their codes, each with a reason.",
            json!({ "type": "array", "items": silence }),
        ),
    ]
}

fn schedule() -> Value {
    object(
        "",
        &[],
        &json!({
            "overlap": words(&["allow", "skip", "buffer-one", "cancel-previous"]),
            "catchUp": of("duration", "How old a missed firing may be to be made up for; without it none is."),
            "dst": object("What a change of the clocks does to a firing.", &[], &json!({
                "gap": words(&["next", "skip"]),
                "overlap": words(&["first", "both"]),
            })),
            "jitter": of("duration", "Each firing is carried out up to this much later."),
        }),
    )
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
