//! Leaves: expressions, templates, durations and schemas.

use std::ops::Range;

use serde_json::Value;

use super::name::{Position, Variables, where_known};
use super::{Compiler, GLOBALS};
use crate::diagnostic::{Place, did_you_mean};
use crate::expression::scan::{Part, split};
use crate::expression::{Expression, Fault, Outputs};
use crate::parse::model::{Data, Timeout};
use crate::plan::{Input, Output};
use crate::read::locate::locate;
use crate::read::{Node, Yaml};
use crate::schema::Schema;
use crate::template::{Piece, Template};
use crate::time::{Duration, read_span};

impl Compiler<'_, '_> {
    pub(super) fn input(
        &mut self,
        data: &Data<'_>,
        position: Position,
        variables: &Variables,
    ) -> Input {
        Input {
            schema: data.schema.and_then(|node| self.schema(node)),
            from: data.transform.and_then(|node| self.transform(node, position, variables)),
        }
    }

    pub(super) fn output(
        &mut self,
        data: &Data<'_>,
        position: Position,
        variables: &Variables,
    ) -> Output {
        Output {
            transform: data.transform.and_then(|node| self.transform(node, position, variables)),
            schema: data.schema.and_then(|node| self.schema(node)),
        }
    }

    /// `from` and `as`: text is an expression, an object a template.
    fn transform(
        &mut self,
        node: &Node,
        position: Position,
        variables: &Variables,
    ) -> Option<Template> {
        match &node.value {
            Yaml::Text(_) => self.expression(node, position, variables).map(Template::Expression),
            Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::List(_) | Yaml::Map(_) => {
                self.template(node, position, variables)
            }
        }
    }

    /// A field that is an expression by nature: bare jq, or all of it in `${ }`.
    pub(super) fn expression(
        &mut self,
        node: &Node,
        position: Position,
        variables: &Variables,
    ) -> Option<Expression> {
        let Some(text) = node.text() else {
            let message = format!("expected a jq expression, found {}", node.describe());
            self.report.error("wrong-type", &node.at, message);
            return None;
        };
        if !text.trim_start().starts_with("${") {
            return self.jq(node, 0..text.len(), position, variables);
        }
        match self.parts(node, text)?.as_slice() {
            [Part::Expression(range)] => self.jq(node, range.clone(), position, variables),
            _ => {
                self.report
                    .error(
                        "bad-expression",
                        &node.at,
                        "this field is one expression, not text around one",
                    )
                    .help("put all of it between `${` and `}`, or leave both away");
                None
            }
        }
    }

    /// The parts of a text, without blanks around the only expression.
    fn parts(&mut self, node: &Node, text: &str) -> Option<Vec<Part>> {
        let parts = match split(text) {
            Ok(parts) => parts,
            Err(offset) => {
                let at = locate(self.lines, node, &(offset..offset + 2));
                self.report
                    .error("bad-expression", &at, "this `${` has no closing `}`")
                    .label("begins here")
                    .help("close it; braces and quotes inside must be balanced");
                return None;
            }
        };
        let blank = |part: &Part| matches!(part, Part::Text(range) if text.get(range.clone()).is_some_and(|text| text.trim().is_empty()));
        let expressions = parts.iter().filter(|part| matches!(part, Part::Expression(_))).count();
        if expressions == 1
            && parts.iter().all(|part| matches!(part, Part::Expression(_)) || blank(part))
        {
            return Some(parts.into_iter().filter(|part| !blank(part)).collect());
        }
        Some(parts)
    }

    fn jq(
        &mut self,
        node: &Node,
        range: Range<usize>,
        position: Position,
        variables: &Variables,
    ) -> Option<Expression> {
        let source = node.text()?.get(range.clone())?;
        let known = variables.at(position);
        match Expression::compile(source, &known) {
            Ok(expression) => {
                self.outputs(node, &range, &expression);
                Some(expression)
            }
            Err(faults) => {
                for fault in faults {
                    let inside = range.start + fault.range.start..range.start + fault.range.end;
                    let at = locate(self.lines, node, &inside);
                    self.fault(&at, source, fault);
                }
                None
            }
        }
    }

    /// The first output counts and none is `null`: worth a word when that is surely not meant.
    /// One or none (`select(...)`, `first(...)`) is not: `null` is what the author then expects.
    fn outputs(&mut self, node: &Node, range: &Range<usize>, expression: &Expression) {
        let (code, message, help) = match expression.outputs() {
            Outputs::One | Outputs::MaybeNone => return,
            Outputs::Many => (
                "several-outputs",
                "this expression can give several values, and only the first counts",
                "write `first(...)` around it if that is meant, or `[...]` for a list of all",
            ),
            Outputs::None => (
                "no-output",
                "this expression never gives a value, so it is always `null`",
                "write `null` if that is meant",
            ),
        };
        let at = locate(self.lines, node, range);
        self.report.warning(code, &at, message).help(help);
    }

    /// Whether `use.secrets` lists a secret; reports when not.
    pub(super) fn knows_secret(&mut self, name: &str, at: &Place) -> bool {
        let uses = self.uses;
        let known = uses.secrets.iter().any(|known| known == name);
        if !known {
            let near = did_you_mean(name, uses.secrets.iter().map(String::as_str));
            self.report
                .error("unknown-secret", at, format!("`use.secrets` does not list `{name}`"))
                .help(near.unwrap_or_else(|| "list it under `use.secrets`".to_owned()));
        }
        known
    }

    fn fault(&mut self, at: &Place, source: &str, fault: Fault) {
        let name = source.get(fault.range.clone()).unwrap_or("").trim_start_matches('$');
        if fault.code == "unknown-variable" && GLOBALS.contains(&name) {
            self.report
                .error("variable-out-of-scope", at, format!("`${name}` cannot be used here"))
                .help(where_known(name));
            return;
        }
        if fault.code == "unknown-variable" && self.bound.contains(name) {
            self.report
                .error("variable-out-of-scope", at, format!("`${name}` cannot be used here"))
                .help("a variable of a loop or a catch exists only inside its tasks");
            return;
        }
        self.report.error(fault.code, at, fault.message).maybe_help(fault.help);
    }

    /// A value with `${ }` inside.
    pub(super) fn template(
        &mut self,
        node: &Node,
        position: Position,
        variables: &Variables,
    ) -> Option<Template> {
        match &node.value {
            Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) => {
                Some(Template::Constant(node.to_json()))
            }
            Yaml::Text(text) => self.text(node, text, position, variables),
            Yaml::List(items) => {
                let items: Vec<Option<Template>> =
                    items.iter().map(|item| self.template(item, position, variables)).collect();
                let items = items.into_iter().collect::<Option<Vec<_>>>()?;
                if items.iter().all(|item| item.constant().is_some()) {
                    return Some(Template::Constant(node.to_json()));
                }
                Some(Template::Array(items))
            }
            Yaml::Map(entries) => {
                let fields: Vec<Option<(String, Template)>> = entries
                    .iter()
                    .map(|entry| {
                        let value = self.template(&entry.node, position, variables)?;
                        Some((entry.key.clone(), value))
                    })
                    .collect();
                let fields = fields.into_iter().collect::<Option<Vec<_>>>()?;
                if fields.iter().all(|(_, value)| value.constant().is_some()) {
                    return Some(Template::Constant(node.to_json()));
                }
                Some(Template::Object(fields))
            }
        }
    }

    fn text(
        &mut self,
        node: &Node,
        text: &str,
        position: Position,
        variables: &Variables,
    ) -> Option<Template> {
        if !text.contains("${") {
            self.bare_expression(node, text);
            return Some(Template::Constant(Value::String(text.to_owned())));
        }
        let parts = self.parts(node, text)?;
        if let [Part::Expression(range)] = parts.as_slice() {
            return self.jq(node, range.clone(), position, variables).map(Template::Expression);
        }
        let pieces: Vec<Option<Piece>> = parts
            .into_iter()
            .map(|part| match part {
                Part::Text(range) => text.get(range).map(|text| Piece::Text(text.to_owned())),
                Part::Expression(range) => {
                    self.jq(node, range, position, variables).map(Piece::Expression)
                }
            })
            .collect();
        pieces.into_iter().collect::<Option<_>>().map(Template::Text)
    }

    /// `error: $error` is the text "$error": most likely not what was meant.
    fn bare_expression(&mut self, node: &Node, text: &str) {
        let begins = |mark: char, next: fn(char) -> bool| {
            text.strip_prefix(mark).and_then(|rest| rest.chars().next()).is_some_and(next)
        };
        let name = |c: char| c.is_ascii_alphabetic() || c == '_';
        if begins('$', name) || begins('.', |c| c.is_ascii_alphabetic() || matches!(c, '_' | '[')) {
            self.report
                .warning("bare-expression", &node.at, format!("`{text}` is taken as text"))
                .label("looks like an expression")
                .help(format!("write `${{ {text} }}` if it should be evaluated"));
        }
    }

    pub(super) fn duration(
        &mut self,
        node: &Node,
        position: Position,
        variables: &Variables,
    ) -> Option<Duration> {
        let template = self.template(node, position, variables)?;
        let Some(value) = template.constant() else {
            return Some(Duration::Computed(template));
        };
        match read_span(value) {
            Ok(span) => Some(Duration::Fixed(span)),
            Err(message) => {
                self.report.error("bad-duration", &node.at, message).help(
                    "write an object like {days: 3, hours: 12}, or ISO 8601 text like P3DT12H",
                );
                None
            }
        }
    }

    pub(super) fn timeout(
        &mut self,
        timeout: Timeout<'_>,
        position: Position,
        variables: &Variables,
    ) -> Option<Duration> {
        let node = match timeout {
            Timeout::Inline(node) => node,
            Timeout::Named(node) => {
                let uses = self.uses;
                let known = uses.timeouts.iter().map(|(entry, after)| (entry.key.as_str(), *after));
                self.named(node, "timeouts", known)?
            }
        };
        self.duration(node, position, variables)
    }

    /// The entry of `use` a text names.
    pub(super) fn named<'u, T>(
        &mut self,
        node: &Node,
        section: &str,
        known: impl Iterator<Item = (&'u str, T)>,
    ) -> Option<T> {
        let name = node.text()?;
        let mut names = Vec::new();
        for (candidate, value) in known {
            if candidate == name {
                return Some(value);
            }
            names.push(candidate);
        }
        let help = did_you_mean(name, names.iter().copied());
        self.report
            .error("unknown-reference", &node.at, format!("`use.{section}` has no `{name}`"))
            .help(help.unwrap_or_else(|| format!("define it under `use.{section}`")));
        None
    }

    pub(super) fn schema(&mut self, node: &Node) -> Option<Schema> {
        match Schema::compile(node.to_json(), self.catalog.formats()) {
            Ok(schema) => Some(schema),
            Err(violation) => {
                let at = node.at_pointer(&violation.pointer).unwrap_or(node).at.clone();
                self.report
                    .error("bad-schema", &at, format!("not a JSON Schema: {}", violation.message))
                    .help("schemas are JSON Schema 2020-12, without references to elsewhere");
                None
            }
        }
    }
}
