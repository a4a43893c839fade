//! One way to write a definition: two blanks a level, keys in reading order, comments where they
//! belong.
//!
//! The formatter moves and indents what the author wrote and rewrites as little as it can: scalars
//! and flow collections (`{a: 1}`, `[1, 2]`) stay as they are, block scalars are indented as a
//! whole. Comments above an entry move with it, those behind it stay behind it. It never changes
//! the meaning: what it wrote is read again and compared, and a difference is an error of ours
//! that is told instead of written.

use std::path::Path;
use std::{fs, io};

use similar::TextDiff;
use tenure_definition::canonical::canonical;
use tenure_definition::json::read_json;
use tenure_definition::{Diagnostics, Source};

pub(crate) mod edit;
mod order;
mod print;
mod tree;

/// Lines shown around a change in a diff.
const CONTEXT_LINES: usize = 3;

/// Why a text is left as it is.
#[derive(Debug)]
pub enum Error {
    /// It is not YAML a definition can be written in; the findings say where.
    Unreadable(Box<Diagnostics>),
    /// It is written in a way the formatter does not know.
    Unknown {
        /// Line of the text, from 1.
        line: usize,
        /// What stands there.
        what: &'static str,
    },
    /// Formatting would have changed what it says: a fault of the formatter.
    Changed {
        /// What would differ.
        what: &'static str,
    },
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreadable(_) => {
                f.write_str("it is not valid YAML; `tenure validate` says where")
            }
            Self::Unknown { line, what } => {
                write!(f, "line {line}: {what} cannot be formatted; write it another way")
            }
            Self::Changed { what } => write!(
                f,
                "formatting would change {what}, so the text is left as it is; this is a fault of the formatter"
            ),
        }
    }
}

impl std::error::Error for Error {}

/// The formatted text.
///
/// # Errors
/// When the text cannot be read, or formatting it would change more than its looks.
pub fn format(source: &Source) -> Result<String, Error> {
    let before = read_json(source).map_err(|found| Error::Unreadable(Box::new(found)))?;
    // A text may begin with a byte order mark and end its lines as Windows does.
    let text = source.text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let tree = tree::read(&text)?;
    let comments = tree.comments.clone();
    let written = print::print(&tree);
    let again = Source { name: source.name.clone(), text: written };
    let after = read_json(&again).map_err(|_found| Error::Changed { what: "its structure" })?;
    if canonical(&before) != canonical(&after) {
        return Err(Error::Changed { what: "its meaning" });
    }
    if tree::comments(&again.text)? != comments {
        return Err(Error::Changed { what: "its comments" });
    }
    Ok(again.text)
}

/// The change that formatting makes as a unified diff; empty when there is none.
#[must_use]
pub fn diff(name: &str, before: &str, after: &str) -> String {
    between(before, after, (&format!("{name} (as written)"), &format!("{name} (formatted)")))
}

/// The change from one text of a file to another as a unified diff.
pub(crate) fn changes(name: &str, before: &str, after: &str) -> String {
    between(before, after, (&format!("{name} (before)"), &format!("{name} (after)")))
}

fn between(before: &str, after: &str, (old, new): (&str, &str)) -> String {
    let diff = TextDiff::from_lines(before, after);
    diff.unified_diff().context_radius(CONTEXT_LINES).header(old, new).to_string()
}

/// Replaces a file as a whole: a crash or a full disk leaves the old text. A link stays a link,
/// and the file keeps its permissions.
///
/// # Errors
/// When the file is gone or cannot be written; it has its old text then.
pub fn replace(path: &Path, text: &str) -> io::Result<()> {
    let named =
        |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let target = fs::canonicalize(path).map_err(named)?;
    let permissions = fs::metadata(&target).map_err(named)?.permissions();
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let new = target.with_file_name(format!(".{name}.{}.new", std::process::id()));
    let written = fs::write(&new, text)
        .and_then(|()| fs::set_permissions(&new, permissions))
        .and_then(|()| fs::rename(&new, &target));
    written.map_err(|error| {
        // What was begun must not stay beside the file; the first error is the one to tell.
        drop(fs::remove_file(&new));
        named(error)
    })
}

#[cfg(test)]
mod tests;
