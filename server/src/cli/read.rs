//! Reading arguments that are JSON or `@FILE`, and files with a limit.

use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;
use tenure_definition::Source;

use crate::exit::{Exit, Stop};
use crate::limit;

/// Reads a text file of at most [`limit::FILE_BYTES_MAX`].
pub(super) fn file(path: &Path) -> anyhow::Result<String> {
    let shown = path.display();
    let found = std::fs::metadata(path).map_err(|error| missing(path, &error))?;
    if found.is_dir() {
        let message = format!("{shown} is a folder: name a file in it");
        return Err(Stop::new(Exit::Usage, message).into());
    }
    let size = found.len();
    if size > limit::FILE_BYTES_MAX {
        let limit = limit::FILE_BYTES_MAX;
        return Err(
            Stop::new(Exit::Invalid, format!("{shown} is longer than {limit} bytes")).into()
        );
    }
    let bytes = std::fs::read(path).map_err(|error| missing(path, &error))?;
    String::from_utf8(bytes).with_context(|| format!("{shown} is not UTF-8"))
}

fn missing(path: &Path, error: &std::io::Error) -> Stop {
    let is_absent = error.kind() == std::io::ErrorKind::NotFound;
    let exit = if is_absent { Exit::NotFound } else { Exit::Failure };
    Stop::new(exit, format!("{} cannot be read: {error}", path.display()))
}

/// Reads a definition's text.
pub(super) fn source(path: &Path) -> anyhow::Result<Source> {
    Ok(Source { name: path.display().to_string(), text: file(path)? })
}

/// Reads JSON written as such, or `@FILE`.
pub(super) fn json(option: &str, text: &str) -> anyhow::Result<Value> {
    let (place, text) = match text.strip_prefix('@') {
        Some(path) => (path.to_owned(), file(Path::new(path))?),
        None => (option.to_owned(), text.to_owned()),
    };
    serde_json::from_str(&text).map_err(|error| {
        Stop::new(Exit::Invalid, format!("{place} is not valid JSON: {error}")).into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_read_inline_and_mistakes_name_their_place() {
        assert_eq!(json("--input", "{\"a\":1}").unwrap(), serde_json::json!({ "a": 1 }));
        let error = json("--input", "{").unwrap_err().to_string();
        assert!(error.starts_with("--input is not valid JSON"), "{error}");
        let error = json("--input", "@/no/such/file").unwrap_err();
        assert_eq!(error.downcast_ref::<Stop>().unwrap().exit, Exit::NotFound);
        let error = file(&std::env::temp_dir()).unwrap_err();
        assert!(error.to_string().contains("is a folder"), "{error}");
    }
}
