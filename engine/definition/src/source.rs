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

impl Span {
    /// The byte after the last one.
    #[must_use]
    pub fn end(&self) -> usize {
        self.offset.saturating_add(self.length)
    }
}

/// Where the lines of a text begin, so that many offsets become lines and columns cheaply.
#[derive(Debug)]
pub(crate) struct Lines<'s> {
    text: &'s str,
    starts: Vec<usize>,
}

impl<'s> Lines<'s> {
    pub(crate) fn new(text: &'s str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self { text, starts: std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect() }
    }

    pub(crate) fn text(&self) -> &'s str {
        self.text
    }

    /// The place of the bytes from `start` to `end`, moved to the nearest character and into the
    /// text when they are not in it.
    pub(crate) fn span(&self, start: usize, end: usize) -> Span {
        let offset = self.floor(start);
        let end = self.floor(end).max(offset);
        let line = self.starts.partition_point(|begin| *begin <= offset);
        let begin = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let before = self.text.get(begin..offset).unwrap_or("");
        Span { offset, length: end - offset, line, column: before.chars().count() + 1 }
    }

    fn floor(&self, offset: usize) -> usize {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_characters_from_one() {
        let lines = Lines::new("äb\ncd\n");
        let check = |start, line, column| {
            let span = lines.span(start, start + 1);
            assert_eq!((span.line, span.column), (line, column), "offset {start}");
        };
        check(0, 1, 1);
        check(2, 1, 2);
        check(4, 2, 1);
        check(5, 2, 2);
        // Past the end: the last place there is.
        check(99, 3, 1);
    }
}
