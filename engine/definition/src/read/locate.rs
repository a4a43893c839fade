//! From a place in a scalar's *value* to the place in the YAML text.
//!
//! The value of a scalar differs from its source by quotes, escapes, indentation and folded lines.
//! Walking both together and skipping what the source has more is exact for plain, literal and
//! quoted scalars; where the two cannot be brought together, the whole scalar is the place.

use std::ops::Range;

use crate::diagnostic::Place;
use crate::read::Node;
use crate::source::Lines;

/// The place of `range` (bytes of the node's text).
pub(crate) fn locate(lines: &Lines<'_>, node: &Node, range: &Range<usize>) -> Place {
    let Some(text) = node.text() else { return node.at.clone() };
    let span = node.at.span;
    let Some(source) = lines.text().get(span.offset..span.end()) else { return node.at.clone() };
    let Some(offsets) = align(text, source) else { return node.at.clone() };
    let at = |byte: usize| offsets.get(byte).copied().unwrap_or(source.len());
    let start = at(range.start.min(text.len()));
    let end = match range.end.min(text.len()).checked_sub(1) {
        Some(last) if range.end > range.start => at(last) + 1,
        _ => start,
    };
    let span = lines.span(span.offset + start, span.offset + end.max(start + 1));
    Place { span, pointer: node.at.pointer.clone() }
}

/// For each byte of `text` (and its end) the byte of `source` it stands at.
fn align(text: &str, source: &str) -> Option<Vec<usize>> {
    let mut at = body_start(source);
    let mut offsets = Vec::with_capacity(text.len() + 1);
    for wanted in text.chars() {
        let rest = source.get(at..)?;
        // The last line break of a block scalar may be implied by the end of the text.
        let Some(found) = find(rest, wanted) else {
            if wanted.is_whitespace() {
                offsets.extend(std::iter::repeat_n(at, wanted.len_utf8()));
                continue;
            }
            return None;
        };
        offsets.extend((0..wanted.len_utf8()).map(|byte| at + found.start + byte));
        at += found.end;
    }
    offsets.push(at);
    Some(offsets)
}

/// Past the opening quote, or past the header line of a block scalar.
fn body_start(source: &str) -> usize {
    match source.chars().next() {
        Some('"' | '\'') => 1,
        Some('|' | '>') => source.find('\n').map_or(source.len(), |line| line + 1),
        _ => 0,
    }
}

/// The next place in `rest` that stands for the character.
fn find(rest: &str, wanted: char) -> Option<Range<usize>> {
    let escape = match wanted {
        '\n' => Some("\\n"),
        '\t' => Some("\\t"),
        _ => None,
    };
    if let Some(escape) = escape.filter(|escape| rest.starts_with(*escape)) {
        return Some(0..escape.len());
    }
    if wanted == ' ' || wanted == '\n' {
        // A folded line break reads as a blank.
        let start = rest.find([' ', '\n'])?;
        // Only what is nearer than any other character counts; otherwise it was folded away.
        return (start == 0 || rest.get(..start)?.chars().all(|c| c == '\\' || c == '\r'))
            .then_some(start..start + 1);
    }
    let start = rest.find(wanted)?;
    Some(start..start + wanted.len_utf8())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Report;
    use crate::read::read;
    use crate::source::Source;

    /// The place of `part` of the only value of `yaml`.
    fn check(yaml: &str, part: &str, line: usize, column: usize) {
        let source = Source { name: "t".to_owned(), text: yaml.to_owned() };
        let lines = Lines::new(&source.text);
        let root = read(&source, &lines, &mut Report::default()).unwrap();
        let node = &root.get("a").unwrap().node;
        let start = node.text().unwrap().find(part).unwrap();
        let found = locate(&lines, node, &(start..start + part.len()));
        assert_eq!((found.span.line, found.span.column), (line, column), "{yaml}");
    }

    #[test]
    fn places_in_scalars_of_every_style() {
        check("a: ${ .foo }", ".foo", 1, 7);
        check("a: \"${ .foo }\"", ".foo", 1, 8);
        check("a: '${ \"x\" + ''.foo'' }'", ".foo", 1, 16);
        check("a: \"\\\"q\\\" + .foo\"", ".foo", 1, 13);
        check("a: |\n  .x\n  | .foo\n", ".foo", 3, 5);
        check("a: >-\n  .x\n  | .foo\n", ".foo", 3, 5);
        check("a: .x\n   | .foo\n", ".foo", 2, 6);
    }
}
