//! Small values that many places share.

use serde_json::{Value, json};

use super::{object, of, text};

/// Whether a text holds an expression.
pub(super) const EXPRESSION: &str = "\\$\\{";

#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn definitions() -> Value {
    json!({
        "expression": {
            "type": "string",
            "pattern": EXPRESSION,
            "description": "A jq expression, as `${ ... }`.",
        },
        "code": {
            "type": "string",
            "description": "A jq expression, with or without `${ }` around it.",
        },
        "version": {
            "type": "string",
            "pattern": "^[0-9]+\\.[0-9]+\\.[0-9]+([-+].*)?$",
            "description": "A semantic version, in quotes: '1.0.0'.",
        },
        "label": {
            "type": "string",
            "pattern": "^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$",
            "description": "Up to 63 letters, digits and hyphens.",
        },
        "duration": duration(),
        "timeout": timeout(),
        "then": {
            "type": "string",
            "description": "What comes next: `continue` (the next task), `exit` (the end of this list), `end` (of the whole workflow), or the name of a task of this list.",
            "anyOf": [{ "enum": ["continue", "exit", "end"] }, { "minLength": 1 }],
        },
        "schema": object(
            "A JSON Schema 2020-12 that the value must fit.",
            &["document"],
            &json!({
                "format": { "type": "string", "pattern": "^json(:.*)?$", "description": "`json`, the default. Other formats are refused." },
                "document": { "description": "The schema itself." },
                "resource": super::refused("Write the schema under `document`: a definition must not change with a file elsewhere."),
            }),
        ),
        "input": object("What goes in: first the schema, on the raw value, then `from`.", &[], &json!({
            "schema": of("schema", "What the raw input must fit."),
            "from": transform("What the input becomes; afterwards `.` and `$input`."),
        })),
        "output": object("What comes out: first `as`, then the schema.", &[], &json!({
            "schema": of("schema", "What the output must fit."),
            "as": transform("What the output becomes; `.` is the raw output."),
        })),
        "export": object("What is kept in `$context`: it replaces the whole context.", &[], &json!({
            "schema": of("schema", "What the context must fit."),
            "as": transform("The new context; `.` is the output. To add to it write `$context + {...}`."),
        })),
        "authentication": {
            "description": "How to prove who we are: inline, or `use` with a name of `use.authentications`.",
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "properties": {
                "use": text("A name of `use.authentications`."),
                "basic": { "type": "object", "description": "Name and password." },
                "bearer": { "type": "object", "description": "A token." },
                "oauth2": { "type": "object", "description": "OAuth 2, grant `client_credentials`." },
                "oidc": { "type": "object", "description": "OpenID Connect." },
                "digest": super::refused("Use basic over TLS, bearer or oauth2."),
                "certificate": super::refused("Configure a connection; the functions of the catalog use it."),
            },
            "additionalProperties": false,
        },
        "endpoint": {
            "description": "A URI, a URI template (`{name}` is a field of the input), an expression, or an object with `uri`.",
            "anyOf": [
                { "type": "string" },
                object("", &["uri"], &json!({
                    "uri": text("The URI, a URI template or an expression."),
                    "authentication": of("authentication", "How to prove who we are."),
                })),
            ],
        },
    })
}

fn transform(description: &str) -> Value {
    json!({ "type": ["string", "object"], "description": description })
}

fn duration() -> Value {
    let units = ["days", "hours", "minutes", "seconds", "milliseconds"];
    let mut properties = serde_json::Map::new();
    for unit in units {
        let part = json!({ "type": ["integer", "string"], "minimum": 0, "description": unit });
        properties.insert(unit.to_owned(), part);
    }
    json!({
        "description": "A duration: `{minutes: 5}`, ISO 8601 (`PT5M`, `P1M`), or an expression.",
        "anyOf": [
            {
                "type": "object",
                "minProperties": 1,
                "properties": properties,
                "additionalProperties": false,
            },
            { "type": "string", "pattern": "^(P[0-9YMWDTHS.,]+|[\\s\\S]*\\$\\{[\\s\\S]*)$" },
        ],
    })
}

fn timeout() -> Value {
    json!({
        "description": "Longest life: `{after: <duration>}`, or a name of `use.timeouts`.",
        "anyOf": [
            { "type": "string" },
            object("", &["after"], &json!({ "after": of("duration", "The time.") })),
        ],
    })
}
