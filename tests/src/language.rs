//! Cases of the language, one YAML file for each row of the specification's checklist and each
//! ruling of ours: a definition, what happens to it, and what must come of it. A workflow author
//! adds one without Rust.
//!
//! `case` is the form of a file, `play` runs a definition, `verdict` compares.

use std::path::PathBuf;

use anyhow::Context as _;
use walkdir::WalkDir;

use crate::{definition, tree};

pub mod case;
pub mod play;
pub mod verdict;

use case::Case;

/// Where the files lie.
const FOLDER: &str = "tests/language";

/// All cases of one row or ruling.
#[derive(Debug)]
pub struct Group {
    /// The file, relative to the top of the repository.
    pub path: PathBuf,
    /// The row or ruling it proves.
    pub row: String,
    /// Its cases.
    pub cases: Vec<Case>,
}

/// Reads every file.
///
/// # Errors
/// The first that is not of the form.
pub fn groups() -> anyhow::Result<Vec<Group>> {
    let folder = tree::root().join(FOLDER);
    let mut paths = Vec::new();
    for entry in WalkDir::new(&folder).sort_by_file_name() {
        let path = entry?.into_path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            paths.push(path);
        }
    }
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path)?;
        let shown = path.strip_prefix(tree::root()).unwrap_or(&path).to_owned();
        group(shown, &text).with_context(|| path.display().to_string())
    };
    paths.into_iter().map(read).collect()
}

fn group(path: PathBuf, text: &str) -> anyhow::Result<Group> {
    let value = definition::read_yaml(text).map_err(anyhow::Error::msg)?;
    let file: case::File = serde_json::from_value(value)?;
    let ((Some(row), None) | (None, Some(row))) = (file.row, file.ruling) else {
        anyhow::bail!("write `row` or `ruling`, one of them");
    };
    anyhow::ensure!(!file.cases.is_empty(), "a file without cases proves nothing");
    Ok(Group { path, row, cases: file.cases })
}
