//! Author's text inside other languages: nothing an author writes may end a text early.

/// For XML text and attributes. What XML cannot carry at all becomes the replacement character.
pub(super) fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\r' | '\t' => out.push(' '),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// For a quoted text of Mermaid, which knows entities by `#name;` and no backslash.
pub(super) fn mermaid(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("#quot;"),
            '#' => out.push_str("#35;"),
            '<' => out.push_str("#lt;"),
            '>' => out.push_str("#gt;"),
            '&' => out.push_str("#amp;"),
            // Backticks begin Markdown inside a text, brackets may end a shape in old versions.
            '`' => out.push_str("#96;"),
            '\\' => out.push_str("#92;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// For a quoted text of Graphviz.
pub(super) fn dot(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// An identifier for a JSON pointer that XML, HTML and CSS all take: equal pointers give equal
/// ids, different ones different ids.
pub(super) fn id(pointer: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::from("task");
    for c in pointer.chars() {
        match c {
            '/' => out.push('-'),
            c if c.is_ascii_alphanumeric() => out.push(c),
            c => write!(out, "_{:x}_", u32::from(c)).expect("writing to a string cannot fail"),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_an_author_writes_ends_a_text() {
        assert_eq!(
            xml("</text><script a='\"'>&\u{0}"),
            "&lt;/text&gt;&lt;script a=&#39;&quot;&#39;&gt;&amp;\u{fffd}"
        );
        assert_eq!(mermaid("a\"]; end `x` #1 <b>\n"), "a#quot;]; end #96;x#96; #35;1 #lt;b#gt; ");
        assert_eq!(dot("a\"\\\n"), "a\\\"\\\\ ");
    }

    #[test]
    fn ids_are_different_for_different_pointers() {
        assert_eq!(id("/do/0/charge"), "task-do-0-charge");
        assert_ne!(id("/do/0/a-b"), id("/do/0/a/b"));
        assert_ne!(id("/do/0/a_b"), id("/do/0/a b"));
    }
}
