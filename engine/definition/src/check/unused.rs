//! What `use` defines and nothing names.

use super::Checker;
use crate::read::{Node, Yaml};

/// Sections of `use`, with the field that names their entries.
const SECTIONS: [(&str, &str); 5] = [
    ("errors", "error"),
    ("retries", "retry"),
    ("timeouts", "timeout"),
    ("functions", "call"),
    ("authentications", "use"),
];

impl Checker<'_, '_> {
    pub(super) fn unused(&mut self) {
        for (section, field) in SECTIONS {
            let Some(entries) =
                super::task::field(self.root, &["use", section]).and_then(Node::entries)
            else {
                continue;
            };
            for entry in entries {
                if names(self.root, field, &entry.key) {
                    continue;
                }
                self.report
                    .warning(
                        "unused-definition",
                        &entry.at,
                        format!("nothing uses `use.{section}.{}`", entry.key),
                    )
                    .help("remove it, or name it where it was meant");
            }
        }
    }
}

/// Whether a field of this name holds this text anywhere.
fn names(node: &Node, field: &str, text: &str) -> bool {
    match &node.value {
        Yaml::List(items) => items.iter().any(|item| names(item, field, text)),
        Yaml::Map(entries) => entries.iter().any(|entry| {
            (entry.key == field && entry.node.text() == Some(text))
                || names(&entry.node, field, text)
        }),
        Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::Text(_) => false,
    }
}

/// Whether some text besides `except` contains the word, or all secrets are read at once.
pub(super) fn mentions(node: &Node, word: &str, except: &Node) -> bool {
    if std::ptr::eq(node, except) {
        return false;
    }
    match &node.value {
        Yaml::Text(text) => text.contains(word) || text.contains("$secrets["),
        Yaml::List(items) => items.iter().any(|item| mentions(item, word, except)),
        Yaml::Map(entries) => entries.iter().any(|entry| mentions(&entry.node, word, except)),
        Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) => false,
    }
}
