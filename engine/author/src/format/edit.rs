//! Replacing the value of one key of a YAML text, in as few places as can be: everything else stays
//! as it is written, comments with it.

use std::ops::Range;

use serde_json::Value as Json;
use tenure_definition::Source;
use tenure_definition::json::read_json;

use super::Error;
use super::tree::{self, Entry, Value};

/// Blanks of a level below its key.
const INDENT: usize = 2;

/// The text with another value under a top-level key.
///
/// # Errors
/// When the text cannot be read, or is written in a way in which the value cannot be replaced.
pub(crate) fn set(text: &str, key: &str, new: &Json) -> Result<String, Error> {
    let read = |text: &str| {
        let source = Source { name: String::new(), text: text.to_owned() };
        read_json(&source).map_err(|found| Error::Unreadable(Box::new(found)))
    };
    let mut wanted = read(text)?;
    let tree = tree::read(text)?;
    let Value::Map { entries, .. } = &tree.root else {
        return Err(Error::Unknown { line: 1, what: "a text that is no object" });
    };
    let old = wanted.get(key).cloned();
    let mut editor = Editor { text, changes: Vec::new() };
    match (entries.iter().find(|entry| bare(entry.key) == key), old) {
        (Some(entry), Some(old)) => editor.entry(entry, &old, new),
        _ => editor.append(entries, &[(key, new)]),
    }
    let written = editor.apply();
    // What was written is read again: a change elsewhere is an error, not a file.
    if let Some(fields) = wanted.as_object_mut() {
        fields.insert(key.to_owned(), new.clone());
    }
    match read(&written) {
        Ok(found) if found == wanted => Ok(written),
        Ok(_) | Err(_) => Err(Error::Changed { what: "more than was meant" }),
    }
}

/// A JSON value on one line.
pub(crate) fn flow(value: &Json) -> String {
    match value {
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(flow).collect();
            format!("[{}]", items.join(", "))
        }
        Json::Object(fields) => {
            let fields = fields.iter();
            let fields: Vec<String> =
                fields.map(|(key, field)| format!("{}: {}", plain(key), flow(field))).collect();
            format!("{{{}}}", fields.join(", "))
        }
        Json::String(text) => plain(text),
        Json::Null | Json::Bool(_) | Json::Number(_) => value.to_string(),
    }
}

/// A text: bare where it reads as the same text, else as JSON, which is YAML too.
pub(crate) fn plain(text: &str) -> String {
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '$')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._/@$-".contains(c))
        && !["true", "false", "null"].contains(&text.to_ascii_lowercase().as_str());
    if is_plain { text.to_owned() } else { Json::from(text).to_string() }
}

fn bare(key: &str) -> &str {
    key.trim_matches(['"', '\''])
}

struct Editor<'t> {
    text: &'t str,
    /// Bytes of the text, and what stands there instead; none reaches into another.
    changes: Vec<(Range<usize>, String)>,
}

impl Editor<'_> {
    fn apply(mut self) -> String {
        self.changes.sort_by_key(|(range, _)| (range.start, range.end));
        let mut out = self.text.to_owned();
        for (range, instead) in self.changes.into_iter().rev() {
            if out.get(range.clone()).is_some() {
                out.replace_range(range, &instead);
            }
        }
        out
    }

    /// Where a part of the text begins.
    fn offset(&self, part: &str) -> usize {
        part.as_ptr().addr().saturating_sub(self.text.as_ptr().addr()).min(self.text.len())
    }

    fn line_start(&self, at: usize) -> usize {
        self.text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1)
    }

    /// The end of the line of a place, behind its line break.
    fn line_end(&self, at: usize) -> usize {
        let rest = self.text.get(at..).unwrap_or_default();
        rest.find('\n').map_or(self.text.len(), |newline| at + newline + 1)
    }

    fn column(&self, at: usize) -> usize {
        at - self.line_start(at)
    }

    /// Where a value ends.
    fn end(&self, entry: &Entry<'_>) -> usize {
        match &entry.value {
            Value::Raw { text: "", .. } => self.offset(entry.key) + entry.key.len(),
            Value::Raw { text, .. } => self.offset(text) + text.trim_end().len(),
            Value::Map { entries: inner, .. } | Value::List { items: inner, .. } => {
                inner.last().map_or(0, |last| self.end(last))
            }
        }
    }

    /// Where an entry of an object begins: its key.
    fn start(&self, value: &Value<'_>) -> usize {
        match value {
            Value::Raw { text, .. } => self.offset(text),
            Value::Map { entries, .. } => entries.first().map_or(0, |first| self.offset(first.key)),
            Value::List { items, .. } => items.first().map_or(0, |first| {
                // A dash stands before it, on its line or above.
                let value = self.start(&first.value);
                let before = self.text.get(..value).unwrap_or_default();
                before.rfind('-').unwrap_or(value)
            }),
        }
    }

    fn entry(&mut self, entry: &Entry<'_>, old: &Json, new: &Json) {
        if old == new {
            return;
        }
        match (&entry.value, old, new) {
            (Value::Raw { text: "", .. }, ..) => {
                let key = self.offset(entry.key) + entry.key.len();
                let colon = self.text.get(key..).and_then(|rest| rest.find(':'));
                let at = key + colon.map_or(0, |colon| colon + 1);
                self.changes.push((at..at, format!(" {}", flow(new))));
            }
            (Value::Raw { text, .. }, ..) => {
                let start = self.offset(text);
                let end = start + text.trim_end().len();
                self.changes.push((start..end, flow(new)));
            }
            (Value::Map { entries, .. }, Json::Object(was), Json::Object(fields))
                if self.keeps_first(entries, was, fields) =>
            {
                self.map(entries, was, fields);
            }
            (Value::List { items, .. }, Json::Array(was), Json::Array(now))
                if was.len() == now.len() && items.len() == now.len() =>
            {
                for ((item, old), new) in items.iter().zip(was).zip(now) {
                    self.entry(item, old, new);
                }
            }
            (Value::Map { .. } | Value::List { .. }, ..) => self.block(entry, new),
        }
    }

    /// Whether the first entry stays, which may stand behind a dash.
    fn keeps_first(
        &self,
        entries: &[Entry<'_>],
        old: &serde_json::Map<String, Json>,
        new: &serde_json::Map<String, Json>,
    ) -> bool {
        let known = |entry: &Entry<'_>| old.contains_key(bare(entry.key));
        entries.iter().all(known)
            && entries.first().is_some_and(|first| new.contains_key(bare(first.key)))
    }

    fn map(
        &mut self,
        entries: &[Entry<'_>],
        old: &serde_json::Map<String, Json>,
        new: &serde_json::Map<String, Json>,
    ) {
        for entry in entries {
            let key = bare(entry.key);
            match (old.get(key), new.get(key)) {
                (Some(old), Some(new)) => self.entry(entry, old, new),
                (Some(_), None) => {
                    let first = entry.leading.first().map_or(entry.key, |comment| comment.text);
                    let start = self.line_start(self.offset(first));
                    let end = self.line_end(self.end(entry));
                    self.changes.push((start..end, String::new()));
                }
                (None, _) => {}
            }
        }
        let added: Vec<(&str, &Json)> = new
            .iter()
            .filter(|(key, _)| !old.contains_key(*key))
            .map(|(key, value)| (key.as_str(), value))
            .collect();
        if !added.is_empty() {
            self.append(entries, &added);
        }
    }

    /// New entries below the last one of an object.
    fn append(&mut self, entries: &[Entry<'_>], added: &[(&str, &Json)]) {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return };
        let indent = " ".repeat(self.column(self.offset(first.key)));
        let at = self.line_end(self.end(last));
        let is_open = at == self.text.len() && !self.text.ends_with('\n');
        let mut lines = if is_open { "\n".to_owned() } else { String::new() };
        for (key, value) in added {
            lines.push_str(&format!("{indent}{}: {}\n", plain(key), flow(value)));
        }
        self.changes.push((at..at, lines));
    }

    /// A block that is written anew, below its key.
    fn block(&mut self, entry: &Entry<'_>, new: &Json) {
        let start = self.start(&entry.value);
        let end = self.end(entry);
        let key = self.offset(entry.key);
        let own = if entry.key.is_empty() { 0 } else { self.column(key) };
        let column = self.column(start).max(own);
        let pad = " ".repeat(column);
        let items = new.as_array().filter(|items| !items.is_empty());
        let instead = if let Some(items) = items {
            let lines: Vec<String> = items.iter().map(|item| format!("- {}", flow(item))).collect();
            lines.join(&format!("\n{pad}"))
        } else if column <= own && !entry.key.is_empty() {
            // As deep as its key, it would not be its value.
            format!("{}{}", " ".repeat(own + INDENT - column), flow(new))
        } else {
            flow(new)
        };
        self.changes.push((start..end, instead));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(text: &str, new: &Json, expected: &str) {
        assert_eq!(set(text, "expect", new).unwrap(), expected, "{text}");
    }

    #[test]
    fn only_what_differs_is_written_anew() {
        check(
            "# top\nscenario: x   # title\nexpect:\n  # how it ends\n  status: completed  # soon\n  times: {end: P1D}\n\nlast: 1\n",
            &json!({"status": "faulted", "times": {"end": "P1D"}}),
            "# top\nscenario: x   # title\nexpect:\n  # how it ends\n  status: faulted  # soon\n  times: {end: P1D}\n\nlast: 1\n",
        );
        check(
            "expect: {status: completed, output: {n: 1}} # all\nother:   [1,2]\n",
            &json!({"status": "completed", "output": {"n": 2, "s": "a b"}}),
            "expect: {status: completed, output: {n: 2, s: \"a b\"}} # all\nother:   [1,2]\n",
        );
    }

    #[test]
    fn entries_come_and_go() {
        check(
            "expect:\n  calls: {a.b: 1}\n  # of the first\n  times:\n    end: P1D\nlast: 1\n",
            &json!({"calls": {"a.b": 1}, "status": "waiting"}),
            "expect:\n  calls: {a.b: 1}\n  status: waiting\nlast: 1\n",
        );
        check(
            "scenario: x",
            &json!({"status": "faulted"}),
            "scenario: x\nexpect: {status: faulted}\n",
        );
        check(
            "scenario: x\nexpect:\n",
            &json!({"status": "faulted"}),
            "scenario: x\nexpect: {status: faulted}\n",
        );
    }

    #[test]
    fn lists_are_changed_item_by_item_or_anew() {
        check(
            "expect:\n  calls:\n    - a.b # one\n    - {call: c.d, attempt: 1}\n",
            &json!({"calls": ["a.b", {"call": "c.d", "attempt": 2}]}),
            "expect:\n  calls:\n    - a.b # one\n    - {call: c.d, attempt: 2}\n",
        );
        check(
            "expect:\n  calls:\n  - a.b\n  - c.d\n  status: waiting\n",
            &json!({"calls": ["a.b"], "status": "waiting"}),
            "expect:\n  calls:\n  - a.b\n  status: waiting\n",
        );
        check(
            "expect:\n  calls:\n  - a.b\n  - c.d\nlast: 1\n",
            &json!({"calls": []}),
            "expect:\n  calls:\n    []\nlast: 1\n",
        );
        check(
            "expect:\n  emitted:\n    - type: a\n      data: {n: 1}\n",
            &json!({"emitted": [{"type": "a", "data": {"n": 2}}]}),
            "expect:\n  emitted:\n    - type: a\n      data: {n: 2}\n",
        );
    }

    #[test]
    fn texts_of_several_lines_are_replaced_whole() {
        check(
            "expect:\n  output: |\n    one\n    two\n  status: completed\n",
            &json!({"output": "three: 3", "status": "completed"}),
            "expect:\n  output: \"three: 3\"\n  status: completed\n",
        );
    }
}
