//! Definitions as other programs read them: YAML without our parser, and upstream's own schema.

use jsonschema::Validator;
use serde_json::Value;

use crate::tree;

/// Where upstream's schema lies below the shared material.
const SCHEMA: &str = "serverless-workflow/schema/workflow.yaml";

/// A text as YAML 1.2 reads it: `on` is a word, only `true` and `false` are booleans.
///
/// # Errors
/// The parser's.
pub fn read_yaml(text: &str) -> Result<Value, String> {
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| error.to_string())
}

/// Upstream's schema of a definition; `None` where the upstream material is not at hand.
///
/// # Panics
/// When it is at hand and is no schema, or one that accepts everything.
#[must_use]
pub fn upstream_schema() -> Option<Validator> {
    let path = tree::upstream(SCHEMA)?;
    let text = std::fs::read_to_string(path).expect("the upstream schema is readable");
    let schema = read_yaml(&text).expect("the upstream schema is YAML");
    let schema = jsonschema::draft202012::new(&schema).expect("the upstream schema compiles");
    let nonsense = serde_json::json!({ "document": { "dsl": "1.0.3" }, "do": [] });
    assert!(!schema.is_valid(&nonsense), "a schema that accepts everything proves nothing");
    Some(schema)
}

/// What the schema has against a definition, one line per finding.
#[must_use]
pub fn findings(schema: &Validator, definition: &Value) -> Vec<String> {
    schema
        .iter_errors(definition)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}
