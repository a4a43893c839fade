//! Every definition we ship registers: it compiles against the real catalog, and upstream's own
//! schema accepts it, so that upstream's editors do too.

use std::path::PathBuf;

use serde_json::Value;
use tenure_adapters::Settings;
use tenure_definition::Source;
use tenure_tests::tree;

/// The definitions: all YAML of `workflows/` except scenarios and templates.
fn definitions() -> Vec<PathBuf> {
    let files: Vec<PathBuf> = ["yaml", "yml"]
        .iter()
        .flat_map(|extension| tree::files_with_extension(extension))
        .filter(|path| tree::is_below(path, "workflows"))
        .filter(|path| !path.components().any(|part| part.as_os_str() == "scenarios"))
        .collect();
    assert!(files.len() >= 3, "only {} definitions found in workflows/", files.len());
    files
}

#[test]
fn every_definition_compiles_against_the_real_catalog() {
    let registry = tenure_adapters::registry(Settings::default()).expect("the plugs are built");
    let mut broken = Vec::new();
    let mut names = Vec::new();
    for path in definitions() {
        let source = Source { name: path.display().to_string(), text: tree::read(&path) };
        match tenure_definition::compile(&source, registry.catalog()) {
            Ok((plan, warnings)) => {
                names.push(format!("{}/{}", plan.document.namespace, plan.document.name));
                for item in warnings.items {
                    broken.push(format!(
                        "{}:{}:{}: {} [{}]",
                        path.display(),
                        item.span.line,
                        item.span.column,
                        item.message,
                        item.code
                    ));
                }
            }
            Err(diagnostics) => {
                assert!(
                    !diagnostics.items.is_empty(),
                    "{}: refused without a word",
                    path.display()
                );
                for item in diagnostics.items {
                    broken.push(format!(
                        "{}:{}:{}: {} [{}]",
                        path.display(),
                        item.span.line,
                        item.span.column,
                        item.message,
                        item.code
                    ));
                }
            }
        }
    }
    assert!(
        broken.is_empty(),
        "shipped definitions have no errors and no warnings:\n{}",
        broken.join("\n")
    );
    let mut unique = names.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), names.len(), "two definitions have one name: {names:?}");
}

#[test]
fn every_definition_is_valid_for_upstream() {
    let Some(path) = tree::upstream("serverless-workflow/schema/workflow.yaml") else {
        eprintln!(
            "skipped 1 check: the upstream schema is not here; set TENURE_SHARED to the folder that holds \
             serverless-workflow/schema/workflow.yaml"
        );
        return;
    };
    let schema =
        read_yaml(&std::fs::read_to_string(path).expect("the upstream schema is readable"));
    let schema = jsonschema::draft202012::new(&schema).expect("the upstream schema compiles");
    let mut broken = Vec::new();
    for path in definitions() {
        let definition = read_yaml(&tree::read(&path));
        for error in schema.iter_errors(&definition) {
            broken.push(format!("{}: {}: {error}", path.display(), error.instance_path()));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    let nonsense = serde_json::json!({ "document": { "dsl": "1.0.3" }, "do": [] });
    assert!(
        !schema.is_valid(&nonsense),
        "the upstream schema accepts everything: it proves nothing"
    );
}

/// As YAML 1.2 reads it: `on` is a word, only `true` and `false` are booleans.
fn read_yaml(text: &str) -> Value {
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options(text, options).expect("YAML that reads as JSON")
}
