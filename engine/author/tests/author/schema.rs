//! The editor's schema on whole definitions.

use serde_json::Value;
use tenure_definition::Source;
use tenure_definition::json::read_json;

use crate::kit::{Found, catalog, ours, plan, upstream};

fn json(found: &Found) -> Value {
    let source = Source { name: found.name.clone(), text: found.text.clone() };
    read_json(&source).unwrap()
}

#[test]
fn whatever_registers_is_valid_for_editors() {
    let catalog = catalog();
    let schema = jsonschema::draft202012::new(&tenure_author::schema::schema(&catalog)).unwrap();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for found in ours().into_iter().chain(upstream()) {
        if plan(&found, &catalog).is_none() {
            continue;
        }
        seen += 1;
        let definition = json(&found);
        wrong.extend(
            schema
                .iter_errors(&definition)
                .map(|error| format!("{}: {}: {error}", found.name, error.instance_path())),
        );
    }
    assert!(seen >= 3, "only {seen} definitions were looked at");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the examples use of C items is refused while it is written.
#[test]
fn refused_examples_are_refused_by_the_editor() {
    let schema = jsonschema::draft202012::new(&tenure_author::schema::schema(&catalog())).unwrap();
    for found in upstream() {
        let exotic =
            ["run-container", "run-script", "run-shell", "call-grpc", "call-asyncapi", "call-mcp"];
        if exotic.iter().any(|word| found.name.starts_with(word)) {
            assert!(!schema.is_valid(&json(&found)), "{} is not refused", found.name);
        }
    }
}

#[test]
fn every_function_of_the_catalog_can_be_looked_up() {
    let catalog = catalog();
    for manifest in catalog.functions() {
        let found = tenure_author::schema::functions(&catalog, Some(&manifest.name));
        assert!(found.iter().any(|all| all["version"] == manifest.version.as_str()));
    }
}
