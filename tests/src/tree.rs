//! The files of the repository, and the upstream material that lies beside it.

use std::path::{Path, PathBuf};
use std::process::Command;

use walkdir::WalkDir;

/// Folders that are never part of the repository, for when git cannot be asked.
const FOREIGN: [&str; 3] = [".git", "target", "node_modules"];

/// The top folder of the repository.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this crate lies one folder below the top")
        .to_path_buf()
}

/// Paths of all files of the repository, relative to its top, sorted: what is committed and what
/// would be. Without a usable git (an unpacked archive) everything but build output counts.
#[must_use]
pub fn files() -> Vec<PathBuf> {
    let mut found = from_git().unwrap_or_else(from_disk);
    found.retain(|path| root().join(path).is_file());
    found.sort();
    found.dedup();
    assert!(!found.is_empty(), "no files found below {}", root().display());
    found
}

/// The files with this extension (without dot), see [`files`].
#[must_use]
pub fn files_with_extension(extension: &str) -> Vec<PathBuf> {
    files().into_iter().filter(|path| path.extension().is_some_and(|e| e == extension)).collect()
}

/// The text of a file of the repository.
///
/// # Panics
/// When it cannot be read or is not UTF-8.
#[must_use]
pub fn read(path: &Path) -> String {
    let full = root().join(path);
    std::fs::read_to_string(&full).unwrap_or_else(|e| panic!("read {}: {e}", full.display()))
}

/// Whether a repository path lies below a folder, both relative to the top.
#[must_use]
pub fn is_below(path: &Path, folder: &str) -> bool {
    path.starts_with(folder)
}

/// A file or folder of the upstream material (`shared/`), which is not part of the repository.
///
/// Found through `TENURE_SHARED`, else in a folder `shared` beside one of our parents. `None` means
/// that the test has to say what it skips.
///
/// # Panics
/// When `TENURE_SHARED` is set and the file is not there: somebody promised it.
#[must_use]
pub fn upstream(name: &str) -> Option<PathBuf> {
    if let Some(shared) = std::env::var_os("TENURE_SHARED") {
        let path = Path::new(&shared).join(name);
        assert!(path.exists(), "TENURE_SHARED is set, but {} is missing", path.display());
        return Some(path);
    }
    root().ancestors().map(|folder| folder.join("shared").join(name)).find(|path| path.exists())
}

fn from_git() -> Option<Vec<PathBuf>> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
        .current_dir(root())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let names = String::from_utf8(output.stdout).ok()?;
    Some(names.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).collect())
}

fn from_disk() -> Vec<PathBuf> {
    WalkDir::new(root())
        .into_iter()
        .filter_entry(|entry| !FOREIGN.iter().any(|name| entry.file_name() == *name))
        .filter_map(Result::ok)
        .filter_map(|entry| entry.path().strip_prefix(root()).ok().map(Path::to_path_buf))
        .collect()
}
