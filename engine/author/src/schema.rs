//! A JSON Schema of the language for editors: what may be written where, in words for hovering,
//! with the functions of the installed catalog and their arguments.
//!
//! It is a help while writing and no judge: what needs more than shapes (names that exist,
//! expressions that compile) is told by `tenure validate`. It must never refuse what registers.

use serde_json::{Value, json};
use tenure_adapter::Catalog;

mod document;
mod event;
mod function;
mod metadata;
mod recovery;
mod task;
mod value;

/// The schema, JSON Schema 2020-12.
#[must_use]
pub fn schema(catalog: &Catalog) -> Value {
    let mut root = document::root();
    let mut parts = serde_json::Map::new();
    for definitions in [
        value::definitions(),
        document::definitions(),
        metadata::definitions(),
        event::definitions(),
        recovery::definitions(),
        task::definitions(catalog),
    ] {
        if let Value::Object(definitions) = definitions {
            parts.extend(definitions);
        }
    }
    if let Value::Object(root) = &mut root {
        root.insert("$defs".to_owned(), Value::Object(parts));
    }
    root
}

/// What is known of one function, or of all its versions: its manifests, newest first.
#[must_use]
pub fn functions(catalog: &Catalog, name: Option<&str>) -> Vec<Value> {
    function::manifests(catalog, name)
}

/// An object that has no other keys than these.
fn object(description: &str, required: &[&str], properties: &Value) -> Value {
    json!({
        "type": "object",
        "description": description,
        "required": required,
        "properties": properties,
        "additionalProperties": false,
    })
}

/// A reference to a definition, with words of its own for this place.
fn of(name: &str, description: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}"), "description": description })
}

/// Text.
fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

/// What the language has and this server refuses: named, with what to use instead.
fn refused(instead: &str) -> Value {
    json!({ "not": {}, "description": format!("Refused here. {instead}"), "deprecated": true })
}

#[cfg(test)]
mod tests;
