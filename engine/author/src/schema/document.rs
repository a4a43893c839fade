//! The definition itself: head, reusable parts, schedule.

use serde_json::{Value, json};

use super::{object, of, refused, text};

pub(super) fn root() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Tenure workflow definition",
        "description": "A definition in the Open Workflow Specification, DSL 1.0.3, as Tenure takes it.",
        "type": "object",
        "required": ["document", "do"],
        "additionalProperties": false,
        "properties": {
            "document": of("document", "What this definition is called."),
            "input": of("input", "What an instance is started with."),
            "use": of("use", "What tasks refer to by name."),
            "schedule": of("schedule", "What starts instances besides the API."),
            "timeout": of("timeout", "Longest life of an instance."),
            "evaluate": object("How expressions are read.", &[], &json!({
                "language": { "enum": ["jq"], "description": "Only jq is known." },
                "mode": { "enum": ["strict"], "description": "Only strict: expressions stand in `${ }`. Loose mode is refused." },
            })),
            "do": of("tasks", "The tasks, one after another."),
            "output": of("output", "What an instance gives in the end."),
        },
    })
}

pub(super) fn definitions() -> Value {
    json!({
        "document": object(
            "Name and version.",
            &["dsl", "namespace", "name", "version"],
            &json!({
                "dsl": {
                    "type": "string",
                    "pattern": "^1\\.0\\.",
                    "default": "1.0.3",
                    "description": "Version of the language: '1.0.3'.",
                },
                "namespace": of("label", "Whom it belongs to."),
                "name": of("label", "Its name, for starting it and in every list."),
                "version": of("version", "Its version; a registered version never changes."),
                "title": text("For people."),
                "summary": text("For people; Markdown."),
                "tags": { "type": "object", "description": "Labels of the author's own." },
                "metadata": of("documentMetadata", "Tenure's extensions, and the author's own keys."),
            }),
        ),
        "use": object("Reusable parts.", &[], &json!({
            "secrets": {
                "type": "array",
                "items": { "type": "string" },
                "description": "Names of secrets; `$secrets.NAME` in `input.from`, call arguments and authentication.",
            },
            "authentications": named("authentication", "Ways to prove who we are, by name."),
            "catalogs": {
                "type": "object",
                "description": "Only the catalog `default` exists; it ships with the server.",
                "propertyNames": { "const": "default" },
            },
            "functions": named("task", "Tasks that `call: NAME` runs, by name."),
            "errors": named("error", "Errors that `raise` names."),
            "retries": named("retry", "Retry policies that `catch.retry` names."),
            "timeouts": {
                "type": "object",
                "description": "Timeouts, by name.",
                "additionalProperties": object("A timeout.", &["after"], &json!({ "after": of("duration", "The time.") })),
            },
            "extensions": {
                "type": "array",
                "description": "Tasks that run before or after all tasks of a kind.",
                "items": { "type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": extension() },
            },
        })),
        "schedule": {
            "type": "object",
            "description": "One of every, cron, after, on.",
            "minProperties": 1,
            "properties": {
                "every": of("duration", "At this interval."),
                "cron": { "type": "string", "description": "Five fields: minute, hour, day of month, month, day of week; in `document.metadata.zone`, else UTC.", "examples": ["0 3 * * *"] },
                "after": of("duration", "This long after the last one completed."),
                "on": of("strategy", "At these events; they are the input, as a list."),
                "read": { "enum": ["data", "envelope", "raw"], "description": "What of an event of `on` is kept." },
            },
            "dependentRequired": { "read": ["on"] },
            "additionalProperties": false,
        },
    })
}

fn named(name: &str, description: &str) -> Value {
    json!({
        "type": "object",
        "description": description,
        "additionalProperties": { "$ref": format!("#/$defs/{name}") },
    })
}

fn extension() -> Value {
    let kinds = [
        "call",
        "do",
        "emit",
        "for",
        "fork",
        "listen",
        "raise",
        "run",
        "set",
        "switch",
        "try",
        "wait",
        "all",
        "composite",
    ];
    object(
        "Tasks around tasks.",
        &["extend"],
        &json!({
            "extend": { "enum": kinds, "description": "The kind of task around which it runs." },
            "when": of("code", "Only where this holds."),
            "before": of("tasks", "What runs before."),
            "after": of("tasks", "What runs after."),
            "import": refused("Write the tasks here."),
        }),
    )
}
