//! What is wrong with a definition: one sentence, the place, and what to write instead.

use serde::Serialize;

use crate::source::{Source, Span};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The definition does not register.
    Error,
    /// It registers, but probably does not do what was meant.
    Warning,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable code, kebab-case (`unknown-field`); documented in docs/language.md.
    pub code: &'static str,
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// The words under the marked place.
    pub label: String,
    /// What to write instead.
    pub help: Option<String>,
    /// The place.
    pub span: Span,
    /// JSON pointer of the place, as far as known.
    pub pointer: String,
}

/// All findings of one text, in order of their place.
#[derive(Debug, Clone)]
pub struct Diagnostics {
    /// The text.
    pub source: Source,
    /// The findings.
    pub items: Vec<Diagnostic>,
}
