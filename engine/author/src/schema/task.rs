//! Tasks of every kind.

use serde_json::{Map, Value, json};
use tenure_adapter::Catalog;

use super::{function, object, of, refused, text};

/// The kinds that are told by one key alone.
const KINDS: [&str; 10] =
    ["call", "emit", "fork", "listen", "raise", "run", "set", "switch", "try", "wait"];

pub(super) fn definitions(catalog: &Catalog) -> Value {
    json!({
        "tasks": {
            "type": "array",
            "minItems": 1,
            "description": "Tasks, each as `- name: {...}`.",
            "items": {
                "type": "object",
                "minProperties": 1,
                "maxProperties": 1,
                "additionalProperties": { "$ref": "#/$defs/task" },
                "propertyNames": { "not": { "enum": ["continue", "exit", "end"] } },
            },
        },
        "task": task(catalog),
        "for": object("Repeats `do` for each item.", &["in"], &json!({
            "each": text("Variable of the item, without `$`; `item` by default."),
            "in": { "type": ["string", "array"], "description": "The items: an expression, or a list." },
            "at": text("Variable of the index, without `$`; `index` by default."),
        })),
        "fork": object("Runs branches side by side; the output is a list in declared order.", &["branches"], &json!({
            "branches": of("tasks", "The branches, one task each."),
            "compete": { "type": "boolean", "default": false, "description": "The first successful branch wins, the others are cancelled." },
        })),
        "run": object("Runs another definition as a child.", &["workflow"], &json!({
            "workflow": object("Which definition.", &["namespace", "name"], &json!({
                "namespace": of("label", "Its namespace."),
                "name": of("label", "Its name."),
                "version": {
                    "description": "Its version, in quotes, or `latest` (settled once, at the start of the child).",
                    "anyOf": [{ "const": "latest" }, { "$ref": "#/$defs/version" }],
                },
                "input": { "description": "The child's input." },
            })),
            "await": { "type": "boolean", "default": true, "description": "Whether to wait for its end." },
            "return": refused("It is for processes; shape the output with `output.as`."),
            "container": refused("A definition runs no programs on the server: call a function of the catalog."),
            "script": refused("A definition runs no programs on the server: call a function of the catalog, or use jq."),
            "shell": refused("A definition runs no programs on the server: call a function of the catalog."),
        })),
        "switch": {
            "type": "array",
            "minItems": 1,
            "description": "Cases, tried in order; one without `when` always fits.",
            "items": {
                "type": "object",
                "minProperties": 1,
                "maxProperties": 1,
                "additionalProperties": object("A case.", &["then"], &json!({
                    "when": of("code", "Whether it fits."),
                    "then": of("then", "Where to go."),
                })),
            },
        },
    })
}

fn task(catalog: &Catalog) -> Value {
    let mut ways: Vec<Value> = KINDS.iter().map(|kind| json!({ "required": [kind] })).collect();
    ways.push(json!({ "required": ["for"] }));
    ways.push(json!({ "required": ["do"], "not": { "required": ["for"] } }));
    json!({
        "type": "object",
        "description": "A task: exactly one of call, do, emit, for, fork, listen, raise, run, set, switch, try, wait.",
        "properties": properties(catalog),
        "additionalProperties": false,
        "oneOf": ways,
        "dependentRequired": {
            "with": ["call"],
            "for": ["do"],
            "while": ["for"],
            "foreach": ["listen"],
            "try": ["catch"],
            "catch": ["try"],
        },
        "allOf": function::arguments(catalog),
    })
}

fn properties(catalog: &Catalog) -> Value {
    let base = json!({
        "if": of("code", "Skip the task unless this holds; `.` is the raw input."),
        "input": of("input", "What goes in."),
        "output": of("output", "What comes out."),
        "export": of("export", "What is kept in `$context`."),
        "timeout": of("timeout", "Longest life of the task."),
        "then": of("then", "Where to go afterwards."),
        "metadata": of("taskMetadata", "Tenure's extensions, and the author's own keys."),
    });
    let kinds = json!({
        "call": function::call(catalog),
        "with": { "type": ["object", "string"], "description": "The arguments; each may be an expression, and so may the whole." },
        "do": of("tasks", "Tasks one after another."),
        "emit": of("emit", "Sends an event."),
        "for": of("for", "Repeats `do` for each item; each turn's input is the previous turn's output."),
        "while": of("code", "Another turn only while this holds."),
        "fork": of("fork", "Runs branches side by side."),
        "listen": of("listen", "Waits for events."),
        "foreach": of("foreach", "What is done with each event."),
        "raise": of("raise", "Raises an error."),
        "run": of("run", "Runs another definition."),
        "set": {
            "description": "The output, as an object with expressions, or as one expression. It replaces, and never merges.",
            "anyOf": [{ "type": "object", "minProperties": 1 }, { "type": "string" }],
        },
        "switch": of("switch", "Goes one of several ways."),
        "try": of("tasks", "Tasks that may fail."),
        "catch": of("catch", "What is done when they fail."),
        "wait": of("duration", "Waits this long; survives restarts."),
    });
    let mut all = Map::new();
    for part in [base, kinds] {
        if let Value::Object(part) = part {
            all.extend(part);
        }
    }
    Value::Object(all)
}
