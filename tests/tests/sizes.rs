//! Files and functions stay small enough to read, and every file says what it is for.

use std::path::PathBuf;

use tenure_tests::{code, tree};

/// More than any file of ours needs; aim at a third of it.
const FILE_LINES_MAX: usize = 800;
/// The same limit as clippy's `too-many-lines-threshold`, here without having to run clippy.
const FUNCTION_LINES_MAX: usize = 70;

fn rust_files() -> Vec<PathBuf> {
    let files = tree::files_with_extension("rs");
    assert!(files.len() > 30, "only {} Rust files found: the walk is broken", files.len());
    files
}

#[test]
fn files_have_at_most_800_lines() {
    let long: Vec<String> = ["rs", "sql", "yaml", "html", "css", "js"]
        .iter()
        .flat_map(|extension| tree::files_with_extension(extension))
        .map(|path| (tree::read(&path).lines().count(), path))
        .filter(|(lines, _)| *lines > FILE_LINES_MAX)
        .map(|(lines, path)| format!("{}: {lines} lines", path.display()))
        .collect();
    assert!(long.is_empty(), "split by idea (style: one file, one idea):\n{}", long.join("\n"));
}

#[test]
fn functions_have_at_most_70_lines_or_a_reason() {
    let mut counted = 0_usize;
    let mut long = Vec::new();
    for path in rust_files() {
        let functions = code::functions(&tree::read(&path), &code::parse(&path));
        counted += functions.len();
        for function in functions {
            if function.lines > FUNCTION_LINES_MAX && !function.excused {
                long.push(format!(
                    "{}:{}: {} has {} lines",
                    path.display(),
                    function.line,
                    function.name,
                    function.lines
                ));
            }
        }
    }
    assert!(counted > 100, "only {counted} functions found: the walk is broken");
    assert!(
        long.is_empty(),
        "split, or say #[expect(clippy::too_many_lines, reason = \"...\")]:\n{}",
        long.join("\n")
    );
}

#[test]
fn every_rust_file_says_what_it_is_for() {
    let silent: Vec<String> = rust_files()
        .into_iter()
        .filter(|path| {
            !tree::read(path)
                .lines()
                .find(|line| !line.is_empty())
                .unwrap_or("")
                .starts_with("//! ")
        })
        .map(|path| path.display().to_string())
        .collect();
    assert!(silent.is_empty(), "begin with `//!`: what it is for:\n{}", silent.join("\n"));
}

#[test]
fn modules_are_files_beside_their_folder() {
    let old: Vec<PathBuf> =
        rust_files().into_iter().filter(|path| path.ends_with("mod.rs")).collect();
    assert!(old.is_empty(), "use foo.rs + foo/, not foo/mod.rs: {old:?}");
}
