//! YAML text to a tree that keeps how everything is written, with each comment where it belongs.

use std::collections::VecDeque;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle};

use super::Error;

/// A text as a tree.
#[derive(Debug)]
pub(super) struct Tree<'t> {
    /// Comments above everything.
    pub(super) header: Vec<Comment<'t>>,
    pub(super) root: Value<'t>,
    /// Comments below everything.
    pub(super) footer: Vec<Comment<'t>>,
    /// All comments, sorted by their text.
    pub(super) comments: Vec<String>,
    /// Anchors must stay before their aliases, so nothing is moved where there are any.
    pub(super) has_anchors: bool,
}

/// A comment, from its `#` to the end of its line.
#[derive(Debug, Clone)]
pub(super) struct Comment<'t> {
    pub(super) text: &'t str,
    pub(super) blank_before: bool,
    start: usize,
    column: usize,
    owns_line: bool,
}

/// A value.
#[derive(Debug)]
pub(super) enum Value<'t> {
    /// A scalar, an alias or a flow collection, as it is written, with the column of its key or
    /// dash.
    Raw { text: &'t str, style: Style, column: usize },
    /// `key: value` lines.
    Map { entries: Vec<Entry<'t>>, tail: Vec<Comment<'t>> },
    /// `- item` lines.
    List { items: Vec<Entry<'t>>, tail: Vec<Comment<'t>> },
}

/// How a raw value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Plain, or an alias.
    Plain,
    SingleQuoted,
    DoubleQuoted,
    /// `|` or `>`.
    Block,
    /// `{...}` or `[...]`.
    Flow,
}

/// An entry of an object, or an item of a list (without a key).
#[derive(Debug)]
pub(super) struct Entry<'t> {
    pub(super) leading: Vec<Comment<'t>>,
    pub(super) blank_before: bool,
    pub(super) key: &'t str,
    /// Anchor and tag.
    pub(super) properties: String,
    /// Behind the key or the value.
    pub(super) trailing: Option<Comment<'t>>,
    pub(super) value: Value<'t>,
}

enum Part {
    Scalar(Style),
    MapStart,
    ListStart,
    End,
}

struct Reader<'t> {
    text: &'t str,
    parts: VecDeque<(Part, Range<usize>)>,
    comments: VecDeque<Comment<'t>>,
    has_anchors: bool,
    /// Where the last scalar or flow collection ended.
    consumed: usize,
}

/// The texts of all comments, sorted.
pub(super) fn comments(text: &str) -> Result<Vec<String>, Error> {
    let mut all: Vec<String> =
        scan(text)?.1.iter().map(|comment| comment.text.trim_end().to_owned()).collect();
    all.sort_unstable();
    Ok(all)
}

/// Reads a text that is known to be valid.
pub(super) fn read(text: &str) -> Result<Tree<'_>, Error> {
    let (parts, comments) = scan(text)?;
    let mut all: Vec<String> =
        comments.iter().map(|comment| comment.text.trim_end().to_owned()).collect();
    all.sort_unstable();
    let mut reader = Reader { text, parts, comments, has_anchors: false, consumed: 0 };
    let start = reader.parts.front().map_or(text.len(), |(_, range)| range.start);
    let header = reader.take_before(start);
    let root = reader.value(&(0..0))?;
    let footer = reader.comments.drain(..).collect();
    Ok(Tree { header, root, footer, comments: all, has_anchors: reader.has_anchors })
}

type Scanned<'t> = (VecDeque<(Part, Range<usize>)>, VecDeque<Comment<'t>>);

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the parser's event type is open-ended, and only these build the tree"
)]
fn scan(text: &str) -> Result<Scanned<'_>, Error> {
    let mut parts = VecDeque::new();
    let mut comments = VecDeque::new();
    for next in Parser::new_from_str(text) {
        let (event, span) = next.map_err(|error| Error::Unknown {
            line: error.marker().line(),
            what: "something the parser does not take",
        })?;
        let range = span.byte_range().unwrap_or(0..0);
        let part = match event {
            Event::Scalar(_, style, ..) => Part::Scalar(match style {
                ScalarStyle::SingleQuoted => Style::SingleQuoted,
                ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
                ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
                ScalarStyle::Plain => Style::Plain,
            }),
            Event::Alias(_) => Part::Scalar(Style::Plain),
            Event::MappingStart(..) => Part::MapStart,
            Event::SequenceStart(..) => Part::ListStart,
            Event::MappingEnd | Event::SequenceEnd => Part::End,
            Event::Comment(..) => {
                comments.push_back(comment(text, range));
                continue;
            }
            _ => continue,
        };
        parts.push_back((part, range));
    }
    Ok((parts, comments))
}

fn comment(text: &str, range: Range<usize>) -> Comment<'_> {
    let line = line_start(text, range.start);
    let before = text.get(line..range.start).unwrap_or("");
    Comment {
        text: text.get(range.clone()).unwrap_or("").trim_end(),
        blank_before: is_blank_before(text, range.start),
        start: range.start,
        column: before.chars().count(),
        owns_line: before.trim().is_empty(),
    }
}

fn line_start(text: &str, at: usize) -> usize {
    text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1)
}

fn column(text: &str, at: usize) -> usize {
    text.get(line_start(text, at)..at).map_or(0, |before| before.chars().count())
}

/// Whether the line before the one of `at` is blank.
fn is_blank_before(text: &str, at: usize) -> bool {
    let line = line_start(text, at);
    let Some(above) = line.checked_sub(1) else { return false };
    text.get(line_start(text, above)..above).is_some_and(|above| above.trim().is_empty())
}

impl<'t> Reader<'t> {
    fn unknown(&self, at: usize, what: &'static str) -> Error {
        let before = self.text.get(..at).unwrap_or(self.text);
        Error::Unknown { line: before.matches('\n').count() + 1, what }
    }

    fn slice(&self, range: Range<usize>) -> &'t str {
        self.text.get(range).unwrap_or("")
    }

    fn take_before(&mut self, at: usize) -> Vec<Comment<'t>> {
        let mut taken = Vec::new();
        while self.comments.front().is_some_and(|comment| comment.start < at) {
            taken.extend(self.comments.pop_front());
        }
        taken
    }

    /// A comment on the same line behind `end`.
    fn trailing(&mut self, end: usize, until: usize) -> Option<Comment<'t>> {
        let next = self.comments.front()?;
        let between = self.text.get(end..next.start)?;
        let fits = !next.owns_line && next.start < until && !between.contains('\n');
        if fits { self.comments.pop_front() } else { None }
    }

    /// The start of what comes next.
    fn next_start(&self) -> Option<usize> {
        let next = self.parts.iter().find(|(part, _)| !matches!(part, Part::End));
        next.map(|(_, range)| range.start)
    }

    /// The next value; `mark` is the key or dash before it.
    fn value(&mut self, mark: &Range<usize>) -> Result<Value<'t>, Error> {
        let Some((part, range)) = self.parts.pop_front() else {
            return Err(self.unknown(mark.end, "a missing value"));
        };
        let column = column(self.text, mark.start);
        let is_flow = self.slice(range.start..self.text.len()).starts_with(['{', '[']);
        match part {
            Part::Scalar(style) => {
                let text = self.slice(range.clone());
                if style == Style::Block || text.contains('\n') {
                    self.take_inside(&range);
                }
                if !text.is_empty() {
                    self.consumed = range.end;
                }
                Ok(Value::Raw { text, style, column })
            }
            Part::MapStart | Part::ListStart if is_flow => {
                let range = range.start..self.flow_end()?;
                self.take_inside(&range);
                let text = self.slice(range.clone());
                self.consumed = range.end;
                Ok(Value::Raw { text, style: Style::Flow, column })
            }
            Part::MapStart => self.map(),
            Part::ListStart => self.list(mark.end),
            Part::End => Err(self.unknown(range.start, "a missing value")),
        }
    }

    /// The parser tells where the lines of a block text are; its `|` or `>` belongs to it as well.
    fn begin_block_at_its_header(&mut self, after: usize) {
        let Some((Part::Scalar(Style::Block), range)) = self.parts.front_mut() else { return };
        let between = self.text.get(after..range.start).unwrap_or("");
        if let Some(header) = between.find(['|', '>']) {
            range.start = after + header;
        }
    }

    /// Comments inside something that is kept as written are not ours to place.
    fn take_inside(&mut self, range: &Range<usize>) {
        let (start, end) = (range.start, range.end);
        self.comments.retain(|comment| comment.start < start || comment.start >= end);
    }

    /// The end of the flow collection that has just begun.
    fn flow_end(&mut self) -> Result<usize, Error> {
        let mut depth = 1_usize;
        while let Some((part, range)) = self.parts.pop_front() {
            match part {
                Part::MapStart | Part::ListStart => depth += 1,
                Part::End => depth -= 1,
                Part::Scalar(_) => {}
            }
            if depth == 0 {
                return Ok(range.end);
            }
        }
        Err(self.unknown(self.text.len(), "an unclosed collection"))
    }

    fn at_end(&mut self) -> bool {
        let ends = matches!(self.parts.front(), Some((Part::End, _)) | None);
        if ends {
            self.parts.pop_front();
        }
        ends
    }

    fn map(&mut self) -> Result<Value<'t>, Error> {
        let mut entries = Vec::new();
        let mut own_column = None;
        while !self.at_end() {
            let Some((Part::Scalar(_), key)) = self.parts.pop_front() else {
                return Err(self.unknown(self.text.len(), "a key that is no text"));
            };
            own_column.get_or_insert_with(|| column(self.text, key.start));
            let mut leading = self.take_before(key.start);
            let blank_before = is_blank_before(self.text, key.start);
            let entry = self.entry(&key, &mut leading, ':')?;
            let key = self.slice(key);
            entries.push(Entry { leading, blank_before, key, ..entry });
        }
        let tail = self.tail(own_column.unwrap_or(0));
        Ok(Value::Map { entries, tail })
    }

    fn list(&mut self, after: usize) -> Result<Value<'t>, Error> {
        let mut own_column = None;
        let mut items = Vec::new();
        // The parser does not tell dashes; the first one stands behind the key.
        let mut from = after;
        while !self.at_end() {
            let until = self.next_start().unwrap_or(self.text.len());
            let Some(dash) = self.dash(from.max(self.consumed.min(until)), until) else {
                return Err(self.unknown(from, "an item of a list"));
            };
            own_column.get_or_insert_with(|| column(self.text, dash));
            let mut leading = self.take_before(dash);
            let blank_before = is_blank_before(self.text, dash);
            let mut entry = self.entry(&(dash..dash + 1), &mut leading, '-')?;
            hoist(&mut entry, &mut leading);
            from = dash + 1;
            items.push(Entry { leading, blank_before, ..entry });
        }
        let tail = self.tail(own_column.unwrap_or(0));
        Ok(Value::List { items, tail })
    }

    /// The dash of the next item: the last one before its value that stands outside of comments.
    fn dash(&self, from: usize, until: usize) -> Option<usize> {
        let mut found = None;
        let mut at = from;
        for line in self.text.get(from..until.max(from))?.split_inclusive('\n') {
            let code = line.split(" #").next().unwrap_or(line);
            let code = if line.trim_start().starts_with('#') { "" } else { code };
            let indent = code.len() - code.trim_start().len();
            let is_dash = |rest: &str| rest.starts_with('-') && !rest.starts_with("---");
            if is_dash(code.trim_start()) {
                found = found.or(Some(at + indent));
            }
            at += line.len();
        }
        found
    }

    /// What follows a key or a dash.
    fn entry(
        &mut self,
        mark: &Range<usize>,
        leading: &mut Vec<Comment<'t>>,
        sign: char,
    ) -> Result<Entry<'t>, Error> {
        self.begin_block_at_its_header(mark.end);
        let start = self.parts.front().map_or(self.text.len(), |(_, range)| range.start);
        let is_empty = self.parts.front().is_some_and(|(part, range)| {
            matches!(part, Part::Scalar(_)) && range.start >= range.end
        });
        let behind = self.trailing(mark.end, start.max(mark.end + 1));
        let between = self.slice(mark.end..start.max(mark.end));
        let mut gap: Vec<&str> = between
            .lines()
            .map(|line| line.find('#').map_or(line, |at| line.get(..at).unwrap_or("")))
            .flat_map(str::split_whitespace)
            .collect();
        // A list as deep as its key begins behind its first dash.
        if matches!(self.parts.front(), Some((Part::ListStart, _))) && gap.last() == Some(&"-") {
            gap.pop();
        }
        let mut properties = gap.join(" ");
        if sign == ':' && !is_empty {
            let Some(rest) = properties.strip_prefix(':') else {
                return Err(self.unknown(mark.start, "a key that is not followed by `:`"));
            };
            properties = rest.trim().to_owned();
        }
        if is_empty {
            properties = String::new();
        }
        let is_alias = self.slice(start..self.text.len()).starts_with('*');
        self.has_anchors |= properties.contains('&') || is_alias;
        let value = match self.parts.front() {
            Some((Part::Scalar(_), _)) => {
                leading.extend(behind);
                if !is_empty {
                    leading.extend(self.take_before(start));
                }
                None
            }
            _ => behind,
        };
        let end = self.parts.front().map_or(start, |(_, range)| range.end);
        let mut trailing = value;
        let value = self.value(mark)?;
        if let Value::Raw { text, style, .. } = &value {
            let end = if is_empty { mark.end } else { end.max(start + text.len()) };
            if is_empty
                && let Some(last) = leading.last().cloned()
                && !last.owns_line
                && last.start > mark.end
            {
                leading.pop();
                trailing = Some(last);
            } else if *style != Style::Block {
                // A block text ends where the next thing begins, so nothing is behind it.
                trailing = trailing.or_else(|| self.trailing(end, self.text.len()));
            }
        }
        Ok(Entry { leading: Vec::new(), blank_before: false, key: "", properties, trailing, value })
    }

    /// Comments that end a block: as deep as it, and deeper than what comes next.
    fn tail(&mut self, own: usize) -> Vec<Comment<'t>> {
        let next = self.next_start();
        let next_column = next.map(|at| self.outer_column(at));
        let mut tail = Vec::new();
        while let Some(comment) = self.comments.front() {
            let is_before = next.is_none_or(|next| comment.start < next);
            let is_inside =
                comment.column >= own && next_column.is_none_or(|next| comment.column > next);
            if !(is_before && is_inside && comment.owns_line) {
                break;
            }
            tail.extend(self.comments.pop_front());
        }
        tail
    }

    /// The column of the first thing on the line of `at`: a dash comes before its value.
    fn outer_column(&self, at: usize) -> usize {
        let line = self.slice(line_start(self.text, at)..at);
        line.chars().take_while(|c| *c == ' ').count()
    }
}

/// Comments between a dash and its value move above the dash.
fn hoist<'t>(item: &mut Entry<'t>, leading: &mut Vec<Comment<'t>>) {
    match &mut item.value {
        Value::Raw { .. } => {}
        Value::Map { entries: inner, .. } | Value::List { items: inner, .. } => {
            leading.extend(item.trailing.take());
            if let Some(first) = inner.first_mut() {
                leading.append(&mut first.leading);
            }
        }
    }
}
