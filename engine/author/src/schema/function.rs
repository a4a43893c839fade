//! The functions of the installed catalog: names to complete, and the arguments of each.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use tenure_adapter::contract::LANGUAGE_CALLS;
use tenure_adapter::{Catalog, Manifest};

use super::value::EXPRESSION;
use super::{object, of};

/// Calls the language knows by a word of its own and this server refuses.
const REFUSED: [&str; 4] = ["asyncapi", "grpc", "a2a", "mcp"];
/// Calls that the engine itself answers.
const ENGINE: [&str; 3] =
    ["human.task:1.0.0@default", "engine.compensate:1.0.0@default", "engine.rethrow:1.0.0@default"];

/// What `call` may say.
pub(super) fn call(catalog: &Catalog) -> Value {
    let mut names: Vec<String> = catalog.functions().map(Manifest::reference).collect();
    names.extend(LANGUAGE_CALLS.into_iter().chain(ENGINE).map(str::to_owned));
    names.sort();
    names.dedup();
    json!({
        "type": "string",
        "description": "`NAME:VERSION@default` of a function of the catalog (`tenure schema --list` shows them), a name of `use.functions`, http or openapi. asyncapi, grpc, a2a and mcp are refused: call a function of the catalog.",
        "anyOf": [{ "enum": names }, { "pattern": "^[A-Za-z][^\\s]*$" }],
        "not": { "anyOf": [{ "enum": REFUSED }, { "pattern": "://" }] },
    })
}

/// For each call that is known, what `with` may hold.
pub(super) fn arguments(catalog: &Catalog) -> Vec<Value> {
    let mut rules =
        vec![rule(&["http".to_owned()], &http()), rule(&["openapi".to_owned()], &openapi())];
    // The calls of the language have their own, looser form in a definition.
    let of_language = |name: &str| LANGUAGE_CALLS.contains(&name);
    for manifest in catalog.functions().filter(|manifest| !of_language(&manifest.name)) {
        rules.push(rule(&references(catalog, manifest), &with(manifest)));
    }
    rules
}

fn rule(calls: &[String], then: &Value) -> Value {
    json!({
        "if": { "properties": { "call": { "enum": calls } }, "required": ["call"] },
        "then": then,
    })
}

/// Every way to write this function and version.
fn references(catalog: &Catalog, manifest: &Manifest) -> Vec<String> {
    let Manifest { name, version, .. } = manifest;
    let major = version.split('.').next().unwrap_or(version);
    [name.clone(), format!("{name}:{major}"), format!("{name}:{version}")]
        .into_iter()
        .filter(|reference| catalog.resolve(reference) == Ok(manifest))
        .flat_map(|reference| [format!("{reference}@default"), reference])
        .collect()
}

fn with(manifest: &Manifest) -> Value {
    let mut arguments = relax(&manifest.input);
    let required = manifest.input.get("required").and_then(Value::as_array);
    let needs = required.is_some_and(|keys| !keys.is_empty());
    if let Some(choices) = arguments.get_mut("anyOf").and_then(Value::as_array_mut)
        && let Some(Value::Object(own)) = choices.first_mut()
    {
        own.insert("description".to_owned(), json!(manifest.summary));
    }
    let mut then = json!({ "properties": { "with": arguments } });
    if needs && let Some(then) = then.as_object_mut() {
        then.insert("required".to_owned(), json!(["with"]));
    }
    then
}

/// The schema of an argument, or an expression in its place, on every level. Rules that combine
/// schemas are left out: with expressions in places they would judge what cannot be known yet.
fn relax(schema: &Value) -> Value {
    let Value::Object(schema) = schema else { return schema.clone() };
    let mut kept = Map::new();
    for (key, value) in schema {
        match key.as_str() {
            "properties" => {
                let relaxed = value.as_object().into_iter().flatten();
                let relaxed = relaxed.map(|(name, part)| (name.clone(), relax(part)));
                kept.insert(key.clone(), Value::Object(relaxed.collect()));
            }
            "items" | "additionalProperties" => {
                kept.insert(key.clone(), relax(value));
            }
            "type" | "required" | "description" | "enum" | "const" | "pattern" | "minLength"
            | "maxLength" | "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum"
            | "minItems" | "maxItems" | "minProperties" | "maxProperties" | "default"
            | "examples" | "title" => {
                kept.insert(key.clone(), value.clone());
            }
            _ => {}
        }
    }
    json!({ "anyOf": [kept, { "type": "string", "pattern": EXPRESSION }] })
}

fn http() -> Value {
    let map =
        |description: &str| json!({ "type": ["object", "string"], "description": description });
    let with = object(
        "The request.",
        &["method", "endpoint"],
        &json!({
            "method": { "type": "string", "description": "GET, POST, PUT, PATCH, DELETE, HEAD or OPTIONS." },
            "endpoint": of("endpoint", "Where to."),
            "headers": map("Headers, or an expression."),
            "query": map("Parameters of the query, or an expression."),
            "body": { "description": "The body; expressions inside are evaluated." },
            "output": output(),
            "redirect": { "type": "boolean", "default": false, "description": "Whether 3xx counts as an answer." },
        }),
    );
    json!({ "required": ["with"], "properties": { "with": with } })
}

fn openapi() -> Value {
    let with = object(
        "The operation.",
        &["document", "operationId"],
        &json!({
            "document": object("The OpenAPI document.", &["endpoint"], &json!({
                "name": { "type": "string", "description": "For people." },
                "endpoint": of("endpoint", "Where it is."),
            })),
            "operationId": { "type": "string", "description": "Which operation." },
            "parameters": { "type": ["object", "string"], "description": "Its parameters, by name." },
            "authentication": of("authentication", "How to prove who we are."),
            "output": output(),
            "redirect": { "type": "boolean", "default": false, "description": "Whether 3xx counts as an answer." },
        }),
    );
    json!({ "required": ["with"], "properties": { "with": with } })
}

fn output() -> Value {
    json!({
        "enum": ["raw", "content", "response"],
        "default": "content",
        "description": "raw: base64; content: what the media type says; response: status, headers and content.",
    })
}

/// The manifests of one function, or of all, newest first.
pub(super) fn manifests(catalog: &Catalog, name: Option<&str>) -> Vec<Value> {
    let mut seen = BTreeSet::new();
    let mut all: Vec<&Manifest> = catalog
        .functions()
        .filter(|manifest| match name {
            None => true,
            Some(name) if name.contains([':', '@']) => catalog.resolve(name) == Ok(*manifest),
            Some(name) => manifest.name == name,
        })
        .collect();
    let order = |version: &str| -> Vec<u64> {
        version.split('.').map(|part| part.parse().unwrap_or(0)).collect()
    };
    all.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| order(&b.version).cmp(&order(&a.version))));
    all.retain(|manifest| seen.insert(manifest.reference()));
    all.into_iter()
        .map(|manifest| {
            let mut value = serde_json::to_value(manifest).unwrap_or(Value::Null);
            if let Some(value) = value.as_object_mut() {
                value.insert("call".to_owned(), json!(manifest.reference()));
            }
            value
        })
        .collect()
}
