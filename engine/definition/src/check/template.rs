//! Shapes of what is written in the definition, and the expressions in it.

use std::ops::Range;
use std::rc::Rc;

use jaq_core::load::parse::Term;

use super::{Checker, VALUES_PER_STEP};
use crate::expression::scan::{Part, split};
use crate::expression::syntax;
use crate::plan::TaskId;
use crate::read::locate::locate;
use crate::read::{Node, Yaml};
use crate::shape::Shape;
use crate::shape::jq::{self, Env};

/// Where a value goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goes {
    /// Into something that is evaluated and forgotten, or may hold secrets.
    Nowhere,
    /// Into the state, the journal, another definition, or the world: no secret may go there.
    Out(&'static str),
}

/// Where an expression stands: its variables, the task, and where its value goes.
#[derive(Debug, Clone)]
pub(super) struct At {
    pub(super) env: Env,
    pub(super) task: Option<TaskId>,
    pub(super) goes: Goes,
}

impl At {
    pub(super) fn goes(&self, to: &'static str) -> Self {
        Self { goes: Goes::Out(to), ..self.clone() }
    }
}

impl<'n> Checker<'n, '_> {
    /// A value with `${ }` inside.
    pub(super) fn template(&mut self, node: &'n Node, at: &At) -> Shape {
        let parts = match &node.value {
            Yaml::List(items) => items.len(),
            Yaml::Map(entries) => entries.len(),
            Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::Text(_) => 0,
        };
        let steps = u32::try_from(parts).unwrap_or(u32::MAX) / VALUES_PER_STEP;
        self.budget = self.budget.saturating_sub(steps);
        if self.is_spent() {
            return Shape::any();
        }
        match &node.value {
            Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) => Shape::of(&node.to_json()),
            Yaml::Text(text) if text.contains("${") => self.computed(node, text, at),
            Yaml::Text(text) => Shape::word(text),
            Yaml::List(items) => {
                Shape::tuple(items.iter().map(|item| self.template(item, at)).collect())
            }
            Yaml::Map(entries) => Shape::record(
                entries
                    .iter()
                    .map(|entry| (entry.key.clone(), self.template(&entry.node, at)))
                    .collect::<Vec<_>>(),
            ),
        }
    }

    /// `from` and `as`: text is an expression, an object a template.
    pub(super) fn transform(&mut self, node: &'n Node, at: &At) -> Shape {
        match &node.value {
            Yaml::Text(_) => self.expression(node, at),
            Yaml::Null | Yaml::Bool(_) | Yaml::Number(_) | Yaml::List(_) | Yaml::Map(_) => {
                self.template(node, at)
            }
        }
    }

    /// A field that is an expression by nature.
    pub(super) fn expression(&mut self, node: &'n Node, at: &At) -> Shape {
        match code(node) {
            Some(range) => self.jq(node, range, at),
            None => Shape::any(),
        }
    }

    fn computed(&mut self, node: &'n Node, text: &'n str, at: &At) -> Shape {
        let Ok(parts) = split(text) else { return Shape::any() };
        if let Some(range) = only(&parts, text) {
            return self.jq(node, range, at);
        }
        let mut secret = false;
        for part in parts {
            if let Part::Expression(range) = part {
                secret |= self.jq(node, range, at).holds_secret();
            }
        }
        Shape::text().tainted(secret)
    }

    fn jq(&mut self, node: &'n Node, range: Range<usize>, at: &At) -> Shape {
        let Some(source) = node.text().and_then(|text| text.get(range.clone())) else {
            return Shape::any();
        };
        let Some(term) = self.term(source) else { return Shape::any() };
        let (shape, notes) = jq::shape(source, &term, &at.env, &mut self.budget, self.speaking);
        if self.speaking {
            for note in notes {
                let inside = range.start + note.range.start..range.start + note.range.end;
                let place = locate(self.lines, node, &inside);
                self.remark(&place, &note, at);
            }
            if let Goes::Out(to) = at.goes
                && shape.holds_secret()
            {
                self.leak(&locate(self.lines, node, &range), to);
            }
        }
        shape
    }

    /// The syntax tree of an expression, parsed once.
    pub(super) fn term(&mut self, source: &'n str) -> Option<Rc<Term<&'n str>>> {
        let key = (source.as_ptr().addr(), source.len());
        self.terms.entry(key).or_insert_with(|| syntax(source).map(Rc::new)).clone()
    }

    /// The expression of a field that is one by nature, with its text.
    pub(super) fn code(&mut self, node: &'n Node) -> Option<(&'n str, Rc<Term<&'n str>>)> {
        let range = code(node)?;
        let source = node.text()?.get(range)?;
        Some((source, self.term(source)?))
    }
}

/// The bytes of the expression in a field that is one by nature.
fn code(node: &Node) -> Option<Range<usize>> {
    let text = node.text()?;
    if !text.trim_start().starts_with("${") {
        return Some(0..text.len());
    }
    only(&split(text).ok()?, text)
}

/// The bytes of the only expression of a text, when there is nothing else.
fn only(parts: &[Part], text: &str) -> Option<Range<usize>> {
    let mut found = None;
    for part in parts {
        match part {
            Part::Expression(_) if found.is_some() => return None,
            Part::Expression(range) => found = Some(range.clone()),
            Part::Text(range) if text.get(range.clone())?.trim().is_empty() => {}
            Part::Text(_) => return None,
        }
    }
    found
}
