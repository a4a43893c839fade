//! Reading a scenario file strictly: every value with its place, every mistake with what to write.

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde_json::{Map, Value};
use tenure_definition::diagnostic::Diagnostic;
use tenure_definition::template::Template;
use tenure_definition::time::read_span;
use tenure_definition::tree::{Tree, did_you_mean};

/// A value with its JSON pointer.
#[derive(Debug, Clone)]
pub(super) struct Field<'v> {
    pub(super) value: &'v Value,
    pub(super) pointer: String,
}

impl<'v> Field<'v> {
    pub(super) fn root(value: &'v Value) -> Self {
        Self { value, pointer: String::new() }
    }

    /// The value under a key, when it is an object that has the key.
    pub(super) fn get(&self, key: &str) -> Option<Self> {
        let value = self.value.get(key)?;
        Some(Self { value, pointer: child(&self.pointer, key) })
    }

    /// The members, when it is an object.
    pub(super) fn members(&self) -> Vec<(&'v str, Self)> {
        let map = self.value.as_object().into_iter().flatten();
        map.map(|(key, value)| (key.as_str(), Self { value, pointer: child(&self.pointer, key) }))
            .collect()
    }
}

pub(super) fn child(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// Collects mistakes while a file is read.
#[derive(Debug)]
pub(super) struct Reader<'t> {
    pub(super) tree: &'t Tree,
    pub(super) found: Vec<Diagnostic>,
    pub(super) zone: TimeZone,
}

impl<'t> Reader<'t> {
    pub(super) fn new(tree: &'t Tree) -> Self {
        Self { tree, found: Vec::new(), zone: TimeZone::UTC }
    }

    /// A mistake in a value.
    pub(super) fn wrong(
        &mut self,
        field: &Field<'_>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let span = self.tree.span(&field.pointer);
        let mut item = self.tree.error("bad-value", span, &field.pointer, message);
        item.help = Some(help.into());
        self.found.push(item);
    }

    /// An object with none but the known keys.
    pub(super) fn object<'v>(
        &mut self,
        field: &Field<'v>,
        what: &str,
        known: &[&str],
    ) -> Option<&'v Map<String, Value>> {
        let Some(map) = field.value.as_object() else {
            self.wrong_type(field, what, "an object");
            return None;
        };
        for (key, member) in field.members() {
            if known.contains(&key) {
                continue;
            }
            let span = self.tree.key_span(&member.pointer);
            let message = format!("{what} has no field `{key}`");
            let mut item = self.tree.error("unknown-field", span, &member.pointer, message);
            item.help = did_you_mean(key, known.iter().copied())
                .or_else(|| Some(format!("known here: {}", known.join(", "))));
            self.found.push(item);
        }
        Some(map)
    }

    pub(super) fn wrong_type(&mut self, field: &Field<'_>, what: &str, expected: &str) {
        let found = match field.value {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "text",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        let span = self.tree.span(&field.pointer);
        let message = format!("{what} must be {expected}, not {found}");
        self.found.push(self.tree.error("wrong-type", span, &field.pointer, message));
    }

    /// A required member.
    pub(super) fn required<'v>(
        &mut self,
        field: &Field<'v>,
        key: &str,
        what: &str,
    ) -> Option<Field<'v>> {
        let found = field.get(key);
        if found.is_none() && field.value.is_object() {
            let span = self.tree.span(&field.pointer);
            let message = format!("{what} needs `{key}`");
            self.found.push(self.tree.error("missing-field", span, &field.pointer, message));
        }
        found
    }

    pub(super) fn text(&mut self, field: &Field<'_>, what: &str) -> Option<String> {
        let text = field.value.as_str().filter(|text| !text.is_empty());
        if text.is_none() {
            self.wrong_type(field, what, "text");
        }
        text.map(str::to_owned)
    }

    pub(super) fn count(&mut self, field: &Field<'_>, what: &str, max: u64) -> Option<u64> {
        let count = field.value.as_u64().filter(|count| (1..=max).contains(count));
        if count.is_none() {
            self.wrong(field, format!("{what} must be a whole number"), format!("from 1 to {max}"));
        }
        count
    }

    pub(super) fn truth(&mut self, field: &Field<'_>, what: &str) -> Option<bool> {
        let truth = field.value.as_bool();
        if truth.is_none() {
            self.wrong_type(field, what, "true or false");
        }
        truth
    }

    pub(super) fn items<'v>(&mut self, field: &Field<'v>, what: &str) -> Vec<Field<'v>> {
        let Some(items) = field.value.as_array() else {
            self.wrong_type(field, what, "a list");
            return Vec::new();
        };
        let item = |(index, value)| Field { value, pointer: format!("{}/{index}", field.pointer) };
        items.iter().enumerate().map(item).collect()
    }

    pub(super) fn texts(&mut self, field: &Field<'_>, what: &str) -> Vec<String> {
        let items = self.items(field, what);
        items.iter().filter_map(|item| self.text(item, what)).collect()
    }

    pub(super) fn span(&mut self, field: &Field<'_>) -> Option<Span> {
        match read_span(field.value) {
            Ok(span) => Some(span),
            Err(detail) => {
                self.wrong(field, detail, "write it like P3D, PT2S or {days: 3}");
                None
            }
        }
    }

    pub(super) fn instant(&mut self, field: &Field<'_>) -> Option<Timestamp> {
        let parsed = field.value.as_str().and_then(|text| text.parse().ok());
        if parsed.is_none() {
            self.wrong(field, "this is no instant", "write it like 2026-03-01T09:00:00Z");
        }
        parsed
    }

    /// A value with `${ }` inside.
    pub(super) fn template(&mut self, field: &Field<'_>, variables: &[&str]) -> Option<Template> {
        match self.tree.template(&field.pointer, variables) {
            Ok(template) => Some(template),
            Err(found) => {
                self.found.extend(found);
                None
            }
        }
    }
}

/// The instant a span after another, in a zone.
pub(super) fn later(from: Timestamp, span: Span, zone: &TimeZone) -> Timestamp {
    let end = from.to_zoned(zone.clone()).checked_add(span);
    end.map_or(Timestamp::MAX, |end| end.timestamp())
}
