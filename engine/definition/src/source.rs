//! A definition's text with its name, and places in it.

/// A text and where it came from (a file name, or `<request>`).
#[derive(Debug, Clone)]
pub struct Source {
    /// For diagnostics.
    pub name: String,
    /// The YAML text.
    pub text: String,
}

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span {
    /// Byte offset.
    pub offset: usize,
    /// Length in bytes.
    pub length: usize,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}
