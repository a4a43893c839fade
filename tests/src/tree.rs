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
/// Found through `TENURE_SHARED`, else in the nearest folder `shared` beside one of our parents. `None`
/// means that there is neither, and that the test has to say what it skips.
///
/// # Panics
/// When there is such a folder and the file is not in it: then nothing would be tested by mistake.
#[must_use]
pub fn upstream(name: &str) -> Option<PathBuf> {
    let given = std::env::var_os("TENURE_SHARED").map(PathBuf::from);
    upstream_in(given, &root(), name).unwrap_or_else(|missing| {
        panic!("{} is missing; set TENURE_SHARED to the folder that has it", missing.display())
    })
}

/// `Err` is the path that should be there.
fn upstream_in(
    given: Option<PathBuf>,
    root: &Path,
    name: &str,
) -> Result<Option<PathBuf>, PathBuf> {
    let beside = || root.ancestors().map(|folder| folder.join("shared")).find(|it| it.is_dir());
    let Some(shared) = given.or_else(beside) else { return Ok(None) };
    let path = shared.join(name);
    if path.exists() { Ok(Some(path)) } else { Err(path) }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_folder_without_the_material_is_no_reason_to_skip() {
        let here = root();
        // Our own folders stand for others: `tests` is there, `shared` in it is not.
        let check = |given: Option<&str>, top: &Path, name: &str, expected| {
            assert_eq!(upstream_in(given.map(|given| here.join(given)), top, name), expected);
        };
        let nowhere = Path::new("/nowhere/at/all");
        check(Some("tests"), nowhere, "src", Ok(Some(here.join("tests/src"))));
        check(Some("tests"), nowhere, "no-such", Err(here.join("tests/no-such")));
        check(Some("no-such"), nowhere, "src", Err(here.join("no-such/src")));
        if !Path::new("/shared").is_dir() {
            check(None, nowhere, "src", Ok(None));
        }
    }
}
