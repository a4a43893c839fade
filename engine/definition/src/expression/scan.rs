//! Finds `${ }` in text: aware of braces, of strings with interpolation, and of comments.

use std::ops::Range;

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// Bytes outside `${ }`.
    Text(Range<usize>),
    /// Bytes between `${` and `}`.
    Expression(Range<usize>),
}

/// Splits a text. `Err` is the offset of a `${` that has no end.
pub(crate) fn split(text: &str) -> Result<Vec<Part>, usize> {
    let mut parts = Vec::new();
    let mut from = 0;
    while let Some(found) = text.get(from..).and_then(|rest| rest.find("${")) {
        let start = from + found;
        if start > from {
            parts.push(Part::Text(from..start));
        }
        let inside = start + 2;
        let length = text.get(inside..).and_then(closing).ok_or(start)?;
        parts.push(Part::Expression(inside..inside + length));
        from = inside + length + 1;
    }
    if from < text.len() {
        parts.push(Part::Text(from..text.len()));
    }
    Ok(parts)
}

/// What the scanner is inside of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Brace,
    Paren,
    Text,
}

/// The offset of the brace that ends the expression at whose beginning `rest` starts.
fn closing(rest: &str) -> Option<usize> {
    let mut stack: Vec<Inside> = Vec::new();
    let mut bytes = rest.bytes().enumerate().peekable();
    while let Some((at, byte)) = bytes.next() {
        if stack.last() == Some(&Inside::Text) {
            match byte {
                b'"' => {
                    stack.pop();
                }
                b'\\' => {
                    if let Some((_, b'(')) = bytes.next() {
                        stack.push(Inside::Paren);
                    }
                }
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => stack.push(Inside::Text),
            b'{' => stack.push(Inside::Brace),
            b'(' => stack.push(Inside::Paren),
            b'}' | b')' if stack.pop().is_none() => return (byte == b'}').then_some(at),
            b'#' => while bytes.next_if(|(_, byte)| *byte != b'\n').is_some() {},
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let parts = split(text).unwrap();
        let shown: Vec<&str> = parts
            .iter()
            .map(|part| match part {
                Part::Text(range) | Part::Expression(range) => &text[range.clone()],
            })
            .collect();
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn expressions_are_found_between_text() {
        check("plain $ {text}", &["plain $ {text}"]);
        check("${ .a }", &[" .a "]);
        check("x ${ .a } y ${.b}", &["x ", " .a ", " y ", ".b"]);
        check("${ {a: {b: 1}} }!", &[" {a: {b: 1}} ", "!"]);
        check(r#"${ "}" }"#, &[r#" "}" "#]);
        check(r#"${ "\"}" }"#, &[r#" "\"}" "#]);
        check(r#"${ "\(.a | {b: "}"}) }" }."#, &[r#" "\(.a | {b: "}"}) }" "#, "."]);
        check("${ .a # }\n}", &[" .a # }\n"]);
    }

    #[test]
    fn an_open_expression_is_an_error() {
        assert_eq!(split("ab ${ .a"), Err(3));
        assert_eq!(split(r#"${ "} "#), Err(0));
        assert_eq!(split("${ .a ) }"), Err(0));
    }
}
