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

/// Where the lines of a text begin, so that many offsets become lines and columns cheaply: also
/// in a text of one line, as machines write them.
#[derive(Debug)]
pub(crate) struct Lines<'s> {
    text: &'s str,
    starts: Vec<usize>,
    /// Characters before each block of [`BLOCK`] bytes.
    characters: Vec<usize>,
}

/// Bytes that are counted one by one for a column, at most.
const BLOCK: usize = 128;

/// Every byte of a character but its first.
fn is_continuation(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}

fn count(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| !is_continuation(**byte)).count()
}

impl<'s> Lines<'s> {
    pub(crate) fn new(text: &'s str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect();
        let mut before = 0;
        let blocks = text.as_bytes().chunks(BLOCK).map(|block| {
            let here = before;
            before += count(block);
            here
        });
        Self { text, starts, characters: blocks.collect() }
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
        let before = self.before(offset).saturating_sub(self.before(begin));
        Span { offset, length: end - offset, line, column: before + 1 }
    }

    /// Characters before a byte of the text.
    fn before(&self, offset: usize) -> usize {
        let block = offset / BLOCK;
        let known = match self.characters.get(block) {
            Some(known) => *known,
            // Exactly at the end of the last block.
            None => count(self.text.as_bytes()),
        };
        let rest = self.text.as_bytes().get(block * BLOCK..offset).unwrap_or_default();
        known + count(rest)
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

    #[test]
    fn columns_of_a_very_long_line_are_counted_like_any_other() {
        let text = format!("first\n{}", "aä".repeat(2_000));
        let lines = Lines::new(&text);
        for number in [0, 1, 511, 512, 1_023, 1_024, 1_999] {
            assert_eq!(lines.span(6 + number * 3, 7 + number * 3).column, number * 2 + 1);
        }
        assert_eq!(lines.span(usize::MAX, usize::MAX).column, 4_001);
        let whole = "x".repeat(2 * BLOCK);
        assert_eq!(Lines::new(&whole).span(2 * BLOCK, 2 * BLOCK).column, 2 * BLOCK + 1);
    }
}
