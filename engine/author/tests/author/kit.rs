//! Where definitions are found.

use std::path::{Path, PathBuf};

use tenure_adapter::Catalog;
use tenure_definition::{Plan, Source};

/// A definition's text with its name.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// The definitions of `workflows/`.
pub(crate) fn ours() -> Vec<Found> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../workflows");
    let mut folders = entries(&folder);
    folders.retain(|path| path.join("workflow.yaml").is_file());
    assert!(folders.len() >= 3, "the definitions are not where they were");
    folders.iter().map(|path| found(path, &path.join("workflow.yaml"))).collect()
}

/// The examples of the specification, where they are at hand.
pub(crate) fn upstream() -> Vec<Found> {
    let folder = "serverless-workflow/examples";
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let places = match std::env::var_os("TENURE_SHARED") {
        Some(shared) => vec![PathBuf::from(shared).join(folder)],
        None => here.ancestors().map(|above| above.join("shared").join(folder)).collect(),
    };
    let Some(folder) = places.into_iter().find(|path| path.is_dir()) else {
        println!("skipped: the upstream examples (set TENURE_SHARED to find them)");
        return Vec::new();
    };
    let mut files = entries(&folder);
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    assert_eq!(files.len(), 68, "the examples are not those of the pinned commit");
    files.iter().map(|path| found(path, path)).collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

fn found(named: &Path, file: &Path) -> Found {
    let name = named.file_stem().unwrap().to_string_lossy().into_owned();
    Found { name, text: std::fs::read_to_string(file).unwrap() }
}

/// The real catalog.
pub(crate) fn catalog() -> Catalog {
    let registry = tenure_adapters::registry(tenure_adapters::Settings::default()).unwrap();
    registry.catalog().clone()
}

/// The plan of a definition, when it registers.
pub(crate) fn plan(found: &Found, catalog: &Catalog) -> Option<Plan> {
    let source = Source { name: found.name.clone(), text: found.text.clone() };
    tenure_definition::compile(&source, catalog).ok().map(|(plan, _)| plan)
}
