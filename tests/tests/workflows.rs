//! Every definition we ship registers: it compiles against the real catalog. That upstream's own
//! schema accepts it, and every other definition of the repository, is proved in `upstream.rs`.

use std::path::PathBuf;

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
