//! Events: what is emitted, and what is waited for.

use serde_json::{Value, json};

use super::{object, of, text};

pub(super) fn definitions() -> Value {
    json!({
        "attributes": {
            "type": "object",
            "description": "CloudEvents attributes; the rest goes under `data`.",
            "properties": {
                "id": text("Made when absent."),
                "source": text("Where it comes from, a URI; made when absent."),
                "type": text("What happened, for example com.example.order.paid.v1."),
                "subject": text("Whom it is about."),
                "time": text("When it happened, RFC 3339, or an expression."),
                "datacontenttype": text("Media type of `data`."),
                "dataschema": text("Where the schema of `data` is."),
                "data": { "description": "What it tells." },
            },
            "propertyNames": { "pattern": "^[a-z0-9]+$" },
        },
        "emit": object("Sends an event when this step is committed, exactly when.", &["event"], &json!({
            "event": object("The event.", &["with"], &json!({
                "with": { "$ref": "#/$defs/attributes", "required": ["type"] },
            })),
        })),
        "filter": object("Which events fit.", &["with"], &json!({
            "with": { "$ref": "#/$defs/attributes", "minProperties": 1, "description": "Attributes by equality; an expression is compared with the attribute." },
            "correlate": {
                "type": "object",
                "description": "Values by which an event finds its instance, by name.",
                "additionalProperties": object("One value.", &["from"], &json!({
                    "from": of("code", "The value in the event; `.` is the event."),
                    "expect": text("What it must be; without it the first event binds it."),
                })),
            },
        })),
        "filters": { "type": "array", "items": { "$ref": "#/$defs/filter" } },
        "strategy": {
            "type": "object",
            "description": "One of one, any, all.",
            "properties": {
                "one": of("filter", "One event that fits."),
                "any": of("filters", "One event that fits any of these."),
                "all": of("filters", "One event for each of these."),
                "until": {
                    "description": "With `any`: go on taking events until this holds for the list so far, or until this event came.",
                    "anyOf": [
                        { "type": "string" },
                        { "type": "boolean" },
                        { "$ref": "#/$defs/strategy" },
                    ],
                },
            },
            "oneOf": [{ "required": ["one"] }, { "required": ["any"] }, { "required": ["all"] }],
            "dependentRequired": { "until": ["any"] },
            "additionalProperties": false,
        },
        "listen": object("Waits for events; the output is a list of them.", &["to"], &json!({
            "to": of("strategy", "What to wait for."),
            "read": { "enum": ["data", "envelope", "raw"], "default": "data", "description": "What of an event is kept." },
        })),
        "foreach": object("What is done with each event as it comes.", &[], &json!({
            "item": text("Variable of the event, without `$`; `item` by default."),
            "at": text("Variable of its index, without `$`; `index` by default."),
            "do": of("tasks", "The tasks."),
            "output": of("output", "What a turn gives."),
            "export": of("export", "What a turn keeps."),
        })),
    })
}
