//! The tree as text, in the one form.

use super::order::Context;
use super::tree::{Comment, Entry, Style, Tree, Value};

/// Blanks per level.
const INDENT: usize = 2;

/// The formatted text.
pub(super) fn print(tree: &Tree<'_>) -> String {
    let mut printer = Printer { out: String::new(), moves: !tree.has_anchors };
    for (at, comment) in tree.header.iter().enumerate() {
        if at > 0 && comment.blank_before {
            printer.out.push('\n');
        }
        printer.comment(comment, 0);
    }
    let gap = match &tree.root {
        Value::Map { entries: all, .. } | Value::List { items: all, .. } => {
            all.first().is_some_and(|first| first.blank_before)
        }
        Value::Raw { .. } => false,
    };
    if gap && !tree.header.is_empty() {
        printer.out.push('\n');
    }
    match &tree.root {
        Value::Map { entries, tail } => printer.map(entries, tail, 0, Context::Root),
        Value::List { items, tail } => printer.list(items, tail, 0, Context::Plain),
        Value::Raw { text, .. } => {
            printer.out.push_str(text);
            printer.out.push('\n');
        }
    }
    printer.comments(&tree.footer, 0);
    let mut out = printer.out;
    // A block scalar that keeps its last line breaks must keep them.
    while out.ends_with("\n\n") && !tree.ends_with_kept_breaks() {
        out.pop();
    }
    if !out.ends_with('\n') {
        out.push('\n');
    }
    out
}

struct Printer {
    out: String,
    /// Whether entries may change places.
    moves: bool,
}

impl Printer {
    fn indent(&mut self, indent: usize) {
        self.out.extend(std::iter::repeat_n(' ', indent));
    }

    fn comment(&mut self, comment: &Comment<'_>, indent: usize) {
        self.indent(indent);
        self.out.push_str(comment.text);
        self.out.push('\n');
    }

    fn comments(&mut self, comments: &[Comment<'_>], indent: usize) {
        for comment in comments {
            if comment.blank_before {
                self.blank();
            }
            self.comment(comment, indent);
        }
    }

    /// One blank line, never two and none at the beginning.
    fn blank(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// What stands above an entry; the first one of a block has no blank line above it.
    fn above(&mut self, entry: &Entry<'_>, indent: usize, is_first: bool) {
        for (at, comment) in entry.leading.iter().enumerate() {
            if comment.blank_before && !(is_first && at == 0) {
                self.blank();
            }
            self.comment(comment, indent);
        }
        if entry.blank_before && !(is_first && entry.leading.is_empty()) {
            self.blank();
        }
    }

    fn map(
        &mut self,
        entries: &[Entry<'_>],
        tail: &[Comment<'_>],
        indent: usize,
        context: Context,
    ) {
        for (at, entry) in self.ordered(entries, context).into_iter().enumerate() {
            self.above(entry, indent, at == 0);
            self.indent(indent);
            self.entry(entry, indent, context);
        }
        self.comments(tail, indent);
    }

    /// The same, with the first key on the line that has been begun.
    fn map_here(
        &mut self,
        entries: &[Entry<'_>],
        tail: &[Comment<'_>],
        indent: usize,
        context: Context,
    ) {
        for (at, entry) in self.ordered(entries, context).into_iter().enumerate() {
            if at > 0 {
                self.above(entry, indent, false);
                self.indent(indent);
            }
            self.entry(entry, indent, context);
        }
        self.comments(tail, indent);
    }

    /// The entries in reading order.
    fn ordered<'e, 't>(&self, entries: &'e [Entry<'t>], context: Context) -> Vec<&'e Entry<'t>> {
        let mut ordered: Vec<&Entry<'_>> = entries.iter().collect();
        let keys = context.keys();
        // In a loop the turn comes after its head; a plain `do` is the task's own key.
        if self.moves && !keys.is_empty() {
            let place = |key: &str| keys.iter().position(|known| *known == key);
            ordered.sort_by_key(|entry| place(bare(entry.key)).unwrap_or(keys.len()));
        }
        ordered
    }

    fn entry(&mut self, entry: &Entry<'_>, indent: usize, context: Context) {
        self.out.push_str(entry.key);
        self.out.push(':');
        let below = context.below(bare(entry.key));
        self.properties(entry);
        match &entry.value {
            Value::Raw { text, style, column } => {
                self.raw(text, *style, *column, indent);
                self.trailing(entry);
            }
            Value::Map { entries, tail } => {
                self.trailing(entry);
                self.map(entries, tail, indent + INDENT, below);
            }
            Value::List { items, tail } => {
                self.trailing(entry);
                self.list(items, tail, indent + INDENT, below);
            }
        }
    }

    fn list(&mut self, items: &[Entry<'_>], tail: &[Comment<'_>], indent: usize, context: Context) {
        for (at, item) in items.iter().enumerate() {
            self.above(item, indent, at == 0);
            self.indent(indent);
            self.item(item, indent, context.item());
        }
        self.comments(tail, indent);
    }

    fn item(&mut self, item: &Entry<'_>, indent: usize, context: Context) {
        self.out.push('-');
        self.properties(item);
        let deeper = indent + INDENT;
        match &item.value {
            Value::Raw { text, style, column } => {
                self.raw(text, *style, *column, indent);
                self.trailing(item);
            }
            Value::Map { entries, tail } if item.properties.is_empty() => {
                self.out.push(' ');
                self.map_here(entries, tail, deeper, context);
            }
            Value::Map { entries, tail } => {
                self.out.push('\n');
                self.map(entries, tail, deeper, context);
            }
            Value::List { items, tail } => {
                self.out.push('\n');
                self.list(items, tail, deeper, Context::Plain);
            }
        }
    }

    fn properties(&mut self, entry: &Entry<'_>) {
        if !entry.properties.is_empty() {
            self.out.push(' ');
            self.out.push_str(&entry.properties);
        }
    }

    /// The comment behind, and the end of the line.
    fn trailing(&mut self, entry: &Entry<'_>) {
        if let Some(comment) = &entry.trailing {
            self.out.push(' ');
            self.out.push_str(comment.text);
        }
        if !self.out.ends_with('\n') {
            self.out.push('\n');
        }
    }

    fn raw(&mut self, text: &str, style: Style, column: usize, indent: usize) {
        if text.is_empty() {
            return;
        }
        self.out.push(' ');
        match style {
            Style::Block => self.block(text, column, indent),
            Style::DoubleQuoted if is_simple(text) => {
                let inner = text.trim_matches('"');
                self.out.push_str(&format!("'{inner}'"));
            }
            Style::Flow => self.flow(text, indent),
            Style::Plain | Style::SingleQuoted | Style::DoubleQuoted => {
                // Line breaks are folded whatever the indentation.
                for (at, line) in text.lines().enumerate() {
                    let line = if at > 0 { line.trim() } else { line.trim_end() };
                    if at > 0 {
                        self.out.push('\n');
                        if !line.is_empty() {
                            self.indent(indent + INDENT);
                        }
                    }
                    self.out.push_str(line);
                }
            }
        }
    }

    /// `|` and `>`: the header as it is, the body moved as a whole.
    fn block(&mut self, text: &str, column: usize, indent: usize) {
        let (header, body) = text.split_once('\n').unwrap_or((text, ""));
        self.out.push_str(header.trim_end());
        self.out.push('\n');
        let marks = header.split_whitespace().next().unwrap_or("");
        let keeps = marks.contains('+');
        let digit = marks.chars().find_map(|c| c.to_digit(10));
        let digit = digit.and_then(|digit| usize::try_from(digit).ok());
        let spaces = |line: &str| line.len() - line.trim_start_matches(' ').len();
        let written = body.lines().filter(|line| !line.trim().is_empty()).map(spaces).min();
        // A text that begins with blanks says how far it is indented below its key.
        let base = digit.map_or_else(|| written.unwrap_or(0), |digit| column + digit);
        let indent = indent + digit.unwrap_or(INDENT);
        let body = if keeps { body } else { body.trim_end_matches(['\n', ' ']) };
        for line in body.lines() {
            let kept = line.get(base..).unwrap_or("");
            if !kept.is_empty() {
                self.indent(indent);
                self.out.push_str(kept);
            }
            self.out.push('\n');
        }
    }

    /// `{...}` and `[...]` over several lines: all moved by as much as the first.
    fn flow(&mut self, text: &str, indent: usize) {
        let spaces = |line: &str| line.len() - line.trim_start_matches(' ').len();
        let least = text.lines().skip(1).filter(|line| !line.trim().is_empty()).map(spaces).min();
        let least = least.unwrap_or(0);
        for (at, line) in text.lines().enumerate() {
            if at == 0 {
                self.out.push_str(line.trim_end());
                continue;
            }
            self.out.push('\n');
            let kept = line.get(least..).unwrap_or("").trim_end();
            if !kept.is_empty() {
                self.indent(indent + INDENT);
                self.out.push_str(kept);
            }
        }
    }
}

/// A key without its quotes.
fn bare(key: &str) -> &str {
    key.trim_matches(['"', '\''])
}

/// Whether single quotes say the same.
fn is_simple(text: &str) -> bool {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or("\\");
    !inner.contains(['\\', '\'', '"', '\n'])
}

impl Tree<'_> {
    /// Whether the text ends in a block scalar with `+`.
    fn ends_with_kept_breaks(&self) -> bool {
        let mut value = &self.root;
        loop {
            value = match value {
                Value::Raw { text, style, .. } => {
                    let header = text.lines().next().unwrap_or("");
                    return *style == Style::Block && header.contains('+');
                }
                Value::Map { entries: all, .. } | Value::List { items: all, .. } => {
                    match all.last() {
                        Some(last) => &last.value,
                        None => return false,
                    }
                }
            };
        }
    }
}
