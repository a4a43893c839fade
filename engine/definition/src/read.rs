//! YAML text to a tree of nodes with exact places.
//!
//! The reader stands on `granit-parser`, the event parser below serde-saphyr: a dynamic tree needs
//! the place of every key and value and the style of every scalar, which serde's data model cannot
//! carry. Only the YAML 1.2 core schema is known, so `country: NO` and `on:` stay text. Budgets stop
//! hostile texts before they cost memory: size, depth, number of nodes (aliases count each time).

use std::borrow::Cow;
use std::collections::BTreeMap;

use granit_parser::{Event, Parser, ScalarStyle, Tag};
use serde_json::Value;

use crate::diagnostic::{Place, Report};
use crate::source::{Lines, Source};

pub(crate) mod locate;
mod scalar;

/// Largest text, in bytes.
pub(crate) const TEXT_MAX: usize = 1024 * 1024;
/// Deepest nesting of collections.
const DEPTH_MAX: usize = 64;
/// Most nodes, counting what an alias repeats.
const NODES_MAX: usize = 50_000;
/// Longest key, in bytes: pointers repeat keys, so long ones multiply.
const KEY_MAX: usize = 256;

/// A value with its place.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) at: Place,
    pub(crate) value: Yaml,
}

/// What a node holds.
#[derive(Debug, Clone)]
pub(crate) enum Yaml {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key with its place, and its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    /// The place of the key, with the pointer of the value.
    pub(crate) at: Place,
    pub(crate) node: Node,
}

impl Node {
    /// The same as JSON. Keys keep their order.
    pub(crate) fn to_json(&self) -> Value {
        match &self.value {
            Yaml::Null => Value::Null,
            Yaml::Bool(value) => Value::Bool(*value),
            Yaml::Number(number) => Value::Number(number.clone()),
            Yaml::Text(text) => Value::String(text.clone()),
            Yaml::List(items) => items.iter().map(Self::to_json).collect(),
            Yaml::Map(entries) => {
                let pairs = entries.iter().map(|entry| (entry.key.clone(), entry.node.to_json()));
                Value::Object(pairs.collect())
            }
        }
    }

    /// What it is, for messages.
    pub(crate) fn describe(&self) -> &'static str {
        match &self.value {
            Yaml::Null => "nothing",
            Yaml::Bool(_) => "a boolean",
            Yaml::Number(_) => "a number",
            Yaml::Text(_) => "text",
            Yaml::List(_) => "a list",
            Yaml::Map(_) => "an object",
        }
    }

    /// The text, when it is text.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Yaml::Text(text) => Some(text),
            Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::List(_) | Yaml::Map(_) => None,
        }
    }

    /// The entries, when it is an object.
    pub(crate) fn entries(&self) -> Option<&[Entry]> {
        match &self.value {
            Yaml::Map(entries) => Some(entries),
            Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::Text(_) | Yaml::List(_) => None,
        }
    }

    /// The items, when it is a list.
    pub(crate) fn items(&self) -> Option<&[Self]> {
        match &self.value {
            Yaml::List(items) => Some(items),
            Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::Text(_) | Yaml::Map(_) => None,
        }
    }

    /// The value under a key, when it is an object that has the key.
    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        self.entries()?.iter().find(|entry| entry.key == key)
    }

    /// The node at a JSON pointer below this one.
    pub(crate) fn at_pointer(&self, pointer: &str) -> Option<&Self> {
        let mut node = self;
        for part in pointer.split('/').skip(1) {
            let part = part.replace("~1", "/").replace("~0", "~");
            node = match &node.value {
                Yaml::List(items) => items.get(part.parse::<usize>().ok()?)?,
                Yaml::Map(_) => &node.get(&part)?.node,
                Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::Text(_) => return None,
            };
        }
        Some(node)
    }

    fn count(&self) -> usize {
        1 + match &self.value {
            Yaml::List(items) => items.iter().map(Self::count).sum::<usize>(),
            Yaml::Map(entries) => entries.iter().map(|entry| entry.node.count()).sum(),
            Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::Text(_) => 0,
        }
    }

    /// Gives a repeated node, and all below it, the pointers of its new place.
    fn repoint(&mut self, pointer: String) {
        match &mut self.value {
            Yaml::List(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    item.repoint(format!("{pointer}/{index}"));
                }
            }
            Yaml::Map(entries) => {
                for entry in entries {
                    entry.at.pointer = child(&pointer, &entry.key);
                    entry.node.repoint(entry.at.pointer.clone());
                }
            }
            Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::Text(_) => {}
        }
        self.at.pointer = pointer;
    }
}

/// The pointer of a key below `pointer`, with the escapes of RFC 6901.
pub(crate) fn child(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// Reads a text. `None` when there is no tree to go on with; findings say why.
pub(crate) fn read(source: &Source, lines: &Lines<'_>, report: &mut Report) -> Option<Node> {
    let mut reader =
        Reader { lines, report, open: Vec::new(), anchors: BTreeMap::new(), nodes: 0, root: None };
    let whole = reader.document(&source.text).is_some();
    let root = reader.root;
    if whole && root.is_none() {
        let at = Place { span: lines.span(0, 0), pointer: String::new() };
        report
            .error("syntax", &at, "the text is empty")
            .help("a definition begins with `document:`");
    }
    root.filter(|_| whole)
}

/// A collection whose end has not been seen.
struct Open {
    node: Node,
    anchor: usize,
    /// The key that waits for its value.
    key: Option<(String, Place)>,
    /// The lines of the keys so far.
    keys: BTreeMap<String, usize>,
}

struct Reader<'s, 'r> {
    lines: &'r Lines<'s>,
    report: &'r mut Report,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
    root: Option<Node>,
}

impl<'s> Reader<'s, '_> {
    /// Reads the one document there may be. `None` when reading had to stop.
    fn document(&mut self, text: &'s str) -> Option<()> {
        let options = granit_parser::options! { emit_comments: false, disallow_directives: true };
        let mut documents = 0;
        for next in Parser::new_from_str_with_options(text, options) {
            let (event, span) = match next {
                Ok(next) => next,
                Err(error) => {
                    let offset = error.marker().byte_offset().unwrap_or(text.len());
                    let at = self.place(offset, offset);
                    self.report
                        .error("syntax", &at, format!("not valid YAML: {}", error.kind()))
                        .label("reading stopped here");
                    return None;
                }
            };
            let range = span.byte_range().unwrap_or(0..0);
            if let Event::DocumentStart(..) = event {
                documents += 1;
                if documents > 1 {
                    let at = self.place(range.start, range.end);
                    self.report
                        .error("syntax", &at, "a second YAML document begins here")
                        .help("write one definition per file");
                    return None;
                }
            }
            self.event(event, range)?;
        }
        Some(())
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the parser's event type is open-ended, and only these build the tree"
    )]
    fn event(&mut self, event: Event<'s>, range: std::ops::Range<usize>) -> Option<()> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.scalar(text, style, anchor, tag.as_deref(), range)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.begin(Yaml::List(Vec::new()), anchor, tag.as_deref(), range)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.begin(Yaml::Map(Vec::new()), anchor, tag.as_deref(), range)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(range.end),
            Event::Alias(anchor) => self.alias(anchor, range),
            _ => Some(()),
        }
    }

    fn place(&self, start: usize, end: usize) -> Place {
        Place { span: self.lines.span(start, end), pointer: self.pointer() }
    }

    /// The pointer of the node that comes next.
    fn pointer(&self) -> String {
        let Some(open) = self.open.last() else { return String::new() };
        match (&open.node.value, &open.key) {
            (Yaml::List(items), _) => format!("{}/{}", open.node.at.pointer, items.len()),
            (_, Some((_, at))) => at.pointer.clone(),
            (_, None) => open.node.at.pointer.clone(),
        }
    }

    /// Whether the next node is a key of the innermost open object.
    fn expects_key(&self) -> bool {
        self.open
            .last()
            .is_some_and(|open| matches!(open.node.value, Yaml::Map(_)) && open.key.is_none())
    }

    fn charge(&mut self, nodes: usize, start: usize) -> Option<()> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes <= NODES_MAX {
            return Some(());
        }
        let at = self.place(start, start + 1);
        self.report
            .error(
                "too-large",
                &at,
                format!("more than {NODES_MAX} values, counting what aliases repeat"),
            )
            .label("the limit is reached here");
        None
    }

    fn scalar(
        &mut self,
        text: Cow<'s, str>,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        range: std::ops::Range<usize>,
    ) -> Option<()> {
        self.charge(1, range.start)?;
        if self.expects_key() {
            return self.key(text, range);
        }
        let at = self.place(range.start, range.end);
        let plain = style == ScalarStyle::Plain;
        let value = scalar::resolve(&text, plain, tag).unwrap_or_else(|fault| {
            self.report.error("bad-scalar", &at, fault.message).label(fault.label).help(fault.help);
            Yaml::Text(text.into_owned())
        });
        self.put(Node { at, value }, anchor);
        Some(())
    }

    fn key(&mut self, text: Cow<'s, str>, range: std::ops::Range<usize>) -> Option<()> {
        let mut at = self.place(range.start, range.end);
        if text.len() > KEY_MAX {
            self.report.error("too-large", &at, format!("a key may have {KEY_MAX} bytes at most"));
            return None;
        }
        let open = self.open.last_mut()?;
        at.pointer = child(&open.node.at.pointer, &text);
        if let Some(line) = open.keys.insert(text.to_string(), at.span.line) {
            self.report
                .error("duplicate-key", &at, format!("the key `{text}` is written twice"))
                .label("the second one")
                .help(format!("the first one is on line {line}; remove one of them"));
        }
        open.key = Some((text.into_owned(), at));
        Some(())
    }

    fn begin(
        &mut self,
        value: Yaml,
        anchor: usize,
        tag: Option<&Tag>,
        range: std::ops::Range<usize>,
    ) -> Option<()> {
        self.charge(1, range.start)?;
        let at = self.place(range.start, range.end);
        if self.expects_key() {
            self.report
                .error("syntax", &at, "a key must be text")
                .label("a collection cannot be a key");
            return None;
        }
        if self.open.len() >= DEPTH_MAX {
            self.report
                .error("too-deep", &at, format!("nested deeper than {DEPTH_MAX} levels"))
                .label("this level is one too many");
            return None;
        }
        if let Some(tag) = tag.filter(|tag| tag.is_custom()) {
            let message = format!("the tag `{}` has no meaning here", tag.original());
            self.report.error("bad-scalar", &at, message).help("remove it");
        }
        self.open.push(Open { node: Node { at, value }, anchor, key: None, keys: BTreeMap::new() });
        Some(())
    }

    fn end(&mut self, end: usize) -> Option<()> {
        let mut open = self.open.pop()?;
        // A block collection ends where the next thing begins: do not mark the blank between.
        let start = open.node.at.span.offset;
        let inside = self.lines.text().get(start..end.max(start)).unwrap_or("");
        open.node.at.span = self.lines.span(start, start + inside.trim_end().len());
        self.put(open.node, open.anchor);
        Some(())
    }

    fn alias(&mut self, anchor: usize, range: std::ops::Range<usize>) -> Option<()> {
        let Some(mut node) = self.anchors.get(&anchor).cloned() else {
            let at = self.place(range.start, range.end);
            self.report.error("syntax", &at, "this alias refers to something that contains it");
            return None;
        };
        if self.expects_key() {
            return match node.text() {
                Some(text) => self.key(Cow::Owned(text.to_owned()), range),
                None => {
                    let at = self.place(range.start, range.end);
                    self.report.error("syntax", &at, "a key must be text");
                    None
                }
            };
        }
        self.charge(node.count(), range.start)?;
        node.repoint(self.pointer());
        self.put(node, 0);
        Some(())
    }

    fn put(&mut self, node: Node, anchor: usize) {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        match &mut open.node.value {
            Yaml::List(items) => items.push(node),
            Yaml::Map(entries) => {
                if let Some((key, at)) = open.key.take() {
                    entries.push(Entry { key, at, node });
                }
            }
            Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::Text(_) => {
                unreachable!("only collections are open")
            }
        }
    }
}

#[cfg(test)]
mod tests;
