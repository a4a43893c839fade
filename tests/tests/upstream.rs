//! Upstream's material as a second opinion: its examples against our compiler, our definitions
//! against its schema.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a missing member of a definition reads as null; a test may fail anywhere"
)]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tenure_adapters::Settings;
use tenure_definition::{Diagnostics, Plan, Severity, Source, compile};
use tenure_tests::definition::{findings, read_yaml, upstream_schema};
use tenure_tests::{markdown, tree};

/// Examples at upstream commit 4d42471.
const EXAMPLES: usize = 68;

/// What we refuse on purpose (docs/language.md, "Tasks"), as the message names it, with the examples
/// that need it. All other examples are accepted.
const REFUSED: [(&str, &[&str]); 7] = [
    (
        "call: asyncapi",
        &[
            "call-asyncapi-publish",
            "call-asyncapi-subscribe-consume-amount",
            "call-asyncapi-subscribe-consume-forever-foreach",
            "call-asyncapi-subscribe-consume-until",
            "call-asyncapi-subscribe-consume-while",
        ],
    ),
    ("call: grpc", &["call-grpc"]),
    ("call: mcp", &["call-mcp"]),
    ("call by URL", &["call-custom-function-cataloged"]),
    (
        "run.container",
        &[
            "run-container",
            "run-container-cleanup-always",
            "run-container-cleanup-eventually",
            "run-container-stdin-and-arguments",
            "run-container-with-name",
            "run-container-with-pull-policy",
            "run-return-all",
            "run-return-code",
            "run-return-none",
            "run-return-stderr",
        ],
    ),
    ("run.script", &["run-script-with-stdin-and-arguments"]),
    ("run.shell", &["run-shell-stdin-and-arguments"]),
];

const SKIPPED: &str = "set TENURE_SHARED to the folder that holds serverless-workflow/";

#[test]
fn every_upstream_example_is_accepted_or_refused_by_name() {
    let Some(folder) = tree::upstream("serverless-workflow/examples") else {
        println!("skipped: {EXAMPLES} upstream examples are not here; {SKIPPED}");
        return;
    };
    let registry = tenure_adapters::registry(Settings::default()).expect("the plugs are built");
    let refused: BTreeMap<&str, &str> = REFUSED
        .iter()
        .flat_map(|(item, names)| names.iter().map(move |name| (*name, *item)))
        .collect();
    let (mut seen, mut accepted) = (BTreeSet::new(), 0);
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let name = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).expect("a readable example");
        let errors = errors(compile(&Source { name: name.clone(), text }, registry.catalog()));
        match refused.get(name.as_str()) {
            None if errors.is_empty() => accepted += 1,
            None => wrong.push(format!("{name} should be accepted: {}", errors.join("; "))),
            Some(item) if errors.is_empty() => wrong.push(format!("{name} needs {item}")),
            Some(item) => wrong.extend(
                errors
                    .iter()
                    .filter(|error| !error.contains(item))
                    .map(|error| format!("{name} should be refused for {item} alone: {error}")),
            ),
        }
        seen.insert(name);
    }
    assert_eq!(seen.len(), EXAMPLES, "the examples are not those of the pinned commit");
    for name in refused.keys() {
        assert!(seen.contains(*name), "no example is named {name}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{accepted} of {EXAMPLES} accepted, {} refused by name", refused.len());
}

/// The errors of a definition, when it is refused.
fn errors(compiled: Result<(Plan, Diagnostics), Diagnostics>) -> Vec<String> {
    let Err(found) = compiled else { return Vec::new() };
    let errors = found.items.iter().filter(|item| item.severity == Severity::Error);
    errors.map(|item| format!("{}: {}", item.code, item.message)).collect()
}

/// A whole definition of the repository.
struct Definition {
    /// Its file, and for a block of the documentation its line.
    place: String,
    text: String,
    value: Value,
}

/// All of them: files, and the blocks of the documentation. Fragments are none.
fn definitions() -> Vec<Definition> {
    let mut texts = Vec::new();
    for path in ["yaml", "yml", "json"].iter().flat_map(|e| tree::files_with_extension(e)) {
        texts.push((path.display().to_string(), tree::read(&path)));
    }
    for path in tree::files_with_extension("md") {
        let blocks = markdown::blocks(&tree::read(&path), "yaml").into_iter();
        texts.extend(blocks.map(|b| (format!("{}:{}", path.display(), b.line), b.text)));
    }
    texts.retain(|(_, text)| text.contains("dsl"));
    let found = texts.into_iter().filter_map(|(place, text)| {
        let value = read_yaml(&text).unwrap_or_else(|error| panic!("{place} is not YAML: {error}"));
        (!value["document"]["dsl"].is_null()).then_some(Definition { place, text, value })
    });
    found.collect()
}

#[test]
fn every_definition_of_the_repository_is_valid_for_upstream() {
    let Some(schema) = upstream_schema() else {
        println!("skipped: the upstream schema is not here; {SKIPPED}");
        return;
    };
    let definitions = definitions();
    let places: Vec<&str> = definitions.iter().map(|found| found.place.as_str()).collect();
    let count = |folder: &str| places.iter().filter(|place| place.starts_with(folder)).count();
    // The search itself must find something, or the test says nothing.
    assert!(count("workflows/") >= 3 && count("docs/") >= 1, "found only {places:?}");
    let mut wrong = Vec::new();
    for Definition { place, value, .. } in &definitions {
        wrong.extend(findings(&schema, value).into_iter().map(|found| format!("{place}: {found}")));
    }
    println!("{} definitions", definitions.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_definition_of_the_documentation_registers() {
    let registry = tenure_adapters::registry(Settings::default()).expect("the plugs are built");
    let mut wrong = String::new();
    for Definition { place, text, .. } in definitions() {
        if place.contains(".md:")
            && let Err(found) = compile(&Source { name: place, text }, registry.catalog())
        {
            wrong.push_str(&found.render(false));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
