//! Errors, and what becomes of them.

use serde_json::{Value, json};

use super::{object, of, text};

pub(super) fn definitions() -> Value {
    json!({
        "error": object("An error.", &["type", "status"], &json!({
            "type": text("A URI that names the kind of error."),
            "status": {
                "description": "An HTTP-like status, 100 to 599.",
                "anyOf": [
                    { "type": "integer", "minimum": 100, "maximum": 599 },
                    { "$ref": "#/$defs/expression" },
                ],
            },
            "title": text("A few words."),
            "detail": text("What happened this time."),
            "instance": text("Ignored: the server sets the task's JSON pointer."),
        })),
        "raise": object("Raises an error.", &["error"], &json!({
            "error": {
                "description": "The error, or a name of `use.errors`.",
                "anyOf": [{ "type": "string" }, { "$ref": "#/$defs/error" }],
            },
        })),
        "catch": object("What is done with an error of `try`: retries first, then `do`.", &[], &json!({
            "errors": object("Which errors.", &["with"], &json!({
                "with": object("Every property given must be equal.", &[], &json!({
                    "type": text("Type URI."),
                    "status": { "type": "integer", "description": "Status." },
                    "instance": text("JSON pointer of the failing task."),
                    "title": text("Title."),
                    "detail": text("Detail."),
                    "details": text("The old name of `detail`."),
                })),
            })),
            "as": text("Variable of the error, without `$`; `error` by default."),
            "when": of("code", "Only errors for which this holds; `.` is the error."),
            "exceptWhen": of("code", "Not errors for which this holds."),
            "retry": {
                "description": "A retry policy, or a name of `use.retries`.",
                "anyOf": [{ "type": "string" }, { "$ref": "#/$defs/retry" }],
            },
            "do": of("tasks", "What is done once, when the retries are used up."),
            "then": of("then", "Where to go after a caught error."),
        })),
        "retry": object("A retry policy.", &[], &json!({
            "when": of("code", "Retry only when this holds."),
            "exceptWhen": of("code", "Do not retry when this holds, for example `${ .data?.reason? == \"invalid\" }`."),
            "delay": of("duration", "Before the first retry."),
            "backoff": {
                "type": "object",
                "description": "How the delay grows: `{constant: {}}`, `{linear: {}}` or `{exponential: {}}`.",
                "minProperties": 1,
                "maxProperties": 1,
                "properties": {
                    "constant": growth("The same each time."),
                    "linear": growth("delay·n."),
                    "exponential": growth("delay·2^(n−1)."),
                },
                "additionalProperties": false,
            },
            "jitter": object("A derived part added to each delay.", &["from", "to"], &json!({
                "from": of("duration", "At least."),
                "to": of("duration", "At most."),
            })),
            "limit": object("When to give up.", &[], &json!({
                "attempt": object("Each attempt.", &[], &json!({
                    "count": { "type": "integer", "minimum": 0, "description": "Retries after the first run." },
                    "duration": of("duration", "Longest life of one run of the list."),
                })),
                "duration": of("duration", "No retry starts later than this after the first run began."),
            })),
        })),
    })
}

fn growth(description: &str) -> Value {
    json!({ "type": ["object", "null"], "maxProperties": 0, "description": description })
}
