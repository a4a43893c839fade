//! A definition's text as JSON, before anything is known about its meaning.

use serde_json::Value;

use crate::diagnostic::Report;
use crate::read::read;
use crate::source::Lines;
use crate::{Diagnostics, Source};

/// Reads YAML as the compiler does: core schema, one document, no duplicate keys, within the
/// limits. Nothing is checked beyond that; what a definition means is told by [`crate::compile`].
///
/// # Errors
/// Every finding, when there is one.
pub fn read_json(source: &Source) -> Result<Value, Diagnostics> {
    let mut report = Report::default();
    let root = read(source, &Lines::new(&source.text), &mut report);
    match root {
        Some(root) if !report.has_errors() => Ok(root.to_json()),
        Some(_) | None => Err(report.finish(source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source { name: "t.yaml".to_owned(), text: text.to_owned() }
    }

    #[test]
    fn text_is_read_without_being_understood() {
        let value = read_json(&source("anything: [1, NO]\n")).unwrap();
        assert_eq!(value, serde_json::json!({ "anything": [1, "NO"] }));
        assert_eq!(read_json(&source("a: 1\na: 2\n")).unwrap_err().items[0].code, "duplicate-key");
    }
}
