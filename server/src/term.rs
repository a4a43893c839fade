//! Speaking: data on stdout, talk on stderr, color only for people who can see it.

use std::io::{self, IsTerminal, Write};

use serde_json::Value;

/// How data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Tables and sentences.
    Text,
    /// One JSON value.
    Json,
}

impl Format {
    /// The wish, else tables for people and JSON for pipes.
    #[must_use]
    pub fn or_default(wish: Option<Self>) -> Self {
        wish.unwrap_or(if io::stdout().is_terminal() { Self::Text } else { Self::Json })
    }
}

/// Prints data.
///
/// # Errors
/// When stdout is closed.
pub fn data(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// Prints one JSON value, indented.
///
/// # Errors
/// When stdout is closed.
pub fn json(value: &Value) -> io::Result<()> {
    data(&format!("{value:#}"))
}

/// Says something to people. A closed stderr is not worth failing for.
pub fn talk(text: &str) {
    let mut out = io::stderr().lock();
    if writeln!(out, "{text}").is_err() {
        tracing::debug!("stderr is closed");
    }
}

/// Whether stderr shows color: a terminal, and `NO_COLOR` is not set.
#[must_use]
pub fn has_color() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A table with a head, columns as wide as their widest cell.
#[must_use]
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (width, cell) in widths.iter().zip(cells) {
            text.push_str(&format!("{cell:<width$}  "));
        }
        format!("{}\n", text.trim_end())
    };
    let mut text = line(&mut head.iter().copied());
    for row in rows {
        text.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["purchase-direct".to_owned(), "1.0.0".to_owned()]];
        let text = table(&["NAME", "VERSION"], &rows);
        assert_eq!(text, "NAME             VERSION\npurchase-direct  1.0.0\n");
    }
}
