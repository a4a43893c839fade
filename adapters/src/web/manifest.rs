//! The manifests: the input is the contract with the compiler of the language.

use serde_json::{Value, json};
use tenure_adapter::{EffectClass, Manifest, RaisedError, RetryDefault};

use crate::manifest::{local, object, text};

/// `call: http`.
pub(crate) const HTTP: &str = "http";
/// `call: openapi`.
pub(crate) const OPENAPI: &str = "openapi";

/// Total time of one attempt, redirects and tokens included.
const DEADLINE_MS: u64 = 30_000;
/// How long an unknown service may still be acting after we stopped listening: what usual gateways
/// in front of it allow a request.
const SETTLE_MS: u64 = 60_000;
/// No proven rejection is repeated: `try` and `retry` of the definition decide. The delay is the
/// pause after a request that never left.
const RETRY: RetryDefault = RetryDefault { retries_max: 0, delay_ms: 1_000 };
/// Longest method, URI, name or other short text of the input, in characters.
const TEXT_MAX: u32 = 8_192;

/// Both manifests. The class is that of the unprotected case: the compiler replaces it by what the
/// method and the author's declaration allow.
pub(crate) fn manifests() -> Vec<Manifest> {
    vec![
        manifest(HTTP, "Sends one HTTP request.", http()),
        manifest(OPENAPI, "Calls an operation that an OpenAPI document describes.", openapi()),
    ]
}

fn manifest(name: &str, summary: &str, input: Value) -> Manifest {
    Manifest {
        class: EffectClass::AtMostOnce,
        deadline_ms: DEADLINE_MS,
        settle_ms: SETTLE_MS,
        retry: RETRY,
        errors: errors(),
        ..local(name, summary, (input, json!({})))
    }
}

fn errors() -> Vec<RaisedError> {
    vec![
        RaisedError::standard("communication", None, "a status outside 200 to 299, as it came"),
        RaisedError::standard("timeout", Some(408), "no answer in time, of a safe method"),
        RaisedError::standard("authentication", Some(401), "no token was given out"),
        RaisedError::standard("authorization", Some(403), "the token server refuses the client"),
        RaisedError::standard("configuration", Some(400), "what cannot be sent as it is written"),
    ]
}

fn http() -> Value {
    let scalar = json!({ "type": ["string", "number", "boolean"] });
    let value = json!({ "anyOf": [scalar, { "type": "array", "items": scalar }] });
    let nullable = json!({ "type": ["string", "number", "boolean", "null"] });
    let parameter = json!({ "anyOf": [nullable, { "type": "array", "items": nullable }] });
    let schema = object(
        &["method", "endpoint"],
        &common(json!({
            "method": {
                "enum": [
                    "get", "head", "options", "put", "delete", "post", "patch",
                    "GET", "HEAD", "OPTIONS", "PUT", "DELETE", "POST", "PATCH",
                ],
            },
            "endpoint": endpoint(),
            "headers": { "type": "object", "additionalProperties": value },
            "query": { "type": "object", "additionalProperties": parameter },
            "body": {},
        })),
    );
    extended(schema, &json!({ "$defs": definitions() }))
}

fn openapi() -> Value {
    let schema = object(
        &["document", "operationId"],
        &common(json!({
            "document": object(&["endpoint"], &json!({ "endpoint": endpoint() })),
            "operationId": text(TEXT_MAX),
            "parameters": { "type": "object" },
            "authentication": { "$ref": "#/$defs/authentication" },
        })),
    );
    extended(schema, &json!({ "$defs": definitions() }))
}

/// What both calls take, the compiler's own fields last.
fn common(properties: Value) -> Value {
    let shared = json!({
        "output": { "enum": ["raw", "content", "response"] },
        "redirect": { "type": "boolean" },
        "repeatable": { "type": "boolean" },
        "idempotency_header": {
            "type": "string",
            "minLength": 1,
            "maxLength": 256,
            "pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
        },
    });
    extended(properties, &shared)
}

/// An object with further fields.
fn extended(mut base: Value, more: &Value) -> Value {
    if let (Some(base), Some(more)) = (base.as_object_mut(), more.as_object()) {
        base.extend(more.clone());
    }
    base
}

fn endpoint() -> Value {
    object(
        &["uri"],
        &json!({ "uri": text(TEXT_MAX), "authentication": { "$ref": "#/$defs/authentication" } }),
    )
}

fn definitions() -> Value {
    let user = json!({ "username": { "type": "string" }, "password": { "type": "string" } });
    let user = object(&["username", "password"], &user);
    let bearer = object(&["token"], &json!({ "token": { "type": "string" } }));
    let schemes = [
        ("basic", user.clone()),
        ("bearer", bearer),
        ("digest", user),
        ("oauth2", oauth(true)),
        ("oidc", oauth(false)),
    ];
    let secret = object(&["secret"], &json!({ "secret": { "type": "string", "minLength": 1 } }));
    let schemes: Value = schemes
        .into_iter()
        .map(|(name, inline)| (name.to_owned(), json!({ "anyOf": [inline, secret] })))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let one = json!({ "minProperties": 1, "maxProperties": 1 });
    let authentication = extended(object(&[], &schemes), &one);
    json!({ "authentication": authentication })
}

fn oauth(endpoints: bool) -> Value {
    let texts = json!({ "type": "array", "items": text(TEXT_MAX) });
    let token =
        object(&["token", "type"], &json!({ "token": text(TEXT_MAX), "type": text(TEXT_MAX) }));
    let client = object(
        &[],
        &json!({
            "id": { "type": "string" },
            "secret": { "type": "string" },
            "assertion": { "type": "string" },
            "authentication": {
                "enum": [
                    "client_secret_basic", "client_secret_post", "client_secret_jwt",
                    "private_key_jwt", "none",
                ],
            },
        }),
    );
    let mut properties = json!({
        "authority": text(TEXT_MAX),
        "grant": {
            "enum": [
                "authorization_code", "client_credentials", "password", "refresh_token",
                "urn:ietf:params:oauth:grant-type:token-exchange",
            ],
        },
        "client": client,
        "scopes": texts,
        "audiences": texts,
        "issuers": texts,
        "request": object(&[], &json!({ "encoding": text(TEXT_MAX) })),
        "username": { "type": "string" },
        "password": { "type": "string" },
        "subject": token,
        "actor": token,
    });
    if endpoints {
        let paths = json!({
            "token": text(TEXT_MAX),
            "revocation": text(TEXT_MAX),
            "introspection": text(TEXT_MAX),
        });
        properties = extended(properties, &json!({ "endpoints": object(&[], &paths) }));
    }
    object(&["authority", "grant"], &properties)
}
