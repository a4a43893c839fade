//! Small values that many places share.

use serde_json::{Value, json};

use super::{object, of, text};

/// Whether a text holds an expression.
pub(super) const EXPRESSION: &str = "\\$\\{";

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
        "authentication": authentication(),
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

/// A policy, or its name.
fn authentication() -> Value {
    let secret = |scheme: &str| {
        object(
            "",
            &["use"],
            &json!({
                "use": text(&format!("A secret whose value is the whole {scheme} policy as JSON text.")),
            }),
        )
    };
    let scheme = |name: &str, words: &str, needs: &[&str], fields: &Value| json!({ "description": words, "anyOf": [object("", needs, fields), secret(name)] });
    let list = |words: &str| json!({ "type": "array", "items": { "type": "string" }, "description": words });
    let token = |words: &str| {
        object(words, &[], &json!({ "token": text("The token."), "type": text("Its type.") }))
    };
    let mut oauth = json!({
        "authority": text("Where tokens come from."),
        "grant": { "enum": ["client_credentials", "password"], "description": "How a token is got; other grants are refused." },
        "client": object("Who asks.", &[], &json!({
            "id": text("Its name."),
            "secret": text("Its secret: `${ $secrets.NAME }`."),
            "assertion": text("A signed statement of its own."),
            "authentication": { "enum": ["client_secret_post", "client_secret_basic", "client_secret_jwt", "private_key_jwt", "none"] },
        })),
        "request": object("", &[], &json!({ "encoding": text("Media type of the request for a token.") })),
        "issuers": list("Who may have issued the token."),
        "scopes": list("What the token is for."),
        "audiences": list("Whom the token is for."),
        "username": text("For the grant `password`."),
        "password": text("For the grant `password`."),
        "subject": token("On whose behalf."),
        "actor": token("Who acts."),
    });
    let oidc = oauth.clone();
    if let Some(fields) = oauth.as_object_mut() {
        let endpoints = json!({
            "token": text("Path of the endpoint for tokens."),
            "revocation": text("Path for revocation."),
            "introspection": text("Path for introspection."),
        });
        fields.insert("endpoints".to_owned(), object("Below the authority.", &[], &endpoints));
    }
    let needs = ["authority", "grant"];
    json!({
        "description": "How to prove who we are: inline, or `use` with a name of `use.authentications`.",
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "properties": {
            "use": text("A name of `use.authentications`."),
            "basic": scheme("basic", "Name and password.", &["username", "password"], &json!({
                "username": text("The name."),
                "password": text("The password: `${ $secrets.NAME }`."),
            })),
            "bearer": scheme("bearer", "A token.", &["token"], &json!({
                "token": text("The token: `${ $secrets.NAME }`."),
            })),
            "oauth2": scheme("oauth2", "OAuth 2.", &needs, &oauth),
            "oidc": scheme("oidc", "OpenID Connect.", &needs, &oidc),
            "digest": super::refused("Use basic over https, bearer, oauth2 or oidc."),
            "certificate": super::refused("Use basic over https, bearer, oauth2 or oidc."),
        },
        "additionalProperties": false,
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
